#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "messages/credit.hpp"
#include "messages/delivery.hpp"
#include "messages/heartbeat.hpp"
#include "messages/registration.hpp"
#include "messages/reset.hpp"
#include "messages/schema_book.hpp"
#include "messages/watermark.hpp"
#include "tests/simulation/world/history.hpp"
#include "tests/simulation/world/rules.hpp"

namespace sluice::simulation {

/// Listens at both ends of a channel, before anything can get lost, and
/// compares what is said with the history: the protocol as the specification
/// has it, with no help from the states that carry it out.
class wire {
public:
  wire(const history& truth, rules& checks) : truth_{truth}, checks_{checks} {
    // nop
  }

  // -- as DISPATCHER_SHARD says it --------------------------------------------

  void on_down(const ready& x);
  void on_down(const handshake& x);
  void on_down(const delivery& x);
  void on_down(const schema_change& x);
  void on_down(const watermark& x);
  void on_down(const refused& x);
  void on_down(const digest& x) { (void) enter(x.mark); }
  void on_down(const syncpoint& x) { (void) enter(x.mark); }
  template <class Message>
  void on_down(const Message&) {
    // says nothing about rows
  }

  // -- as COLLECTOR_SHARD says it ---------------------------------------------

  void on_up(const register_dispatchers& x);
  void on_up(const reset_streams& x);
  void on_up(const heartbeat& x);
  void on_up(const credit& x);
  template <class Message>
  void on_up(const Message&) {
    // says nothing about rows
  }

  /// DISPATCHER_SHARD forgets them: its channel makes them no promise.
  void on_removed(const std::vector<registration_id>& ids);
  /// It has those; they take the place of earlier ones.
  void on_registered(const register_dispatchers& x);

  /// What was said to the end that is gone was not heard: nothing is known of
  /// a stream until its next handshake.
  void on_cut();

  /// On its way the reset became one that asks for less.
  void on_asked_for_less(const reset_entry& x) {
    lives_[x.registration].reset_ts = x.reset_ts;
  }

private:
  struct stream {
    registration_id registration;
    epoch now; ///< 0: no handshake was heard.
    timestamp lower;
    sequence seq;
    timestamp complete; ///< Promised, but for what the channel promises.
    bool in_sync = false;
    row_cursor cut; ///< End of the last cut.
    row_cursor highest;
    std::map<std::uint64_t, std::size_t> next; ///< Row, by table.
  };
  struct account {             // of a feed, on the channel
    std::uint64_t granted = 0; ///< Most that was.
    std::uint64_t limit = std::numeric_limits<std::uint64_t>::max(); ///< Least.
    std::uint64_t sent = 0;
  };
  struct life_of { // a registration
    registration who;
    epoch asked;
    timestamp reset_ts;
    timestamp own; ///< Most that COLLECTOR_SHARD itself asked for.
    timestamp reported;
    bool removed = false;
  };

  void open(channel_id channel);
  bool enter(const channel_mark& mark, std::uint64_t rows = 0);
  void take_grants(const std::vector<feed_grant>& granted);
  void check_sent(const std::vector<feed_total>& sent, std::uint64_t rows);
  stream* current(slot of, epoch in, const char* what);
  void take_item(const delivery_item& x);
  void take_cohort(feed_id feed, const cohort_rows& x);
  void take_row(stream& of, const row_view& row);
  [[nodiscard]] row_cursor due(const stream& of, std::uint64_t table) const;
  [[nodiscard]] bool is_next(const stream& of, const row_view& row) const;
  void check_promise(const stream& of);
  void check_not_less(const channel_promise& x);
  [[nodiscard]] timestamp promised(const stream& x) const;
  [[nodiscard]] std::size_t next(const stream& of, std::uint64_t table) const;

  const history& truth_;
  rules& checks_;
  channel_id channel_;
  channel_seq seq_;
  bool cut_ = false;    // since the channel was opened
  bool missed_ = false; // handshakes, on this channel
  bool skip_ = false;   // messages before the next one
  channel_promise promise_;
  std::map<feed_id, account> accounts_;
  std::map<slot, stream> streams_;
  std::map<registration_id, life_of> lives_;
  timestamp bulk_; // highest that heartbeats of this channel said
};

} // namespace sluice::simulation
