#pragma once

#include <chrono>

namespace sluice {

[[nodiscard]] inline std::chrono::seconds unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

} // namespace sluice
