#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "scenario.hpp"

/// The other design: handlers run in threads and share a dispatcher's state by
/// atomics, as in TiCDC's event service: a reset makes a new state and swaps a
/// pointer; a scan works with the state that it found there. A model of it:
/// each atomic load, store and compare-and-swap is a step of its own, and any
/// thread may run between two steps. Memory is sequentially consistent: what is
/// stored, all threads see at once. Weaker orders can only add schedules.
namespace mailbox_vs_cas {

/// What of the history of the bug is in a variant.
struct design {
  bool single_bound = false; ///< Else startTs is a second lower bound.
  bool swaps = false;        ///< A heartbeat raises by compare-and-swap.
  bool rebuilds = false;     ///< A reset that has to retry reads anew.
  bool checks_epoch = false; ///< A heartbeat of another epoch is void.
  bool one_thread = false;   ///< Resets and heartbeats share one.
  bool row_first = false;    ///< A new row is published before its resolved.
};

class shared_state {
public:
  static constexpr std::size_t handlers = 4; // resets, heartbeats
  using order = std::array<std::size_t, handlers>;
  using chain_set = std::bitset<7>;

  /// @param in_order Of the handlers' chains, where they share a thread.
  /// @param running The chains that run; the others never begin.
  explicit shared_state(const design& how, const order& in_order = {},
                        chain_set running = ~chain_set{})
    : how_{how}, order_{in_order}, running_{running} {
    states_[0] = {1, first_checkpoint, old_resolved, true, false};
  }

  // -- what the explorer asks -------------------------------------------------

  [[nodiscard]] std::size_t chains() const { return all_chains; }
  [[nodiscard]] bool enabled(std::size_t chain) const {
    if (!running_[chain])
      return false;
    if (chain < handlers)
      return at_[chain] != ended
             && (!how_.one_thread || order_[turn_] == chain);
    if (chain == scan_chain && at_[chain] == 0)
      return scans_ < scans_max && has_work(states_[current_]);
    return at_[chain] != ended;
  }
  /// Accesses of one place, unless both read; and what the checker sees.
  [[nodiscard]] bool dependent(std::size_t a, std::size_t b) const {
    auto x = next_access(a);
    auto y = next_access(b);
    return (x.what == y.what && x.of == y.of && (x.writes || y.writes))
           || (moves_checkpoint(x) && (moves_checkpoint(y) || begins_scan(b)))
           || (moves_checkpoint(y) && begins_scan(a));
  }
  void step(std::size_t chain) {
    if (chain < first_heartbeat)
      step_reset(chain);
    else if (chain < handlers)
      step_heartbeat(chain);
    else if (chain == notification_chain)
      step_notification();
    else if (chain == scan_chain)
      step_scan();
    else
      step_report();
    if (how_.one_thread && chain < handlers && at_[chain] == ended)
      ++turn_;
  }
  [[nodiscard]] std::string describe(std::size_t chain) const;
  [[nodiscard]] std::vector<std::string> broken() const {
    return checker_.broken();
  }

  // -- for the search of the shortest schedule --------------------------------

  [[nodiscard]] bool saw(std::size_t kind) const { return checker_.saw(kind); }
  /// Two with equal keys go on alike.
  [[nodiscard]] auto key() const {
    return std::tuple{at_,     local_,   turn_,     scans_,  checker_.key(),
                      states_, current_, resolved_, commit_, floor_};
  }

private:
  static constexpr std::size_t first_heartbeat = 2;
  static constexpr std::size_t notification_chain = 4;
  static constexpr std::size_t scan_chain = 5;
  static constexpr std::size_t report_chain = 6;
  static constexpr std::size_t all_chains = report_chain + 1;
  static constexpr int ended = -1;
  static constexpr int scans_max = 2; // keeps the number of schedules small

  // One epoch's. `sent` is written by the scan only.
  struct state {
    std::uint64_t epoch = 0;
    ts checkpoint = 0;
    ts sent = 0; // its first value is the lower bound
    bool shook_hands = false;
    bool failed = false; // the store refused its scan

    friend auto operator<=>(const state&, const state&) = default;
  };
  // What one thread remembers between two steps.
  struct local {
    std::size_t found = 0; // the state it works with
    bool built = false;    // the new one, of a reset
    ts seen = 0;           // a checkpoint
    ts from = 0;
    ts to = 0;
    ts known = 0;
    bool reads = false;

    friend auto operator<=>(const local&, const local&) = default;
  };
  enum class place { pointer, checkpoint, sent, resolved, commit, store };
  struct access {
    place what;
    bool writes;
    std::size_t of = 0;
  };

  [[nodiscard]] bool has_work(const state& x) const {
    return !x.failed && x.sent < resolved_;
  }
  [[nodiscard]] static bool moves_checkpoint(const access& x) {
    return x.writes
           && (x.what == place::pointer || x.what == place::checkpoint);
  }
  [[nodiscard]] bool begins_scan(std::size_t chain) const {
    return chain == scan_chain && at_[chain] == 0;
  }
  [[nodiscard]] access next_access(std::size_t chain) const;
  [[nodiscard]] std::string value(const access& x) const;

  void see_checkpoint() {
    checker_.on_checkpoint(states_[current_].checkpoint);
  }
  void step_reset(std::size_t chain);
  void build(std::size_t chain);
  void step_heartbeat(std::size_t chain);
  void step_notification();
  void step_scan();
  void send(const local& scan);
  void step_report();

  design how_;
  order order_;
  chain_set running_;
  std::size_t turn_ = 0;
  std::array<int, all_chains> at_{}; // next step of each chain
  std::array<local, all_chains> local_{};
  int scans_ = 0;
  checker checker_;

  // shared
  std::array<state, 1 + resets.size()> states_{};
  std::size_t current_ = 0; // the pointer
  ts resolved_ = old_resolved;
  ts commit_ = old_commit; // the latest row's
  ts floor_ = first_checkpoint;
};

// -- reset: find the state, read its checkpoint, swap the new one in ----------

inline void shared_state::step_reset(std::size_t chain) {
  auto& mine = local_[chain];
  auto& at = at_[chain];
  if (at == 0) {
    mine.found = current_;
    if (resets[chain].epoch <= states_[current_].epoch)
      at = ended; // overtaken
    else
      at = mine.built && !how_.rebuilds ? 2 : 1;
  } else if (at == 1) {
    build(chain);
    at = 2;
  } else if (current_ == mine.found) {
    current_ = chain + 1;
    at = ended;
    see_checkpoint();
  } else {
    at = 0; // another reset was faster
  }
}

// The new state is nobody else's yet. The schema is looked up now, which takes
// its time, but touches nothing that is shared.
inline void shared_state::build(std::size_t chain) {
  auto& mine = local_[chain];
  auto seen = states_[mine.found].checkpoint;
  auto from = resets[chain].reset_ts;
  if (how_.single_bound)
    from = seen = std::max(from, seen);
  states_[chain + 1] = {resets[chain].epoch, seen, from, false, false};
  mine.built = true;
}

// -- heartbeat: find the state, compare, raise --------------------------------

inline void shared_state::step_heartbeat(std::size_t chain) {
  const auto& message = heartbeats[chain - first_heartbeat];
  auto& mine = local_[chain];
  auto& at = at_[chain];
  if (at == 0) {
    mine.found = current_;
    auto other = states_[current_].epoch != message.epoch;
    at = how_.checks_epoch && other ? ended : 1;
  } else if (at == 1) {
    mine.seen = states_[mine.found].checkpoint;
    at = message.checkpoint <= mine.seen ? ended : 2;
  } else if (how_.swaps && states_[mine.found].checkpoint != mine.seen) {
    at = 1;
  } else {
    states_[mine.found].checkpoint = message.checkpoint;
    at = ended;
    see_checkpoint();
  }
}

// -- notification: two values, one after the other ----------------------------

inline void shared_state::step_notification() {
  auto& at = at_[notification_chain];
  if ((at == 0) == how_.row_first)
    commit_ = new_commit;
  else
    resolved_ = new_resolved;
  at = at == 0 ? 1 : ended;
}

// -- scan: take the range, read the store, send -------------------------------

inline void shared_state::step_scan() {
  auto& mine = local_[scan_chain];
  auto& at = at_[scan_chain];
  const auto& found = states_[mine.found];
  switch (at++) {
    case 0:
      mine.found = current_;
      mine.known = checker_.checkpoint();
      mine.from = states_[current_].sent;
      if (!how_.single_bound)
        at = 2;
      break;
    case 1:
      mine.from = std::max(found.sent, found.checkpoint);
      break;
    case 2:
      mine.to = resolved_;
      break;
    case 3: // no row after `from`: nothing to be read
      mine.reads = commit_ > mine.from;
      if (!mine.reads)
        at = 5;
      break;
    case 4:
      if (mine.from >= floor_)
        break;
      // Here TiCDC's store ends the process. The rest goes on, so that all
      // violations of a schedule are counted.
      checker_.on_below_floor();
      states_[mine.found].failed = true;
      at = 0;
      ++scans_;
      break;
    default:
      send(mine);
      at = 0;
      ++scans_;
  }
}

inline void shared_state::send(const local& scan) {
  auto& from = states_[scan.found];
  if (!std::exchange(from.shook_hands, true))
    checker_.on_handshake(from.epoch, scan.from);
  for (auto row : rows)
    if (scan.reads && row > scan.from && row <= scan.to)
      checker_.on_row(from.epoch, row, scan.known);
  checker_.on_resolved(from.epoch, scan.to);
  from.sent = std::max(from.sent, scan.to);
}

// -- report: what the store may delete; not more than was sent ----------------

inline void shared_state::step_report() {
  auto& mine = local_[report_chain];
  auto& at = at_[report_chain];
  if (at == 0) {
    mine.found = current_;
    at = 1;
  } else if (at == 1) {
    mine.seen = states_[mine.found].checkpoint;
    at = 2;
  } else if (at == 2) {
    at = mine.seen < states_[mine.found].sent ? 3 : ended;
  } else {
    floor_ = std::max(floor_, mine.seen);
    at = ended;
  }
}

// -- the same steps, as accesses ----------------------------------------------

inline shared_state::access shared_state::next_access(std::size_t chain) const {
  auto at = at_[chain];
  auto found = local_[chain].found;
  if (chain == notification_chain)
    return {(at == 0) == how_.row_first ? place::commit : place::resolved,
            true};
  if (at == 0)
    return {place::pointer, false};
  if (at == 1)
    return {place::checkpoint, false, found};
  if (chain < first_heartbeat)
    return {place::pointer, true};
  if (chain < handlers)
    return {place::checkpoint, true, found};
  if (chain == report_chain)
    return at == 2 ? access{place::sent, false, found}
                   : access{place::store, true};
  if (at == 2)
    return {place::resolved, false};
  if (at == 3)
    return {place::commit, false};
  return at == 4 ? access{place::store, false}
                 : access{place::sent, true, found};
}

} // namespace mailbox_vs_cas

#include "shared_state_text.hpp"
