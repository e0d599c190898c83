#pragma once

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <vector>

#include <caf/scheduled_actor.hpp>

#include "tests/simulation/world/choices.hpp"
#include "tests/simulation/world/options.hpp"

namespace sluice::simulation {

/// Everybody who is ready: this system has neither threads nor brokers.
inline caf::scheduled_actor& actor_of(caf::resumable* x) {
  return static_cast<caf::scheduled_actor&>(*x);
}

/// Chooses among ready actors by a policy and a seed. Messages of one sender
/// to one receiver keep their order, whatever is chosen.
class scheduler {
public:
  using ready_list = std::deque<caf::resumable*>;

  /// @param steps_about How long a schedule is: PCT's change points lie in it.
  scheduler(policy order, std::uint64_t seed, std::uint64_t steps_about)
    : order_{order}, luck_{seed} {
    auto depth = 2 + luck_.roll(4);
    for (std::uint64_t i = 1; order == policy::pct && i < depth; ++i)
      change_at_.push_back(luck_.roll(std::max<std::uint64_t>(steps_about, 1)));
    std::sort(change_at_.begin(), change_at_.end());
  }

  /// @pre `ready` is not empty.
  [[nodiscard]] std::size_t choose(const ready_list& ready, choices& choose) {
    if (ready.size() == 1)
      return 0;
    return choose.decide(ready.size(), [&] { return by_policy(ready); });
  }

private:
  std::size_t by_policy(const ready_list& ready) {
    ++steps_;
    if (order_ == policy::fifo)
      return 0;
    if (order_ == policy::random)
      return luck_.roll(ready.size());
    auto best = highest(ready);
    if (order_ == policy::pos) {
      priorities_.erase(id_of(ready[best])); // its next message draws anew
    } else if (!change_at_.empty() && steps_ >= change_at_.front()) {
      change_at_.pop_front();
      priorities_[id_of(ready[best])] = lowest_--; // below all others
      best = highest(ready);
    }
    return best;
  }
  std::size_t highest(const ready_list& ready) {
    auto result = std::size_t{0};
    for (std::size_t i = 0; i < ready.size(); ++i)
      if (priority_of(ready[i]) > priority_of(ready[result]))
        result = i;
    return result;
  }
  // Not by address: one that has ended may leave it to another actor.
  static caf::actor_id id_of(caf::resumable* x) { return actor_of(x).id(); }
  std::int64_t priority_of(caf::resumable* x) {
    auto [found, added] = priorities_.try_emplace(id_of(x), 0);
    if (added)
      found->second = static_cast<std::int64_t>(luck_.next() >> 2);
    return found->second;
  }

  policy order_;
  test::dice luck_;
  std::uint64_t steps_ = 0; // with a choice
  std::deque<std::uint64_t> change_at_;
  std::int64_t lowest_ = -1;
  // Looked up only, never walked: its order has no say.
  std::unordered_map<caf::actor_id, std::int64_t> priorities_;
};

} // namespace sluice::simulation
