#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

/// Numbers in files.
namespace sluice {

static_assert(std::endian::native == std::endian::little,
              "all numbers in the files are little-endian");

/// @pre They are there.
template <class T>
T load(std::string_view from, std::size_t at) noexcept {
  T result;
  std::memcpy(&result, from.data() + at, sizeof(T));
  return result;
}

template <class T>
void store(std::string& to, std::size_t at, T x) noexcept {
  std::memcpy(to.data() + at, &x, sizeof(T));
}

template <class T>
void put(std::string& to, T x) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &x, sizeof(T));
  to.append(bytes, sizeof(T));
}

} // namespace sluice
