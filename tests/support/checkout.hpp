#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace sluice::test {

/// A file of the checkout. ctest says where that is; by hand a test is run at
/// its top. Not by `__FILE__`, which ccache makes relative.
/// @param name Relative to the top.
[[nodiscard]] inline std::string checkout_file(const std::string& name) {
  const auto* top = std::getenv("SLUICE_SOURCE_DIR");
  return (std::filesystem::path{top == nullptr ? "." : top} / name).string();
}

} // namespace sluice::test
