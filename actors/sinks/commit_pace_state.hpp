#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace sluice {

/// When a sink wants its next tick. A tick "now" is a message to oneself: it
/// comes after everything that is in the mailbox already, so under load one
/// commit covers all of that (natural group commit), and without load it
/// comes at once.
///
/// Times are what the actor's clock says since its own epoch.
class commit_pace_state {
public:
  using duration = std::chrono::nanoseconds;

  /// Wants a tick at `due` or earlier.
  /// @returns how long to wait before sending it; nothing if one that comes
  ///          early enough is under way.
  [[nodiscard]] std::optional<duration> want(duration now, duration due) {
    if (soon_ || (later_ && *later_ <= std::max(due, now)))
      return std::nullopt;
    if (due <= now)
      soon_ = true;
    else
      later_ = due;
    return std::max(due - now, duration::zero());
  }

  /// A tick came. Which one is not said, so the worst is assumed: of two that
  /// are under way the other one still comes and finds nothing to do.
  void on_tick(duration now) {
    soon_ = false;
    if (later_ && *later_ <= now)
      later_.reset();
  }

private:
  bool soon_ = false;             // A tick without delay is under way.
  std::optional<duration> later_; // A delayed one is, for then.
};

} // namespace sluice
