#pragma once

#include <cstdint>
#include <cstdlib>

namespace sluice::test {

/// The number in a variable of the environment.
inline std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const auto* given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

} // namespace sluice::test
