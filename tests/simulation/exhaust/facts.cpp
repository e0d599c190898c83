#include "tests/simulation/exhaust/facts.hpp"

#include <algorithm>
#include <string>

namespace sluice::exploration {

namespace {

ddl_event event(std::uint64_t table, std::uint64_t version, std::uint64_t ts) {
  auto schema = table_schema{{table},
                             "t" + std::to_string(table),
                             {version},
                             {ts},
                             {{"id", "integer", 1}}};
  return {std::move(schema), {ts}, false};
}

} // namespace

void facts::add_table(std::uint64_t table) {
  ddl_[{table}].push_back(event(table, 1, 0));
  rows_[{table}];
}

void facts::add_ddl(std::uint64_t table, std::uint64_t ts, bool dropped) {
  auto& known = ddl_.at({table});
  known.push_back(event(table, known.size() + 1, ts));
  known.back().dropped = dropped;
}

void facts::add_block(std::initializer_list<row_at> rows,
                      std::uint64_t resolved) {
  auto block = row_block_builder{};
  for (const auto& x : rows) {
    auto id = value_view::of_integer(static_cast<std::int64_t>(x.ts));
    auto header = row_header{};
    header.table = {x.table};
    header.cursor = {{x.ts}, {x.start == 0 ? x.ts : x.start}, 0};
    header.schema = {x.version};
    block.add(header, {true}, {}, {&id, 1});
    block.end();
    rows_.at({x.table}).push_back(header.cursor);
  }
  appends_.push_back({block.empty() ? nullptr : block.finish(), {resolved}});
}

const std::vector<row_cursor>& facts::rows(table_id table) const {
  return rows_.at(table);
}

std::size_t facts::rows_to(table_id table, timestamp ts) const {
  const auto& all = rows_.at(table);
  return static_cast<std::size_t>(
    std::upper_bound(all.begin(), all.end(), row_cursor::end_of(ts))
    - all.begin());
}

schema_version facts::version_at(table_id table, timestamp ts) const {
  auto result = schema_version{};
  for (const auto& x : ddl_.at(table))
    if (x.ts <= ts)
      result = x.schema.version;
  return result;
}

table_info facts::info(table_id table) const {
  return {table, ddl_.at(table).front().schema.name, {1}, {}};
}

} // namespace sluice::exploration
