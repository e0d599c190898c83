#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "messages/row.hpp"

namespace sluice {

/// How many rows of [first, first + count) of the grouped order are <= `to`.
/// @pre They are of one table.
[[nodiscard]] inline std::uint32_t rows_up_to(const row_block& block,
                                              std::uint32_t first,
                                              std::uint32_t count,
                                              row_cursor to) {
  if (count == 0 || block.grouped(first).cursor() > to)
    return 0; // by far the most frequent
  auto low = std::uint32_t{0};
  while (count > 0) { // the first row after `to`
    auto half = count / 2;
    if (block.grouped(first + low + half).cursor() <= to) {
      low += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return low;
}

/// The first run of `table`, or where it would be.
/// @param hint Perhaps that one.
[[nodiscard]] inline std::size_t first_run(const row_block& block,
                                           table_id table, std::size_t hint) {
  const auto& runs = block.runs();
  if (hint < runs.size() && runs[hint].table == table
      && (hint == 0 || runs[hint - 1].table < table))
    return hint;
  auto found = std::partition_point(
    runs.begin(), runs.end(),
    [&](const block_run& x) { return x.table < table; });
  return static_cast<std::size_t>(found - runs.begin());
}

[[nodiscard]] inline std::uint64_t
bytes_of(const row_block& block, std::uint32_t first, std::uint32_t count) {
  auto result = std::uint64_t{0};
  for (std::uint32_t i = 0; i < count; ++i)
    result += block.grouped(first + i).size_bytes();
  return result;
}

/// A reference pins the whole block, so it must use at least half of it.
[[nodiscard]] inline bool worth_pinning(const row_block& block,
                                        std::uint64_t used) {
  return used * 2 >= block.footprint();
}

} // namespace sluice
