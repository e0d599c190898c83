#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/simulation/world/options.hpp"

namespace sluice::simulation {

/// What must hold, with the names of docs/failure_analysis.md.
enum class rule : std::uint8_t {
  i1,   ///< A checkpoint never decreases inside a registration.
  i2,   ///< What a target has stored as its position is true.
  i3,   ///< No scan starts below what the store has.
  i4,   ///< A reset sets everything from L = max(asked, checkpoint).
  i5,   ///< What is promised to be complete is: nothing <= it follows.
  i6,   ///< A handshake is the first of its epoch, and the only one.
  i7,   ///< Sequences have no gap and no repetition.
  i8,   ///< The next row of a table, without gap, repeat or disorder.
  i11,  ///< An epoch rises with each reset.
  i12,  ///< A checkpoint speaks only of rows that were sent in its epoch ...
  i12d, ///< ... and are durable at the target.
  i13,  ///< What was reported is not taken back.
  i14,  ///< A reset asks for no less than what was reported.
  i15,  ///< L is neither below what was asked nor above all reports.
  i18,  ///< Credit comes back, whatever became of the rows.
  i18g, ///< No more is sent than was granted, but for one row that is larger.
  i23,  ///< One scan at a time per stream.
  i25,  ///< Nothing is sent before the first reset.
  i30,  ///< Both sides have the same registrations.
  c1,   ///< With confirm = sinks, what is confirmed is at the target.
  es18, ///< The store lets go of no row that a feed needs.
  ss11, ///< Each row comes with the schema of its time.
  n1,   ///< No part of a transaction is committed in the order of those.
  l1,   ///< When nothing fails any more everybody gets everything, soon.
};

inline constexpr auto rule_names = std::array{
  "I1",  "I2",  "I3",   "I4",  "I5",    "I6",    "I7",  "I8",
  "I11", "I12", "I12d", "I13", "I14",   "I15",   "I18", "I18g",
  "I23", "I25", "I30",  "C1",  "ES-18", "SS-11", "N1",  "L1"};

[[nodiscard]] inline const char* to_string(rule x) {
  return rule_names[static_cast<std::size_t>(x)];
}

struct violation {
  violation(rule x, std::string why) : broken{x}, what{std::move(why)} {
    // nop
  }
  rule broken;
  std::string what;
};

/// Counts how often each rule was looked at: one that never was proves
/// nothing. And how often rare situations were reached.
class rules {
public:
  using counters = std::array<std::uint64_t, rule_names.size()>;

  explicit rules(planted violation = planted::nothing) : violation_{violation} {
    // nop
  }

  /// @param what Says what was seen; called for the first violation only.
  template <class What>
  void check(rule x, bool holds, What what) {
    ++evaluations_[static_cast<std::size_t>(x)];
    if (!holds && !broken_)
      broken_.emplace(x, what());
  }
  [[nodiscard]] const std::optional<violation>& broken() const {
    return broken_;
  }
  [[nodiscard]] const counters& evaluations() const { return evaluations_; }

  /// Whether to put this violation in, now; true once at most.
  bool plants(planted what) {
    if (violation_ != what || planted_)
      return false;
    planted_ = true;
    return true;
  }
  /// What was put in is gone with a transaction: the next occasion counts.
  void withdraw() { planted_ = false; }
  /// It was put in.
  [[nodiscard]] bool planted_one() const { return planted_; }

  /// A situation that tests should reach was reached. @param what A literal.
  void probe(std::string_view what) { ++probes_[what]; }
  [[nodiscard]] const std::map<std::string_view, std::uint64_t>&
  probes() const {
    return probes_;
  }

private:
  planted violation_;
  bool planted_ = false;
  std::optional<violation> broken_;
  counters evaluations_{};
  std::map<std::string_view, std::uint64_t> probes_;
};

} // namespace sluice::simulation
