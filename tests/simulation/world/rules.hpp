#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace sluice::simulation {

/// What must hold. I: an invariant of tests/README.md; N, L: ours.
enum class rule : std::uint8_t {
  i1,  ///< A checkpoint never decreases inside a registration.
  i2,  ///< A target's position speaks only of rows that it has.
  i4,  ///< A reset sets everything from L = max(asked, checkpoint).
  i8,  ///< The next row of a table, without gap, repeat or disorder.
  i11, ///< An epoch rises with each reset.
  i12, ///< A checkpoint speaks only of rows that the target has.
  n1,  ///< No part of a transaction is committed in the order of those.
  l1,  ///< Without faults everybody gets everything, soon.
};

inline constexpr auto rule_names = std::array{"I1",  "I2",  "I4", "I8",
                                              "I11", "I12", "N1", "L1"};

struct violation {
  rule broken = rule::i1;
  std::string what;
};

/// Counts how often each rule was looked at: one that never was proves
/// nothing.
class rules {
public:
  using counters = std::array<std::uint64_t, rule_names.size()>;

  /// @param what Says what was seen; called for the first violation only.
  template <class What>
  void check(rule x, bool holds, What what) {
    ++evaluations_[static_cast<std::size_t>(x)];
    if (!holds && !broken_)
      broken_ = violation{x, what()};
  }
  [[nodiscard]] const std::optional<violation>& broken() const {
    return broken_;
  }
  [[nodiscard]] const counters& evaluations() const { return evaluations_; }

private:
  std::optional<violation> broken_;
  counters evaluations_{};
};

} // namespace sluice::simulation
