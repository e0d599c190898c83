#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "actors/schema_store_state.hpp"
#include "tests/simulation/exhaust/collector_watch.hpp"
#include "tests/simulation/exhaust/message.hpp"
#include "tests/simulation/exhaust/shard_watch.hpp"
#include "tests/simulation/exhaust/store_side.hpp"

namespace sluice::exploration {

class world;

/// What happens by itself: one step of a chain.
struct event {
  std::string text;
  role_set touches; ///< Whose state it changes or looks at.
  std::function<void(world&)> act;
  /// Not before; never false again once it is true, and about `touches` only.
  std::function<bool(const world&)> when = {};
  std::optional<lane> takes = {}; ///< The head of that lane: it gets lost.
};
using events = std::vector<event>;

/// A small story, told in every order that it can happen in.
struct scenario {
  std::string name;
  facts truth;
  /// Instead of COLLECTOR_SHARD and its sink: the chains say what it sends.
  bool scripted = false;
  std::uint64_t window_bytes = 1U << 20U;
  std::uint64_t credit_bytes = 1U << 20U;
  bool sink_commits = true; ///< Each batch at once; else by an event.
  std::function<void(world&)> prepare; ///< In one order only.
  std::vector<events> chains;
  std::vector<rule> holds;    ///< Each must have been looked at.
  std::vector<probe> reaches; ///< Each must have been seen.
};

/// The real states of a serving side and a collecting side, joined by lanes:
/// a model as explorer.hpp wants it. Copied for each schedule once prepared.
class world {
public:
  static constexpr feed_id feed = collector_watch::feed;

  world(const scenario& script, tally& sum);

  // -- as a model -------------------------------------------------------------

  [[nodiscard]] std::size_t chains() const {
    return lanes.size() + script_->chains.size();
  }
  [[nodiscard]] bool enabled(std::size_t chain) const;
  [[nodiscard]] bool dependent(std::size_t a, std::size_t b) const {
    return (touches(a) & touches(b)) != 0;
  }
  void step(std::size_t chain);
  [[nodiscard]] std::string describe(std::size_t chain) const;
  [[nodiscard]] std::vector<std::string> broken() const;

  // -- for scripts ------------------------------------------------------------

  void append();                ///< The next block, with its resolved.
  void declare(table_id table); ///< The table's next DDL.
  void resolve_schemas(std::uint64_t ts);
  void release(); ///< STORE lets go of what it may.
  void tick_shard(std::chrono::milliseconds by);
  void tick_collector(std::chrono::milliseconds by);
  void subscribe();
  void add_table(std::uint64_t table);
  void lose(lane from);
  [[nodiscard]] bool waiting(lane in) const {
    return !lanes_[number(in)].empty();
  }
  [[nodiscard]] const message& head(lane in) const {
    return lanes_[number(in)].front();
  }
  /// The table's first DDL is with SCHEMAS.
  [[nodiscard]] bool declared(table_id table) const {
    return declared_.at(table) > 1;
  }
  void commit();
  void fail_sink();
  void restore_sink();
  /// From a scripted collector; the up_seq is filled in.
  void tell_shard(message x);
  [[nodiscard]] const shard_watch& seen() const { return at_shard_; }
  /// All lanes, in one order, until nothing is under way.
  void drain();
  void reconnect();
  channel_id channel{1, 1};
  /// What a scripted collector has seen when the story begins.
  channel_seq acknowledged;

private:
  using touch_set = std::uint32_t;

  [[nodiscard]] touch_set touches(std::size_t chain) const;
  [[nodiscard]] const event* next_event(std::size_t chain) const;
  void push(lane to, message x) { lanes_[number(to)].push_back(std::move(x)); }
  bool deliver(lane from);
  void finish();
  [[nodiscard]] bool converged() const;
  void speak_for_scripted();

  // Who handles what.
  template <class Message>
  void handle(role to, Message& x);
  template <class Message>
  void at_shard(Message& x);
  template <class Message>
  void at_collector(Message& x);
  void at_store(message& x);
  void at_sink(message& x);
  void open_sink_now();
  void check_positions();

  void from_store(store_side::answers out);
  void from_schemas(schema_store_state::effects out);
  void from_shard(dispatcher_shard_state::effects out);
  void from_collector(collector_shard_state::effects out);
  void after_shard(dispatcher_shard_state::effects out);
  void after_collector(collector_shard_state::effects out);

  const scenario* script_;
  std::array<std::vector<message>, lanes.size()> lanes_;
  std::vector<std::size_t> at_; // per chain of the script

  store_side store_;
  schema_store_state schemas_;
  std::map<table_id, std::size_t> declared_;
  dispatcher_shard_state shard_;
  collector_shard_state collector_;
  shard_watch at_shard_;
  collector_watch at_collector_;
  std::chrono::milliseconds shard_now_{0};
  std::chrono::milliseconds collector_now_{0};
  std::uint64_t delivered_ = 0;
  channel_seq last_down_;
  channel_seq last_up_;
  bool shard_known_ = false; // to COLLECTOR_SHARD, since READY

  // the target
  struct target {
    incarnation writer;
    std::map<table_id, table_position> positions;
    std::map<table_id, std::size_t> rows;
    std::vector<write_rows> taken; // not durable
    timestamp low;
    timestamp low_asked;
    std::uint64_t last_batch = 0;
  } sink_;
  incarnation writers_;
};

} // namespace sluice::exploration
