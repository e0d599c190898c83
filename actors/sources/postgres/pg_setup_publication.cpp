#include "actors/sources/postgres/pg_error.hpp"
#include "actors/sources/postgres/pg_setup_parts.hpp"

namespace sluice::postgres {

namespace {

using level = finding::level;

struct publication {
  bool exists = false;
  bool all_tables = false;
  bool via_root = false;
  bool all_changes = false;
  bool may_change = false; ///< The role owns it, or may make it.
};

struct published_table {
  const captured_table* table = nullptr;
  bool partitioned = false;
  bool owned = false; ///< By the role: else it can't publish it.
  bool is_in = false;
  bool filtered = false; ///< Not all its rows or columns.
};

expected<publication> read_publication(connection& to,
                                       const std::string& name) {
  auto rows = to.run(
    "SELECT p.oid IS NOT NULL, p.puballtables, p.pubviaroot,"
    " p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate,"
    " CASE WHEN p.oid IS NULL"
    " THEN has_database_privilege(current_database(), 'CREATE')"
    " ELSE pg_has_role(p.pubowner, 'USAGE') END"
    " FROM (SELECT) one LEFT JOIN pg_publication p ON p.pubname = "
    + quoted_text(name));
  if (!rows)
    return pass_on(rows);
  return publication{is_true(*rows, 0, 0), is_true(*rows, 0, 1),
                     is_true(*rows, 0, 2), is_true(*rows, 0, 3),
                     is_true(*rows, 0, 4)};
}

expected<std::vector<published_table>>
read_tables(connection& to, const std::string& name,
            const std::vector<captured_table>& tables) {
  // Whole schemas, filters and lists of columns came with PostgreSQL 15.
  auto newer = to.version() >= 150000;
  auto rows = to.run(
    std::string{"SELECT c.relkind = 'p', pg_has_role(c.relowner, 'USAGE'),"
                " coalesce(p.puballtables, false) OR r.oid IS NOT NULL"}
    + (newer ? " OR EXISTS (SELECT FROM pg_publication_namespace n"
               " WHERE n.pnpubid = p.oid AND n.pnnspid = c.relnamespace),"
               " r.prqual IS NOT NULL OR r.prattrs IS NOT NULL"
             : ", false")
    + " FROM unnest(" + oid_array(ids_of(tables))
    + ") WITH ORDINALITY AS t (id, place) JOIN pg_class c ON c.oid = t.id"
      " LEFT JOIN pg_publication p ON p.pubname = "
    + quoted_text(name)
    + " LEFT JOIN pg_publication_rel r"
      " ON r.prpubid = p.oid AND r.prrelid = c.oid ORDER BY t.place");
  if (!rows)
    return pass_on(rows);
  auto result = std::vector<published_table>{};
  // One that was dropped meanwhile is missing in the answer.
  if (static_cast<std::size_t>(rows->rows()) != tables.size())
    return fail(errc::source_unavailable,
                to.where() + ": a table was dropped while it was looked at",
                "Try again.");
  for (int i = 0; i < rows->rows(); ++i)
    result.push_back({&tables[static_cast<std::size_t>(i)],
                      is_true(*rows, i, 0), is_true(*rows, i, 1),
                      is_true(*rows, i, 2), is_true(*rows, i, 3)});
  return result;
}

// ONLY: not the tables that inherit from it. They are tables of their own, and
// those without a key could no longer be updated.
std::string sql_list(const std::vector<published_table>& tables) {
  auto result = std::string{};
  for (const auto& x : tables)
    result += (result.empty() ? "ONLY " : ", ONLY ")
              + sql_name(x.table->schema, x.table->name);
  return result;
}

std::string names_of(const std::vector<published_table>& tables) {
  constexpr std::size_t most = 5;
  auto result = std::string{};
  for (std::size_t i = 0; i < tables.size() && i < most; ++i)
    result += (i == 0 ? "" : ", ") + tables[i].table->qualified();
  if (tables.size() > most)
    result += " and " + std::to_string(tables.size() - most) + " more";
  return result;
}

// The source makes it, if it may.
finding to_be_made(std::string detail, std::vector<std::string> sql,
                   const publication& now,
                   const std::vector<published_table>& added) {
  auto result = finding{level::missing,
                        std::string{about_publication},
                        std::move(detail),
                        std::move(sql),
                        {}};
  auto foreign = std::vector<published_table>{};
  for (const auto& x : added)
    if (!x.owned)
      foreign.push_back(x);
  if (now.may_change && foreign.empty())
    return result;
  result.how = level::broken;
  result.remedy = "It takes a superuser, or the owner of the tables, to run "
                  "it.";
  result.detail += now.may_change
                     ? ", and the role does not own " + names_of(foreign)
                     : std::string{", and the role may not "}
                         + (now.exists ? "change" : "make") + " it";
  return result;
}

// What the source needs of it beside the tables.
std::string options_needed(const publication& now, bool partitioned) {
  auto all = std::string{"publish = 'insert, update, delete, truncate'"};
  auto root = std::string{"publish_via_partition_root = true"};
  if (!now.exists)
    return root;
  auto needs_root = partitioned && !now.via_root;
  if (now.all_changes)
    return needs_root ? root : "";
  return needs_root ? all + ", " + root : all;
}

finding publication_finding(const std::string& name, const publication& now,
                            const std::vector<published_table>& tables) {
  auto lacking = std::vector<published_table>{};
  auto partitioned = false;
  for (const auto& x : tables) {
    partitioned = partitioned || x.partitioned;
    if (!x.is_in)
      lacking.push_back(x);
  }
  auto quoted = quoted_name(name);
  auto options = options_needed(now, partitioned);
  if (!now.exists) {
    auto list = lacking.empty() ? "" : " FOR TABLE " + sql_list(lacking);
    return to_be_made(
      name + " is not there",
      {"CREATE PUBLICATION " + quoted + list + " WITH (" + options + ");"}, now,
      lacking);
  }
  auto sql = std::vector<std::string>{};
  auto detail = std::string{};
  if (!options.empty()) {
    sql.push_back("ALTER PUBLICATION " + quoted + " SET (" + options + ");");
    detail = " has not " + options;
  }
  if (!lacking.empty()) {
    sql.push_back("ALTER PUBLICATION " + quoted + " ADD TABLE "
                  + sql_list(lacking) + ';');
    detail += (detail.empty() ? " lacks " : ", and lacks ") + names_of(lacking);
  }
  if (!sql.empty())
    return to_be_made(name + detail, std::move(sql), now, lacking);
  return {level::good,
          std::string{about_publication},
          name + " has every table that is captured, "
            + std::to_string(tables.size()),
          {},
          {}};
}

finding filter_finding(const std::string& name, const captured_table& table) {
  auto change = "ALTER PUBLICATION " + quoted_name(name);
  auto quoted = sql_name(table.schema, table.name);
  return {level::broken,
          std::string{about_publication},
          name + " leaves out rows or columns of " + table.qualified()
            + ", which its copy would have",
          // Both, or there would be changes that nobody gets.
          {"BEGIN;", change + " DROP TABLE ONLY " + quoted + ';',
           change + " ADD TABLE ONLY " + quoted + ';', "COMMIT;"},
          {}};
}

// Whoever publishes updates of a table without a key has broken the
// application: PostgreSQL refuses them. That must not be our doing.
finding keyless_finding(const std::string& name, const result& rows, int row) {
  auto schema = cell(rows, row, 0);
  auto table = cell(rows, row, 1);
  auto refused = is_true(rows, row, 3);
  auto x = finding{refused ? level::warning : level::broken,
                   std::string{about_publication},
                   name + " has " + schema + '.' + table
                     + ", which has no key: PostgreSQL refuses its UPDATE and "
                       "DELETE",
                   {},
                   {}};
  if (!refused)
    x.detail += " once they are published, as the source needs it";
  if (is_true(rows, row, 2))
    x.sql = {"ALTER PUBLICATION " + quoted_name(name) + " DROP TABLE ONLY "
             + sql_name(schema, table) + ';'};
  else
    x.remedy = "Declare a primary key.";
  return x;
}

status find_keyless(connection& to, const std::string& name, report& into) {
  auto rows = to.run(
    "SELECT n.nspname, c.relname, r.oid IS NOT NULL, p.pubupdate OR p.pubdelete"
    " FROM pg_publication p"
    " CROSS JOIN LATERAL pg_get_publication_tables(p.pubname) t"
    " JOIN pg_class c ON c.oid = t.relid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_publication_rel r"
    " ON r.prpubid = p.oid AND r.prrelid = c.oid WHERE p.pubname = "
    + quoted_text(name) + " AND c.relreplident <> 'f' AND NOT EXISTS "
    + key_index + " ORDER BY 1, 2");
  if (!rows)
    return pass_on(rows);
  for (int i = 0; i < rows->rows(); ++i)
    into.findings.push_back(keyless_finding(name, *rows, i));
  return {};
}

} // namespace

status examine_publication(connection& to,
                           const postgres_source_options& options,
                           report& into) {
  const auto& name = options.publication;
  auto now = read_publication(to, name);
  if (!now)
    return pass_on(now);
  auto tables = read_tables(to, name, into.tables);
  if (!tables)
    return pass_on(tables);
  for (const auto& x : *tables)
    if (x.filtered)
      into.findings.push_back(filter_finding(name, *x.table));
  // Before what publishes more of them.
  if (auto done = find_keyless(to, name, into); !done)
    return done;
  into.findings.push_back(publication_finding(name, *now, *tables));
  return {};
}

} // namespace sluice::postgres
