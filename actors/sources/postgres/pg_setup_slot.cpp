#include "actors/sources/postgres/pg_error.hpp"
#include "actors/sources/postgres/pg_setup_parts.hpp"

namespace sluice::postgres {

namespace {

using level = finding::level;

struct slot {
  std::string plugin; ///< Empty: a physical slot.
  std::string database;
  bool here = false; ///< In the database of the connection.
  bool temporary = false;
  bool two_phase = false;
  std::string wal_status;
  std::string position;
  std::string reader; ///< `process 123 (name)`; empty: none.
  bool has_publication = false;
};

expected<std::vector<slot>> read_slot(connection& to,
                                      const postgres_source_options& options) {
  auto rows = to.run(
    "SELECT s.plugin, s.database, s.database = current_database(),"
    " s.temporary, s.two_phase, s.wal_status, s.confirmed_flush_lsn,"
    " 'process ' || s.active_pid"
    " || coalesce(' (' || nullif(a.application_name, '') || ')', ''),"
    " EXISTS (SELECT FROM pg_publication WHERE pubname = "
    + quoted_text(options.publication)
    + ") FROM pg_replication_slots s"
      " LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid"
      " WHERE s.slot_name = "
    + quoted_text(options.slot));
  if (!rows)
    return pass_on(rows);
  auto result = std::vector<slot>{};
  if (rows->rows() > 0)
    result.push_back(
      {cell(*rows, 0, 0), cell(*rows, 0, 1), is_true(*rows, 0, 2),
       is_true(*rows, 0, 3), is_true(*rows, 0, 4), cell(*rows, 0, 5),
       cell(*rows, 0, 6), cell(*rows, 0, 7), is_true(*rows, 0, 8)});
  return result;
}

std::string create_sql(const std::string& name) {
  return "SELECT pg_create_logical_replication_slot(" + quoted_text(name)
         + ", 'pgoutput');";
}

// Somebody made it for something else: what we would have to drop may be
// needed.
finding foreign(const std::string& detail) {
  return {level::broken,
          "slot",
          detail,
          {},
          "Give the source another name for its slot, or drop this one if "
          "nobody needs it."};
}

// Rows are gone for it; a new one needs a new copy.
finding useless(const std::string& name, const std::string& why,
                const postgres_source_options& options) {
  auto drop = "SELECT pg_drop_replication_slot(" + quoted_text(name) + ");";
  return {options.copy_again ? level::missing : level::broken,
          "slot",
          name + why,
          {drop, create_sql(name)},
          "Then start once with copy_again (--copy-again): all tables are "
          "copied anew."};
}

finding slot_finding(const slot& x, const postgres_source_options& options) {
  const auto& name = options.slot;
  if (x.plugin.empty())
    return foreign(name + " is a physical slot");
  if (x.plugin != "pgoutput")
    return foreign(name + " is one of plugin " + x.plugin + ", not pgoutput");
  if (!x.here)
    return foreign(name + " is one of database " + x.database);
  if (x.temporary)
    return foreign(name + " is temporary, of " + x.reader);
  if (x.two_phase)
    return foreign(name + " sends prepared transactions before they commit");
  if (x.wal_status == "lost")
    return useless(name, " is lost: it needed more than max_slot_wal_keep_size",
                   options);
  if (!x.has_publication)
    return useless(name,
                   " is older than the publication that is still to be made: "
                   "it cannot be read",
                   options);
  if (x.wal_status == "unreserved")
    return {level::warning,
            "slot",
            name
              + " is about to be lost: it needs more than "
                "max_slot_wal_keep_size",
            {},
            "Start the source now, or raise max_slot_wal_keep_size."};
  if (!x.reader.empty())
    return {level::warning,
            "slot",
            name + " is read by " + x.reader
              + "; another source waits until that ends",
            {},
            {}};
  return {level::good, "slot", name + " waits at " + x.position, {}, {}};
}

} // namespace

status examine_slot(connection& to, const postgres_source_options& options,
                    report& into) {
  auto found = read_slot(to, options);
  if (!found)
    return pass_on(found);
  into.findings.push_back(found->empty()
                            ? finding{level::missing,
                                      "slot",
                                      options.slot + " is not there",
                                      {create_sql(options.slot)},
                                      {}}
                            : slot_finding(found->front(), options));
  return {};
}

} // namespace sluice::postgres
