#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "messages/ids.hpp"

namespace sluice {

/// What stays of a log beyond what somebody needs: rows that are younger than
/// `age` and among the newest `bytes`.
struct retention_budget {
  std::chrono::seconds age{0}; ///< 0: nothing.
  std::uint64_t bytes = std::numeric_limits<std::uint64_t>::max();

  friend bool operator==(const retention_budget&,
                         const retention_budget&) = default;
};

/// What a budget comes to; in whole segments, so somewhat more stays.
struct retained_rows {
  timestamp floor; ///< Rows <= it are not kept by the budget.
  /// How long until time alone raises the floor; nothing: never.
  std::optional<std::chrono::seconds> next;

  friend bool operator==(const retained_rows&, const retained_rows&) = default;
};

} // namespace sluice
