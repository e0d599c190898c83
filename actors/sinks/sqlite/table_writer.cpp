#include "actors/sinks/sqlite/table_writer.hpp"

#include <algorithm>
#include <string>

#include <sqlite3.h>

#include "actors/sinks/sqlite/sink_error.hpp"

namespace sluice {

namespace {

// A table whose rows leave columns unchanged in many ways would have as many
// statements.
constexpr std::size_t statements_max = 64;

bool is_key_taken(int code) noexcept {
  return code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID
         || code == SQLITE_CONSTRAINT_UNIQUE;
}

int bind(sqlite_statement& to, int i, const std::vector<value_view>& values) {
  for (const auto& x : values)
    if (x.type != value_type::unchanged)
      to.bind_value(i++, x);
  return i;
}

} // namespace

table_writer::table_writer(sqlite_db& db, schema_ptr schema,
                           replica_table table, bool compact)
  : db_{db}, schema_{std::move(schema)}, key_{key_of(*schema_)},
    table_{std::move(table)}, compact_{compact && !table_.in_order},
    name_{sqlite_quoted(table_.name)}, compaction_{key_} {
  // nop
}

expected<std::unique_ptr<table_writer>>
table_writer::open(sqlite_db& db, schema_ptr schema,
                   const sqlite_sink_options& options, bool copy_starts) {
  auto table = fit_replica_table(db, *schema, options, copy_starts);
  if (!table)
    return tl::unexpected{std::move(table.error())};
  return std::unique_ptr<table_writer>(new table_writer(
    db, std::move(schema), std::move(*table), options.compact));
}

// -- rows ---------------------------------------------------------------------

status table_writer::apply(const row_block& block, std::uint32_t first,
                           std::uint32_t count) {
  for (auto i = first; i < first + count; ++i)
    if (block.grouped(i).columns() != schema_->columns.size())
      return fail(errc::malformed,
                  "table \"" + table_.name + "\": the row at "
                    + to_string(block.grouped(i).cursor()) + " has "
                    + std::to_string(block.grouped(i).columns())
                    + " columns, its schema "
                    + std::to_string(schema_->columns.size()));
  if (compact_)
    return apply_compacted(block, first, count);
  for (auto i = first; i < first + count; ++i) {
    auto done = row_.assign(block.grouped(i), key_);
    if (done)
      done = apply_one(row_);
    if (!done)
      return done;
  }
  return {};
}

status table_writer::apply_compacted(const row_block& block,
                                     std::uint32_t first, std::uint32_t count) {
  auto apply = [this](const net_change& x) { return apply_net(x); };
  compaction_.clear();
  for (auto i = first; i < first + count; ++i) {
    if (auto good = row_.assign(block.grouped(i), key_); !good)
      return good;
    if (compaction_.add(row_, i))
      continue;
    // A border: what came before goes first, or does not matter any more.
    if (row_.op() == row_op::truncate || row_.op() == row_op::snapshot_begin)
      compaction_.clear();
    auto done = compaction_.drain(block, apply);
    if (done)
      done = apply_one(row_);
    if (!done)
      return done;
  }
  return compaction_.drain(block, apply);
}

status table_writer::apply_net(const net_change& x) {
  if (x.values.empty())
    return erase(x.key);
  if (!x.partial)
    return upsert(x.values);
  if (!x.erased)
    return update(x.values, x.key, x.key, false);
  if (auto gone = erase(x.key); !gone)
    return gone;
  return upsert(x.values);
}

status table_writer::apply_one(const decoded_row& row) {
  switch (row.op()) {
    case row_op::insert:
      return upsert(row.after());
    case row_op::update:
      return update(row.after(), row.old_key(), row.new_key(), row.moves());
    case row_op::erase:
      return erase(row.old_key());
    default:
      return clear();
  }
}

status table_writer::clear() {
  if (auto done = db_.exec("DELETE FROM " + name_); !done)
    return failed(std::move(done.error()));
  return {};
}

status table_writer::upsert(const values& after) {
  auto query = statement(kind::upsert, after);
  if (!query)
    return tl::unexpected{std::move(query.error())};
  bind(**query, 1, after);
  if (auto done = (*query)->run(); !done)
    return failed(std::move(done.error()));
  return {};
}

status table_writer::erase(const values& key) {
  auto query = statement(kind::erase, {});
  if (!query)
    return tl::unexpected{std::move(query.error())};
  bind(**query, 1, key);
  if (auto done = (*query)->run(); !done)
    return failed(std::move(done.error()));
  return {};
}

status table_writer::update(const values& after, const values& old_key,
                            const values& new_key, bool moves) {
  auto what = moves || table_.loose_key ? kind::move : kind::update;
  auto run = [&]() -> status {
    auto query = statement(what, after);
    if (!query)
      return tl::unexpected{std::move(query.error())};
    auto next = 1;
    for (std::size_t i = 0; i < after.size(); ++i)
      if (after[i].type != value_type::unchanged
          && (what == kind::move || !in_key(i)))
        (*query)->bind_value(next++, after[i]);
    bind(**query, next, old_key);
    if (auto done = (*query)->run(); !done)
      return failed(std::move(done.error()));
    return {};
  };
  auto done = run();
  if (!done && moves && is_key_taken(db_.last_code())) {
    // The stream says that the row of the new key is gone by now; the target
    // was ahead of it, or someone else wrote there.
    if (auto gone = erase(new_key); !gone)
      return gone;
    if (db_.changes() == 0)
      return done; // Not the key, but another index.
    done = run();
  }
  // Not there: the target was ahead, or someone removed it. The end state
  // needs the new row all the same.
  if (done && db_.changes() == 0)
    return upsert(after);
  return done;
}

tl::unexpected<error> table_writer::failed(error x) const {
  return sink_failure(db_, std::move(x), "table " + name_);
}

// -- statements ---------------------------------------------------------------

bool table_writer::in_key(std::size_t i) const noexcept {
  return schema_->columns[i].key_part > 0;
}

expected<sqlite_statement*> table_writer::statement(kind what,
                                                    const values& after) {
  present_.clear();
  for (const auto& x : after)
    present_.push_back(x.type != value_type::unchanged);
  auto found = statements_.find({what, present_});
  if (found != statements_.end())
    return &found->second;
  auto query = db_.prepare(sql(what, present_));
  if (!query)
    return failed(std::move(query.error()));
  if (statements_.size() >= statements_max)
    statements_.clear();
  found =
    statements_.emplace(std::pair{what, present_}, std::move(*query)).first;
  return &found->second;
}

std::string table_writer::where_key() const {
  auto result = std::string{};
  for (const auto& x : key_.names)
    result += (result.empty() ? " WHERE " : " AND ") + sqlite_quoted(x)
              + " = ?";
  return result;
}

std::string table_writer::sql(kind what,
                              const std::vector<bool>& present) const {
  if (what == kind::erase)
    return "DELETE FROM " + name_ + where_key();
  auto columns = std::string{};
  auto marks = std::string{};
  auto set = std::string{};
  auto with_key = what == kind::move
                  || (what == kind::upsert && table_.loose_key);
  for (std::size_t i = 0; i < present.size(); ++i) {
    if (!present[i])
      continue;
    auto name = sqlite_quoted(schema_->columns[i].name);
    columns += (columns.empty() ? "" : ", ") + name;
    marks += marks.empty() ? "?" : ", ?";
    if (with_key || !in_key(i))
      set += (set.empty() ? "" : ", ") + name + " = "
             + (what == kind::upsert ? "excluded." + name : "?");
  }
  // Nothing but a key: there is nothing to set, but the row counts as found.
  auto first = sqlite_quoted(key_.names.front());
  if (what != kind::upsert)
    return "UPDATE " + name_ + " SET "
           + (set.empty() ? first + " = " + first : set) + where_key();
  auto target = std::string{};
  for (const auto& x : key_.names)
    target += (target.empty() ? "" : ", ") + sqlite_quoted(x);
  return "INSERT INTO " + name_ + " (" + columns + ") VALUES (" + marks
         + ") ON CONFLICT (" + target + ") DO "
         + (set.empty() ? "NOTHING" : "UPDATE SET " + set);
}

} // namespace sluice
