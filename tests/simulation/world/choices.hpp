#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "tests/support/dice.hpp"

namespace sluice::simulation {

/// Every decision of a schedule, in order. They come from a seed, or from a
/// list: then the schedule is that of the list, and plain from its end on.
/// 0 is always the plain decision: nobody fails, the first in line goes on. So
/// a list with fewer and smaller numbers is a simpler schedule.
class choices {
public:
  explicit choices(std::uint64_t seed) : luck_{seed} {
    // nop
  }
  explicit choices(std::vector<std::uint32_t> given)
    : luck_{0}, given_{std::move(given)}, replays_{true} {
    // nop
  }

  /// 0 to n - 1, each as likely.
  std::uint64_t roll(std::uint64_t n) {
    return decide(n, [&] { return luck_.roll(n); });
  }
  bool percent(std::uint64_t p) { return roll(100) + p >= 100; }
  /// As `draw` says, 0 to n - 1, or as the list says.
  template <class Draw>
  std::uint64_t decide(std::uint64_t n, Draw draw) {
    auto result = replays_ ? given(n) : draw();
    taken_.push_back(static_cast<std::uint32_t>(result));
    return result;
  }
  [[nodiscard]] const std::vector<std::uint32_t>& taken() const {
    return taken_;
  }

private:
  std::uint64_t given(std::uint64_t n) {
    auto at = taken_.size();
    return at < given_.size() ? given_[at] % n : 0;
  }

  test::dice luck_;
  std::vector<std::uint32_t> given_;
  bool replays_ = false;
  std::vector<std::uint32_t> taken_;
};

} // namespace sluice::simulation
