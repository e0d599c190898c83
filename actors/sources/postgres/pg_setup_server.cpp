#include <charconv>

#include "actors/sources/postgres/pg_error.hpp"
#include "actors/sources/postgres/pg_setup_parts.hpp"

namespace sluice::postgres {

namespace {

using level = finding::level;

constexpr auto oldest_version = 140000;
constexpr auto restart = "Then restart the server; one that is managed for you "
                         "has its own switch for the setting.";

// How many there are of something, and how many are taken.
struct capacity {
  std::string setting; // its name
  std::string thing;   // what it is a maximum of
  int most = 0;
  int taken = 0;
  std::string idle; // names of those that are taken, and not in use
};

int number(std::string_view text) {
  auto result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

finding version_finding(const connection& to, std::string version) {
  if (to.version() >= oldest_version && !sends_all_that_join(to.version()))
    return {level::warning,
            "version",
            version
              + ", which can lose changes of a table that comes later and is"
                " being written",
            {},
            "Upgrade to the last minor version."};
  if (to.version() >= oldest_version)
    return {level::good, "version", std::move(version), {}, {}};
  return {level::broken,
          "version",
          version + ", which is too old",
          {},
          "Upgrade the server to PostgreSQL 14 or later."};
}

finding standby_finding() {
  return {level::broken,
          "server",
          "is a standby; changes are read from the primary",
          {},
          "Connect to the primary: with several hosts in the connection "
          "string, target_session_attrs=read-write finds it.",
          errc::source_unavailable}; // it may be promoted
}

finding wal_level_finding(const std::string& value) {
  if (value == "logical")
    return {level::good, "wal_level", value, {}, {}};
  return {level::broken,
          "wal_level",
          "is " + value + ", and has to be logical",
          {"ALTER SYSTEM SET wal_level = 'logical';"},
          restart};
}

finding role_finding(const std::string& role, bool may_replicate) {
  if (may_replicate)
    return {level::good, "role", role + " may replicate", {}, {}};
  return {level::broken,
          "role",
          role + " has no right to replicate",
          {"ALTER ROLE " + quoted_name(role) + " REPLICATION;"},
          "It takes a superuser to run it."};
}

// `needed` now; one more for the copy of a table that joins later.
finding capacity_finding(const capacity& x, int needed) {
  auto left = x.most - x.taken;
  auto detail = std::to_string(x.taken) + " of " + std::to_string(x.most) + ' '
                + x.thing + " are taken";
  if (left > needed)
    return {level::good, x.setting, std::move(detail), {}, {}};
  if (left == needed)
    detail += ", none is left for the copy of a table that joins later";
  if (!x.idle.empty())
    detail += "; not in use: " + x.idle;
  auto more = std::to_string(x.most + 5);
  auto result = finding{
    left == needed ? level::warning : level::broken,
    x.setting,
    std::move(detail),
    {"ALTER SYSTEM SET " + x.setting + " = " + more + ';'},
    std::string{restart} + " Or let go of one that nobody needs.",
    errc::source_unavailable}; // others may let go of theirs
  return result;
}

finding keep_size_finding(const std::string& value) {
  constexpr auto setting = "max_slot_wal_keep_size";
  if (value != "-1")
    return {level::good, setting, value, {}, {}};
  return {level::warning,
          setting,
          "has no limit: while nobody reads the slot, it fills the disk",
          {"ALTER SYSTEM SET max_slot_wal_keep_size = '50GB';",
           "SELECT pg_reload_conf();"},
          "Take what the disk can spare: a slot that needs more is lost, and "
          "all tables are copied again."};
}

// Amazon gives the right to replicate by a role.
std::string question(const std::string& slot) {
  auto name = quoted_text(slot);
  return "SELECT current_setting('server_version'), pg_is_in_recovery(),"
         " current_setting('wal_level'), current_user,"
         " EXISTS (SELECT FROM pg_roles WHERE rolname = current_user"
         " AND (rolsuper OR rolreplication)) OR EXISTS (SELECT FROM pg_roles"
         " WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'USAGE')),"
         " current_setting('max_replication_slots'),"
         " (SELECT count(*) FROM pg_replication_slots),"
         " (SELECT string_agg(slot_name, ', ' ORDER BY slot_name)"
         " FROM pg_replication_slots"
         " WHERE NOT active AND slot_name <> "
         + name
         + "), EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = "
         + name
         + "), current_setting('max_wal_senders'),"
           " (SELECT count(*) FROM pg_stat_replication"
           " WHERE pid <> pg_backend_pid() AND pid NOT IN"
           " (SELECT active_pid FROM pg_replication_slots"
           " WHERE active AND slot_name = "
         + name + ")), current_setting('max_slot_wal_keep_size')";
}

} // namespace

bool sends_all_that_join(int version) noexcept {
  constexpr int first_good[] = {140018, 150013, 160009, 170005};
  for (auto good : first_good)
    if (version / 10'000 == good / 10'000)
      return version >= good;
  return version / 10'000 > 17;
}

status examine_server(connection& to, const postgres_source_options& options,
                      report& into) {
  auto rows = to.run(question(options.slot));
  if (!rows)
    return pass_on(rows);
  auto text = [&](int column) { return cell(*rows, 0, column); };
  auto& found = into.findings;
  found.push_back(version_finding(to, text(0)));
  if (is_true(*rows, 0, 1))
    found.push_back(standby_finding());
  found.push_back(wal_level_finding(text(2)));
  found.push_back(role_finding(text(3), is_true(*rows, 0, 4)));
  auto slots = capacity{"max_replication_slots", "replication slots",
                        number(text(5)), number(text(6)), text(7)};
  found.push_back(capacity_finding(slots, is_true(*rows, 0, 8) ? 0 : 1));
  auto senders = capacity{
    "max_wal_senders", "WAL senders", number(text(9)), number(text(10)), {}};
  found.push_back(capacity_finding(senders, 1));
  found.push_back(keep_size_finding(text(11)));
  return {};
}

} // namespace sluice::postgres
