#include "actors/sources/sqlite/capture_plan.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "actors/sources/sqlite/source_error.hpp"

namespace sluice {

namespace {

// SQLite does not compute NEW's generated columns for BEFORE UPDATE triggers,
// so what a key made of them displaces cannot be told.
bool key_is_generated(const source_table& table) {
  if (table.columns.size() == table.all_columns.size())
    return false;
  auto captured = [&](const key_term& term) {
    return std::any_of(table.columns.begin(), table.columns.end(),
                       [&](const column& x) { return x.name == term.column; });
  };
  return !std::all_of(
    table.uniques.begin(), table.uniques.end(), [&](const unique_key& key) {
      return std::all_of(key.terms.begin(), key.terms.end(), captured);
    });
}

// Why a table cannot be captured; code none: it can.
error obstacle(const listed_table& listed, const source_table& table) {
  if (listed.is_virtual)
    return {errc::source_unsupported, "a virtual table has no triggers",
            "Leave the table out."};
  if (table.primary.terms.empty())
    return {errc::table_without_key, "no declared primary key"};
  if (key_is_generated(table))
    return {errc::source_unsupported,
            "a UNIQUE index on a generated column or, beside generated"
            " columns, on an expression",
            "Drop that index, or leave the table out."};
  // SQLite runs such an action before the AFTER triggers of the update that
  // causes it: a row that refers to itself would be recorded in wrong order.
  if (table.updates_itself)
    return {errc::source_unsupported,
            "a foreign key to itself with an ON UPDATE action",
            "Drop that action, or leave the table out."};
  if (table.columns.size() > captured_columns_max)
    return {errc::source_unsupported,
            "more than " + std::to_string(captured_columns_max) + " columns",
            "Leave the table out."};
  return {};
}

bool named(const feed_rules& rules, const std::string& table) {
  return std::find(rules.include.begin(), rules.include.end(), table)
         != rules.include.end();
}

// One that was dropped after it was captured is still known.
status require_named(const sqlite_db& db, const feed_rules& rules,
                     const std::vector<listed_table>& listed,
                     const std::vector<capture>& captures) {
  auto there = std::string{};
  for (const auto& x : listed)
    there += (there.empty() ? "" : ", ") + x.name;
  for (const auto& name : rules.include) {
    auto same = [&](const auto& x) { return x.name == name; };
    if (name.find_first_of("*?") != std::string::npos
        || std::any_of(listed.begin(), listed.end(), same)
        || std::any_of(captures.begin(), captures.end(), same))
      continue;
    return fail(errc::unknown_table,
                db.path() + ": table \"" + name + "\" is not there, but "
                  + (there.empty() ? "no table" : there),
                "Correct the name, or make the table first.");
  }
  return {};
}

// All triggers of ours are there, unchanged and created after the others. Those
// that are newer than the one on the scratch table came back with a table that
// was rebuilt: nobody recorded what its new rows are.
bool triggers_are_right(const std::vector<installed_trigger>& installed,
                        const std::vector<trigger_text>& wanted,
                        const std::string& table) {
  auto oldest_own = std::numeric_limits<std::int64_t>::max();
  auto newest_own = std::int64_t{0};
  auto on_scratch = std::int64_t{0};
  for (const auto& text : wanted) {
    auto same = [&](const installed_trigger& x) { return x.text == text; };
    auto found = std::find_if(installed.begin(), installed.end(), same);
    if (found == installed.end())
      return false;
    if (text.table != table) {
      on_scratch = found->place;
      continue;
    }
    oldest_own = std::min(oldest_own, found->place);
    newest_own = std::max(newest_own, found->place);
  }
  if (newest_own > on_scratch)
    return false;
  return std::none_of(
    installed.begin(), installed.end(), [&](const installed_trigger& x) {
      auto own = [&](const trigger_text& y) { return y.name == x.text.name; };
      return x.text.table == table && x.place > oldest_own
             && std::none_of(wanted.begin(), wanted.end(), own);
    });
}

bool only_added(const std::vector<column>& before,
                const std::vector<column>& after) {
  return before.size() < after.size()
         && std::equal(before.begin(), before.end(), after.begin());
}

capture_step step_of(const source_table& table, const capture& before,
                     const std::vector<installed_trigger>& installed) {
  if (before.id == 0)
    return capture_step::renew;
  auto same = before.columns == table.columns;
  if (!same && !only_added(before.columns, table.columns))
    return capture_step::renew;
  // The triggers as they were before the columns were added.
  auto as_before = table;
  as_before.columns = before.columns;
  auto intact = triggers_are_right(
    installed, capture_triggers(as_before, before.id), table.name);
  if (same)
    return intact ? capture_step::keep : capture_step::retrigger;
  return intact ? capture_step::widen : capture_step::renew;
}

const capture* active(const std::vector<capture>& captures,
                      const std::string& name) {
  for (const auto& x : captures)
    if (x.end_seq == 0 && x.name == name)
      return &x;
  return nullptr;
}

// What is captured and should not be any more.
void plan_ends(const std::vector<capture>& captures,
               const std::vector<listed_table>& listed, capture_plan& into) {
  for (const auto& x : captures) {
    auto same = [&](const auto& y) { return y.table.name == x.name; };
    if (x.end_seq != 0
        || std::any_of(into.tables.begin(), into.tables.end(), same))
      continue;
    auto there = [&](const listed_table& y) { return y.name == x.name; };
    auto& end = into.tables.emplace_back();
    end.step = capture_step::end;
    end.table.name = x.name;
    end.before = x;
    end.dropped = std::none_of(listed.begin(), listed.end(), there);
  }
}

} // namespace

expected<std::vector<installed_trigger>> load_triggers(sqlite_db& db) {
  auto result = std::vector<installed_trigger>{};
  auto done = db.run(
    "SELECT name, tbl_name, sql, rowid FROM main.sqlite_schema"
    " WHERE type = 'trigger' ORDER BY rowid",
    [](sqlite_statement&) {},
    [&](sqlite_statement& q) {
      result.push_back({{std::string{q.text(0)}, std::string{q.text(1)},
                         std::string{q.text(2)}},
                        q.integer(3)});
    });
  if (!done)
    return pass_on(done);
  return result;
}

expected<capture_plan> plan_capture(sqlite_db& db, const feed_rules& rules,
                                    const std::vector<capture>& captures) {
  auto result = capture_plan{};
  auto listed = list_tables(db);
  if (!listed)
    return pass_on(listed);
  if (auto there = require_named(db, rules, *listed, captures); !there)
    return pass_on(there);
  auto installed = load_triggers(db);
  if (!installed)
    return pass_on(installed);
  for (const auto& x : *listed) {
    if (!rules.matches(x.name))
      continue;
    auto table = x.is_virtual ? expected<source_table>{source_table{}}
                              : read_source_table(db, x);
    if (!table)
      return pass_on(table);
    if (auto why = obstacle(x, *table)) {
      // Left out after it was captured, its replica would just fall behind.
      if (named(rules, x.name) || active(captures, x.name) != nullptr)
        return fail(why.code,
                    db.path() + ": table \"" + x.name + "\": " + why.detail,
                    why.remedy);
      result.left_out.push_back(x.name + ": " + why.detail);
      continue;
    }
    auto& planned = result.tables.emplace_back();
    if (const auto* before = active(captures, x.name))
      planned.before = *before;
    planned.step = step_of(*table, planned.before, *installed);
    planned.table = std::move(*table);
  }
  plan_ends(captures, *listed, result);
  return result;
}

} // namespace sluice
