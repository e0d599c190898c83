#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include <fmt/format.h>

#include "messages/control.hpp"

/// How fast tables are copied, and how long the one at hand will take.
class copy_pace {
public:
  /// `copying public.t: 5000 of about 20000, 2500/s, 6 s left`
  [[nodiscard]] std::string note(const sluice::source_status& x) {
    auto result = fmt::format("copying {}: {}", x.copying, x.copied);
    if (x.copy_total > 0)
      result += fmt::format(" of about {}", x.copy_total);
    // Several tables are copied at once: each has its own pace.
    auto now = clock::now();
    auto& begun =
      begun_.try_emplace(x.copying, begin{now, x.copied}).first->second;
    if (x.copied < begun.rows)
      begun = {now, x.copied}; // It began again.
    auto passed = std::chrono::duration<double>(now - begun.at).count();
    auto rate = static_cast<double>(x.copied - begun.rows) / passed;
    if (passed < 0.5 || rate < 1)
      return result;
    result += fmt::format(", {:.0f}/s", rate);
    if (x.copy_total > x.copied)
      result += fmt::format(
        ", {:.0f} s left", static_cast<double>(x.copy_total - x.copied) / rate);
    return result;
  }

private:
  using clock = std::chrono::steady_clock;
  struct begin {
    clock::time_point at;
    std::uint64_t rows = 0;
  };
  std::map<std::string, begin> begun_;
};
