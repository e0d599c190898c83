#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "messages/ids.hpp"

namespace sluice {

/// Numbers by table in one flat array: with 100,000 tables a look-up is one
/// cache miss, not the three of a chained hash table. Nothing is taken out.
class table_map {
public:
  static constexpr auto none = std::numeric_limits<std::uint64_t>::max();

  /// `none` if it has no number.
  [[nodiscard]] std::uint64_t find(table_id table) const {
    return slots_.empty() ? none : slots_[place_of(table)].number;
  }
  /// Sets it. @returns What it was before.
  std::uint64_t exchange(table_id table, std::uint64_t number) {
    if (size_ >= slots_.size() / 4 * 3)
      grow(2 * slots_.size());
    auto& x = slots_[place_of(table)];
    if (x.number == none)
      ++size_;
    x.table = table;
    return std::exchange(x.number, number);
  }
  /// Brings its place into the cache, for a look-up that follows soon.
  [[gnu::always_inline]] void prefetch(table_id table) const {
    if (!slots_.empty())
      __builtin_prefetch(&slots_[first_place_of(table)]);
  }
  /// Room for so many tables.
  void reserve(std::size_t tables) {
    if (tables >= slots_.size() / 4 * 3)
      grow(tables / 2 * 3);
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Whether `holds(table, number)` for all, which come in no order.
  template <class Predicate>
  [[nodiscard]] bool all_of(Predicate holds) const {
    for (const auto& x : slots_)
      if (x.number != none && !holds(x.table, x.number))
        return false;
    return true;
  }

private:
  struct slot {
    table_id table;
    std::uint64_t number = none; // that: a free place
  };

  [[nodiscard]] std::size_t first_place_of(table_id table) const {
    // Ids are dense; the multiplier is 2^64 / golden ratio.
    return static_cast<std::size_t>(table.value * 0x9E3779B97F4A7C15ULL
                                    >> shift_);
  }
  [[nodiscard]] std::size_t place_of(table_id table) const {
    auto i = first_place_of(table);
    while (slots_[i].table != table && slots_[i].number != none)
      i = (i + 1) & (slots_.size() - 1);
    return i;
  }
  void grow(std::size_t slots) {
    auto size = std::bit_ceil(slots < 16 ? std::size_t{16} : slots);
    auto old = std::exchange(slots_, std::vector<slot>(size));
    shift_ = 64 - std::countr_zero(size);
    for (const auto& x : old)
      if (x.number != none)
        slots_[place_of(x.table)] = x;
  }

  std::vector<slot> slots_; // a power of two
  int shift_ = 0;
  std::size_t size_ = 0;
};

} // namespace sluice
