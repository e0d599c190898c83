#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "actors/collector_shard_state.hpp"
#include "actors/dispatcher_shard_state.hpp"

namespace sluice::test {

/// The protocol that the channel's watermarks and bulk heartbeats stand for:
/// one RESOLVED down and one CHECKPOINT up per dispatcher. It is fed with what
/// both shards send, in the same order, and applies it one by one. On a link
/// that loses nothing both must say the same after every step.
class naive_model {
public:
  // -- what is sent -----------------------------------------------------------

  void on_register(const registration& x) {
    auto& one = all_[x.id];
    if (!std::exchange(one.registered, true))
      one.resolved = one.checkpoint = x.start_ts;
  }
  void on_reset_sent(const reset_entry& x) {
    all_[x.registration].asked[x.stream_epoch] = x.reset_ts;
  }
  /// A message went down: the RESOLVED that it stands for.
  template <class Message>
  void on_down(const Message& x, const dispatcher_shard_state& shard) {
    auto out = std::vector<resolved_message>{};
    for (const auto& [id, one] : all_) {
      const auto* d = shard.find(id);
      if (d == nullptr || !d->streaming())
        continue;
      auto at = slots_.find(id);
      if (at != slots_.end())
        collect(x, id, at->second, *d, out);
    }
    for (const auto& message : out) {
      auto& sent = all_.at(message.id).sent;
      sent = std::max(sent, message.resolved);
    }
    down_.push_back(std::move(out));
  }
  void on_down(const ready& x, const dispatcher_shard_state&) {
    slots_[x.registration] = x.stream;
    down_.emplace_back();
  }
  /// A heartbeat went up: the CHECKPOINT that it stands for.
  /// Of who is behind it says only what is new in its epoch.
  void on_up(const heartbeat& x, const collector_shard_state& collector,
             feed_id feed, const std::vector<table_info>& tables) {
    auto behind = std::set<registration_id>{};
    for (const auto& table : tables)
      if (const auto* stream = collector.find(feed, table.table);
          stream != nullptr && stream->behind())
        behind.insert(stream->who().id);
    auto out = std::vector<checkpoint_message>{};
    for (const auto& part : x.feeds) {
      for (const auto& [id, one] : all_) {
        auto at = slots_.find(id);
        if (!one.current || at == slots_.end())
          continue;
        auto message = checkpoint_message{id, one.of, part.checkpoint, x.acked,
                                          false};
        for (const auto& e : part.exceptions)
          if (e.stream == at->second)
            message = {id, e.stream_epoch, e.checkpoint, x.acked, true};
        if (message.excepted || !behind.contains(id))
          out.push_back(message);
      }
    }
    up_.push_back(std::move(out));
  }

  // -- what arrives -----------------------------------------------------------

  void lose_down() { down_.pop_front(); }
  void lose_heartbeat() { up_.pop_front(); }
  void arrive_down(const collector_shard_state& collector, feed_id feed,
                   const std::vector<table_info>& tables) {
    auto arrived = std::move(down_.front());
    down_.pop_front();
    note_epochs(collector, feed, tables);
    for (const auto& x : arrived) {
      auto& one = all_.at(x.id);
      if (one.current && x.of == one.of && x.seq == one.seq)
        one.resolved = std::max(one.resolved, x.resolved);
    }
  }
  void arrive_heartbeat(const dispatcher_shard_state& shard) {
    auto arrived = std::move(up_.front());
    up_.pop_front();
    for (const auto& x : arrived) {
      auto& one = all_.at(x.id);
      const auto* d = shard.find(x.id);
      if (d == nullptr || !d->streaming() || x.of != d->stream_epoch())
        continue;
      one.checkpoint = std::max(one.checkpoint, std::min(x.value, one.sent));
      // The bulk value passes by who is behind by now, or was; its next one
      // is not lower.
      if (!x.excepted && (!d->in_sync_since || d->in_sync_since > x.acked))
        one.late = true;
    }
  }

  // -- what both say ----------------------------------------------------------

  /// Epochs start in the collector, with or without a RESET.
  void note_epochs(const collector_shard_state& collector, feed_id feed,
                   const std::vector<table_info>& tables) {
    for (auto& [id, one] : all_)
      one.current = false;
    for (const auto& table : tables) {
      const auto* stream = collector.find(feed, table.table);
      if (stream == nullptr)
        continue;
      auto& one = all_[stream->who().id];
      one.current = true;
      one.seq = stream->last_seq();
      if (one.of != stream->stream_epoch()) {
        one.of = stream->stream_epoch();
        auto asked = one.asked.find(one.of);
        one.resolved = asked != one.asked.end()
                         ? asked->second
                         : collector.effective_resolved(feed, table.table);
      }
    }
  }
  [[nodiscard]] timestamp resolved(registration_id id) const {
    return all_.at(id).resolved;
  }
  void check_checkpoint(registration_id id, timestamp real) {
    auto& one = all_.at(id);
    REQUIRE(real <= one.checkpoint);
    if (real == one.checkpoint)
      one.late = false;
    REQUIRE((one.late || real == one.checkpoint));
  }
  /// Nothing is under way any more.
  void check_settled(registration_id id, timestamp real) const {
    CHECK(real == all_.at(id).checkpoint);
  }

private:
  struct resolved_message {
    registration_id id;
    epoch of;
    sequence seq;
    timestamp resolved;
  };
  struct checkpoint_message {
    registration_id id;
    epoch of;
    timestamp value;
    channel_seq acked;
    bool excepted = false;
  };
  struct dispatcher {
    // collector
    bool registered = false;
    bool current = false;
    epoch of;
    sequence seq;
    timestamp resolved;
    std::map<epoch, timestamp> asked; // reset_ts
    // shard
    timestamp sent; // highest RESOLVED of the epoch
    timestamp checkpoint;
    bool late = false;
  };
  using messages = std::vector<resolved_message>;

  void collect(const handshake& x, registration_id id, slot at,
               const dispatcher_state&, messages& out) {
    if (x.stream != at)
      return;
    auto& one = all_.at(id);
    one.checkpoint = std::max(one.checkpoint, one.asked.at(x.stream_epoch));
    // The one lower bound: max(reset_ts, accepted checkpoint). It may miss a
    // bulk value that passed by.
    REQUIRE((one.late || x.lower_bound == one.checkpoint));
    REQUIRE(x.lower_bound <= one.checkpoint);
    one.sent = {};
    out.push_back({id, x.stream_epoch, {1}, x.lower_bound});
  }
  void collect(const delivery& x, registration_id id, slot at,
               const dispatcher_state&, messages& out) {
    for (const auto& item : x.items)
      if (item.stream == at)
        out.push_back({id,
                       item.stream_epoch,
                       {item.first_seq.value + item.count - 1},
                       item.complete_to});
    // Rows for its cohort promise nothing; the watermark does.
  }
  void collect(const watermark& x, registration_id id, slot,
               const dispatcher_state& d, messages& out) {
    if (d.in_sync_since)
      out.push_back(
        {id, d.stream_epoch(), d.last_seq(), x.promise.to(d.who().feed)});
  }
  template <class Other>
  void collect(const Other&, registration_id, slot, const dispatcher_state&,
               messages&) {
    // promises nothing
  }

  std::map<registration_id, dispatcher> all_;
  std::map<registration_id, slot> slots_;
  std::deque<messages> down_;
  std::deque<std::vector<checkpoint_message>> up_;
};

} // namespace sluice::test
