#pragma once

#include <cstddef>
#include <cstdint>

#include "messages/ids.hpp"

namespace sluice {

/// Which of `count` partitions the rows of a table go to, counted from 0. A
/// pure function, so that every restart puts a table where its rows are.
/// @pre `count > 0`, and the same for the life of a log.
/// @source Finalizer of splitmix64 (Steele, Lea, Flood: "Fast Splittable
///         Pseudorandom Number Generators", 2014); table ids are dense.
[[nodiscard]] constexpr std::size_t partition_of(table_id table,
                                                 std::size_t count) noexcept {
  auto x = table.value + 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return static_cast<std::size_t>((x ^ (x >> 31)) % count);
}

} // namespace sluice
