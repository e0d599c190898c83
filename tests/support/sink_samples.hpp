#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "messages/row.hpp"
#include "messages/schema.hpp"
#include "messages/sink.hpp"

/// Rows for tests of sinks. A table `t<n>` has columns id (key) and name; the
/// row committed at ts is id=ts, name="n<ts>".
namespace sluice::samples {

inline schema_ptr schema_of(std::uint64_t table) {
  auto result = table_schema{};
  result.table = {table};
  result.name = "t" + std::to_string(table);
  result.version = {1};
  result.columns = {{"id", "integer", 1}, {"name", "text", 0}};
  return std::make_shared<const table_schema>(std::move(result));
}

/// One insert per ts, in one block.
inline block_ptr inserts(std::uint64_t table,
                         std::initializer_list<std::uint64_t> commits) {
  auto builder = row_block_builder{};
  for (auto ts : commits) {
    auto header = row_header{};
    header.table = {table};
    header.cursor = {{ts}, {ts}, 0};
    header.schema = {1};
    auto name = "n" + std::to_string(ts);
    auto values = std::vector<value_view>{
      value_view::of_integer(static_cast<std::int64_t>(ts)),
      value_view::of_text(name)};
    builder.add(header, {true, false}, {}, values);
    builder.end();
  }
  return builder.finish();
}

inline table_position position(std::uint64_t table, std::uint64_t cursor,
                               std::uint64_t checkpoint) {
  auto at = cursor == 0 ? row_cursor{} : row_cursor{{cursor}, {cursor}, 0};
  return {{table}, at, {checkpoint}};
}

/// Rows of these commits; with them the table is durable up to the last one.
inline write_item item(std::uint64_t table,
                       std::initializer_list<std::uint64_t> commits) {
  auto last = commits.size() == 0 ? 0 : *(commits.end() - 1);
  return {schema_of(table), inserts(table, commits), 0,
          static_cast<std::uint32_t>(commits.size()),
          position(table, last, last)};
}

/// No rows: only the table's checkpoint moves.
inline write_item checkpoint_item(std::uint64_t table, std::uint64_t cursor,
                                  std::uint64_t checkpoint) {
  return {schema_of(table), nullptr, 0, 0, position(table, cursor, checkpoint)};
}

/// Rows of (table, commit), for a cohort.
inline cohort_rows
cohort_of(const std::vector<std::pair<table_id, std::uint64_t>>& rows) {
  auto builder = row_block_builder{};
  auto last = std::uint64_t{0};
  for (const auto& [table, ts] : rows) {
    auto one = inserts(table.value, {ts});
    builder.add(one->row(0));
    builder.end();
    last = ts;
  }
  return {builder.finish(), {}, row_cursor::end_of({last})};
}

/// Commit timestamps of the rows that the items still have.
inline std::vector<std::uint64_t>
commits_of(const std::vector<write_item>& items) {
  auto result = std::vector<std::uint64_t>{};
  for (const auto& x : items)
    for (std::uint32_t i = 0; i < x.count; ++i)
      result.push_back(x.block->grouped(x.first + i).commit_ts().value);
  return result;
}

} // namespace sluice::samples
