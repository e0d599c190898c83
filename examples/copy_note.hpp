#pragma once

#include <string>

#include <fmt/format.h>

#include "messages/control.hpp"

/// What is said of a copy of tables:
/// `copying public.t: 500 of about 2000; all: 5000 of about 20000, 2500/s, 6 s
/// left`. @pre One goes on.
[[nodiscard]] inline std::string copy_note(const sluice::source_status& x) {
  auto result = fmt::format("copying {}: {}", x.copying, x.copied);
  if (x.copy_total > 0)
    result += fmt::format(" of about {}", x.copy_total);
  if (x.copied_all > 0)
    result += fmt::format("; all: {} of about {}", x.copied_all,
                          x.copy_all_total);
  if (x.copy_rate > 0)
    result += fmt::format(", {}/s", x.copy_rate);
  if (x.copy_seconds_left > 0)
    result += fmt::format(", {} s left", x.copy_seconds_left);
  return result;
}
