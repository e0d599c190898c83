#include "actors/sources/postgres/pg_setup.hpp"

#include "actors/sources/postgres/pg_error.hpp"
#include "actors/sources/postgres/pg_setup_parts.hpp"

namespace sluice::postgres {

namespace {

// Else the publication could wait for a table's lock for ever.
status limit_lock_waits(connection& to, std::chrono::milliseconds patience) {
  auto done = to.run("SELECT set_config('lock_timeout', '"
                     + std::to_string(patience.count()) + "', false)");
  if (!done)
    return pass_on(done);
  return {};
}

} // namespace

std::string oid_array(const std::vector<oid>& ids) {
  auto result = std::string{"'{"};
  for (auto id : ids) {
    if (result.back() != '{')
      result += ',';
    result += std::to_string(id);
  }
  return result + "}'::oid[]";
}

std::vector<oid> ids_of(const std::vector<captured_table>& x) {
  auto result = std::vector<oid>{};
  for (const auto& table : x)
    result.push_back(table.id);
  return result;
}

const finding* report::obstacle(bool may_set_up) const noexcept {
  for (const auto& x : findings)
    if (x.how == finding::level::broken
        || (x.how == finding::level::missing && !may_set_up))
      return &x;
  return nullptr;
}

std::vector<std::string> report::left_out() const {
  auto result = std::vector<std::string>{};
  for (const auto& x : findings)
    if (x.how == finding::level::warning && x.what.starts_with("table "))
      result.push_back(x.what.substr(6) + ": " + x.detail);
  return result;
}

expected<report> examine(connection& to,
                         const postgres_source_options& options) {
  auto result = report{};
  for (auto* step :
       {&examine_server, &examine_tables, &examine_publication, &examine_slot})
    if (auto done = step(to, options, result); !done)
      return pass_on(done);
  return result;
}

status make_publication(connection& to, const postgres_source_options& options,
                        const report& found) {
  if (auto done = limit_lock_waits(to, options.patience); !done)
    return done;
  auto made = status{};
  for (const auto& x : found.findings)
    if (x.what == about_publication && x.how == finding::level::missing)
      for (const auto& sql : x.sql)
        if (made)
          if (auto done = to.run(sql); !done)
            made = pass_on(done);
  // Somebody else did so just now: it is looked at again.
  if (!made && to.last_state() == "42710") // duplicate_object
    made.error().code = errc::source_unavailable;
  auto ignored = to.run("RESET lock_timeout");
  return made;
}

error to_error(const finding& x, const std::string& where) {
  auto remedy = std::string{};
  for (const auto& sql : x.sql)
    remedy += (remedy.empty() ? "Run " : " ") + sql;
  if (!remedy.empty() && x.remedy.empty())
    remedy += " and start again.";
  else if (!x.remedy.empty())
    remedy += (remedy.empty() ? "" : " ") + x.remedy;
  return {x.code, where + ": " + x.what + ": " + x.detail, std::move(remedy)};
}

} // namespace sluice::postgres
