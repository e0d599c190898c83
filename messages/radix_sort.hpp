#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice {

/// Sorts by `key(x)`, a std::uint64_t; what has the same key stays in order.
/// For ids and timestamps, which differ in a few of their bytes: those are
/// counted, where a sort that compares would guess wrong half of the time.
template <class T, class Key>
void radix_sort(std::vector<T>& xs, Key key) {
  auto differing = std::uint64_t{0};
  for (const auto& x : xs)
    differing |= key(x) ^ key(xs.front());
  auto sorted = std::vector<T>(differing == 0 ? 0 : xs.size());
  for (unsigned shift = 0; shift < 64; shift += 8) {
    if ((differing >> shift & 0xFF) == 0)
      continue;
    auto digit = [&](const T& x) {
      return static_cast<std::size_t>(key(x) >> shift & 0xFF);
    };
    auto begins = std::array<std::size_t, 257>{};
    for (const auto& x : xs)
      ++begins[digit(x) + 1];
    for (std::size_t i = 1; i < begins.size(); ++i)
      begins[i] += begins[i - 1];
    for (const auto& x : xs)
      sorted[begins[digit(x)]++] = x;
    xs.swap(sorted);
  }
}

} // namespace sluice
