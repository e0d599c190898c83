#pragma once

#include <array>
#include <deque>
#include <functional>

#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"
#include "tests/simulation/world/choices.hpp"
#include "tests/simulation/world/options.hpp"

namespace sluice::simulation {

/// How often each fault was put in.
using fault_counts = std::array<std::uint64_t, faults>;

/// One direction of a link: messages wait until the world lets one arrive.
class lane {
public:
  using arrival = std::function<void()>;

  /// @param kept Must not get lost: nothing would send it again.
  void put(arrival x, bool kept = false) {
    waiting_.push_back({std::move(x), kept});
  }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  void clear() { waiting_.clear(); }

  /// The next message arrives, or what the faults make of it.
  /// @param lost Which fault loses one of this lane. @pre Not empty.
  void step(const schedule_options& how, fault lost, choices& choose,
            fault_counts& count) {
    auto happens = [&](fault x) {
      if (how.of(x) == 0 || !choose.percent(how.of(x)))
        return false;
      ++count[static_cast<std::size_t>(x)];
      return true;
    };
    auto at = std::size_t{0};
    if (waiting_.size() > 1 && !waiting_[0].kept && !waiting_[1].kept
        && happens(fault::overtake))
      at = 1; // of its neighbour only
    auto x = waiting_[at];
    if (x.kept || !happens(fault::repeat)) // else it comes once more
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
    if (!x.kept && happens(lost))
      return;
    x.what();
  }
  /// The next message arrives.
  void step() {
    auto x = std::move(waiting_.front());
    waiting_.pop_front();
    x.what();
  }

private:
  struct message {
    arrival what;
    bool kept = false;
  };
  std::deque<message> waiting_;
};

/// What stands in for an actor on the other side of a link: each message that
/// it is sent goes to a function.
template <class Signature, class Forward>
struct forwarder;
template <class In, class... More, class... Out, class Forward>
struct forwarder<caf::typed_mpi<caf::detail::type_list<In, More...>,
                                caf::output_tuple<Out...>>,
                 Forward> {
  Forward forward;

  auto operator()(const In& x, const More&...) const {
    if constexpr (std::is_invocable_v<const Forward&, const In&>)
      forward(x);
    using first = caf::detail::tl_head_t<caf::detail::type_list<Out..., void>>;
    if constexpr (!std::is_void_v<first>)
      return first{};
  }
};

template <class Handle, class Signatures = typename Handle::signatures>
struct stand_in;
template <class Handle, class... Signatures>
struct stand_in<Handle, caf::detail::type_list<Signatures...>> {
  template <class Forward>
  static typename Handle::behavior_type make(typename Handle::pointer,
                                             Forward forward) {
    return {forwarder<Signatures, Forward>{forward}...};
  }
};

} // namespace sluice::simulation
