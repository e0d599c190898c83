#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/row.hpp"
#include "messages/schema.hpp"
#include "messages/schema_book.hpp"

/// Blocks and schemas with numbers that are easy to read.
namespace sluice::test {

/// All tables, each in its own order.
inline feed_rules per_table() {
  return {{"*"}, {}, feed_order::table};
}

/// A row of table `table`, committed at `ts`; or an end mark.
struct sample {
  std::uint64_t table = 0; ///< 0: an end mark.
  std::uint64_t ts = 0;
  std::uint64_t position = 0;
};

inline constexpr sample end_mark{};

inline block_ptr block_of(const std::vector<sample>& rows) {
  auto result = row_block_builder{};
  for (const auto& x : rows) {
    if (x.table == 0) {
      result.end();
      continue;
    }
    auto id = value_view::of_integer(static_cast<std::int64_t>(x.ts));
    auto header = row_header{};
    header.table = {x.table};
    header.cursor = {{x.ts}, {x.ts}, x.position};
    header.schema = {1};
    result.add(header, {true}, {}, {&id, 1});
  }
  return result.finish();
}

/// The commit_ts of all rows, in order.
inline std::vector<std::uint64_t> times(const block_ptr& block) {
  auto result = std::vector<std::uint64_t>{};
  for (std::size_t i = 0; block != nullptr && i < block->rows(); ++i)
    result.push_back(block->row(i).commit_ts().value);
  return result;
}

/// The rows of a delivery, or of a batch for a sink, one after the other.
template <class Message, class F>
void each_row(const Message& x, F f) {
  for (const auto& item : x.items)
    for (std::uint32_t i = 0; i < item.count; ++i)
      f(item.block->grouped(item.first + i));
  for (const auto& rows : x.cohort)
    for_each_run(rows, [&](const block_run& run) {
      for (std::uint32_t i = 0; i < run.count; ++i)
        f(rows.block->grouped(run.first + i));
    });
}

inline ddl_event ddl(std::uint64_t table, std::uint64_t version,
                     std::uint64_t ts) {
  auto schema = table_schema{{table},
                             "t" + std::to_string(table),
                             {version},
                             {ts},
                             {{"id", "integer", 1}}};
  return {std::move(schema), {ts}, false};
}

/// One message with these schemas, all in one partition.
inline declare_schemas declaration_of(const std::vector<ddl_event>& events,
                                      std::uint64_t number = 1,
                                      partition_id partition = {1}) {
  auto result = declare_schemas{number, false, {}};
  for (const auto& event : events)
    result.schemas.push_back({event, partition});
  return result;
}

} // namespace sluice::test
