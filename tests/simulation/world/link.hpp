#pragma once

#include <deque>
#include <functional>
#include <memory>

#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"
#include "tests/simulation/world/options.hpp"

namespace sluice::simulation {

/// One direction of a link: messages wait until the world lets one arrive.
class lane {
public:
  using arrival = std::function<void()>;

  /// @param kept Must not get lost: nothing would send it again.
  void put(arrival x, bool kept) { waiting_.push_back({std::move(x), kept}); }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  void clear() { waiting_.clear(); }

  struct counters {
    std::uint64_t arrived = 0;
    std::uint64_t lost = 0;
    std::uint64_t repeated = 0;
    std::uint64_t overtaken = 0;
  };
  /// The next message arrives, or what the faults make of it.
  /// @pre Not empty.
  void step(const fault_options& faults, dice& luck, counters& count) {
    auto at = std::size_t{0};
    if (waiting_.size() > 1 && luck.percent(faults.overtake)) {
      at = 1; // of its neighbour only: also FIFO links do worse by a cut
      if (waiting_[0].kept || waiting_[1].kept)
        at = 0;
      count.overtaken += at;
    }
    auto x = waiting_[at];
    if (luck.percent(faults.repeat) && !x.kept)
      ++count.repeated; // it stays, and comes once more
    else
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
    if (!x.kept && luck.percent(faults.lose)) {
      ++count.lost;
      return;
    }
    ++count.arrived;
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
