#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

#include "actors/progress_state.hpp"
#include "actors/stream_state.hpp"
#include "actors/uplink_state.hpp"
#include "messages/feed.hpp"
#include "messages/number_set.hpp"
#include "messages/sink.hpp"

namespace sluice {

struct collector_shard_options {
  /// Unique numbers of this shard count on from here; new at every start.
  std::uint64_t origin = 1;
  /// Bytes per feed and channel that may be on their way or at the sink ...
  std::uint64_t credit_bytes = 16 << 20;
  /// ... but no more than this over all of them, as long as each gets
  /// `credit_bytes_min`.
  std::uint64_t credit_bytes_all = 112 << 20;
  std::uint64_t credit_bytes_min = 64 << 10;
  std::chrono::milliseconds heartbeat_interval{200};
  /// Rows durable after which a heartbeat goes before its time.
  std::uint64_t heartbeat_rows = 4'000;
  /// A REGISTER or RESET without answer is sent again after this, doubling.
  std::chrono::milliseconds answer_min{1'000};
  std::chrono::milliseconds answer_max{10'000};
  /// A sink that failed is opened again after this, doubling.
  std::chrono::milliseconds sink_retry_min{100};
  std::chrono::milliseconds sink_retry_max{5'000};
};

/// Owns the streams of its feeds: checks what comes down, hands rows to the
/// sinks, and reports how far the targets are. No actor, no clock, no I/O.
class collector_shard_state {
public:
  /// A message for the sink of a feed.
  struct to_sink {
    feed_id feed;
    std::variant<open_sink, write_rows, store_watermark> message;

    friend bool operator==(const to_sink&, const to_sink&) = default;
  };
  using effect =
    std::variant<register_dispatchers, // to BROKER
                 reset_streams, remove_dispatchers, heartbeat, credit,
                 digest_request, // to DISPATCHER_SHARD
                 to_sink>;
  using effects = std::vector<effect>;
  using time = std::chrono::milliseconds;

  explicit collector_shard_state(collector_shard_options options = {});

  // -- from COLLECTOR ---------------------------------------------------------

  [[nodiscard]] effects on_subscribe(const subscribe_feed& x);
  [[nodiscard]] effects on_tables(const add_tables& x, time now);
  [[nodiscard]] effects on_unsubscribe(const unsubscribe_feed& x);

  // -- from DISPATCHER_SHARD --------------------------------------------------

  [[nodiscard]] effects on_ready(const ready& x, time now);
  [[nodiscard]] effects on_refused(const refused& x, time now);
  [[nodiscard]] effects on_unknown(const unknown_registration& x, time now);
  [[nodiscard]] effects on_handshake(const handshake& x, time now);
  [[nodiscard]] effects on_delivery(delivery x, time now);
  [[nodiscard]] effects on_schema_change(const schema_change& x, time now);
  [[nodiscard]] effects on_watermark(const watermark& x, time now);
  [[nodiscard]] effects on_digest(const digest& x, time now);
  [[nodiscard]] effects on_syncpoint(const syncpoint& x);
  /// The other end of a channel is gone, or the link to it, with everything
  /// that was under way: its streams register anew, on another channel.
  [[nodiscard]] effects on_channel_lost(channel_id channel, time now);

  // -- from SINK --------------------------------------------------------------

  [[nodiscard]] effects on_sink_opened(feed_id feed, const sink_opened& x,
                                       time now);
  [[nodiscard]] effects on_released(feed_id feed, const rows_released& x);
  [[nodiscard]] effects on_durable(feed_id feed, const rows_durable& x);
  [[nodiscard]] effects on_sink_failed(feed_id feed, const sink_failed& x,
                                       time now);

  [[nodiscard]] effects on_tick(time now);

  // -- for people and tests ---------------------------------------------------

  [[nodiscard]] feed_status status(feed_id feed) const;
  [[nodiscard]] const stream_state* find(feed_id feed, table_id table) const;
  [[nodiscard]] timestamp effective_resolved(feed_id feed,
                                             table_id table) const;
  /// Bytes that deliveries pin here and at the sinks.
  [[nodiscard]] std::uint64_t pinned_bytes() const;

private:
  using index = std::uint32_t; // of an entry; not used twice

  // A stream with its progress.
  struct stream_entry {
    stream_state stream;
    progress_state progress;
    table_info table;
    schema_version told; // the sink, since it opened
    time answer_wait{};
    bool removed = false;
  };
  // Rows of one stream in a batch.
  struct handed_rows {
    index stream = 0;
    std::uint32_t rows = 0;
    table_position after;
  };
  struct pinned_batch {
    partition_id partition;
    std::uint64_t charge = 0;
    bool released = false;
    std::vector<handed_rows> handed;
    std::uint64_t cohort_rows = 0;
  };
  enum class sink_phase { opening, open, failed, stopped };
  struct feed_entry {
    feed_record record;
    sink_phase phase = sink_phase::opening;
    incarnation writer;
    std::uint64_t last_batch = 0;
    // Of a feed with all tables: how far the sink was handed rows, and whether
    // a transaction of the source goes on there.
    row_cursor handed_to;
    bool torn = false;
    timestamp low_asked;  // the sink was told to store
    timestamp low_stored; // it has
    std::map<table_id, index> streams;
    number_set behind;
    number_set busy; // rows of theirs alone are under way to the sink
    std::vector<table_info> waiting; // tables before the sink is open
    std::map<std::uint64_t, pinned_batch> batches;
    std::vector<schema_ptr> schemas; // that the sink does not know yet
    // Charges that came while the sink was away.
    std::vector<std::pair<partition_id, std::uint64_t>> held;
    time retry_due{};
    time retry_wait{};
    feed_status counts; // of it only the counters and the failure
    std::map<table_id, table_position> positions; // as the sink opened

    [[nodiscard]] table_position position_of(table_id table) const {
      auto i = positions.find(table);
      return i == positions.end() ? table_position{table, {}, {}} : i->second;
    }
  };
  struct channel_entry {
    uplink_state up;
    std::vector<index> slots;
    std::vector<digest_entry> digest; // what came of it,
    channel_seq digest_to;            // up to here
    bool shard_known = false;
    std::uint64_t streams = 0; // that are not removed
    channel_seq changed_at; // last sent up before the last REGISTER or REMOVE
    std::map<feed_id, row_cursor> places; // up to where cohorts have rows
    // Up to where sinks may have rows of some table that joined.
    std::map<feed_id, row_cursor> barriers;
  };

  [[nodiscard]] effects take();
  [[nodiscard]] feed_entry& feed_of(const stream_entry& x) {
    return feeds_.at(x.stream.who().feed);
  }
  [[nodiscard]] channel_entry& channel_of(const stream_entry& x) {
    return channels_.at(x.table.partition);
  }
  channel_entry* channel_of(channel_id channel);
  stream_entry* entry_of(channel_entry& of, slot stream);
  stream_entry* entry_of(registration_id id);

  void add_table(feed_entry& to, const table_info& table, time now);
  void add_stream(feed_entry& to, const table_info& table, time now);
  void await_answer(stream_entry& x, time now);
  void send_register(stream_entry& x, time now);
  void register_anew(stream_entry& x, timestamp start, time now);
  void renew(stream_entry& x, timestamp start, time now);
  void send_remove(channel_entry& on, std::vector<registration_id> ids);
  [[nodiscard]] timestamp start_of(const stream_entry& x);
  void reset(stream_entry& x, time now);
  void settle(const stream_entry& x);
  bool arrived(channel_entry& on, const channel_mark& mark);
  void check_count(channel_entry& on, const watermark& x);
  void on_verdict(stream_entry& x, stream_state::verdict verdict, time now);
  void take_item(feed_entry& of, channel_entry& on, delivery_item& x, time now,
                 write_rows& to, std::vector<handed_rows>& handed);
  [[nodiscard]] std::uint64_t take_cohort(feed_entry& of, channel_entry& on,
                                          cohort_rows& x, write_rows& to,
                                          std::vector<handed_rows>& handed);
  [[nodiscard]] std::vector<std::uint32_t>
  fresh_runs(feed_entry& of, const cohort_rows& x, write_rows& to,
             std::vector<handed_rows>& handed);
  void check_places(channel_entry& on, const digest& x, time now);
  void leave_cohort(stream_entry& x);
  void tell_schema(stream_entry& x);
  void drop_batches(feed_entry& of);
  void reopen_streams(feed_entry& of, time now);
  void drop_stream(feed_entry& of, index number);
  void stop_feed(feed_entry& of, error reason);
  void ask_watermark(feed_entry& of);
  void send_heartbeat(channel_entry& on, bool repeat);
  [[nodiscard]] feed_checkpoint checkpoint_of(feed_entry& of,
                                              const channel_entry& on);
  void send_credit(channel_entry& on);
  void share_credit();
  [[nodiscard]] timestamp low_watermark(const feed_entry& of) const;
  [[nodiscard]] timestamp resolved_of(const stream_entry& x) const;
  [[nodiscard]] timestamp effective(const stream_entry& x) const;

  collector_shard_options options_;
  effects out_;
  number_source<channel_id> channel_numbers_;
  number_source<registration_id> registration_numbers_;
  number_source<dispatcher_id> dispatcher_numbers_;
  std::vector<stream_entry> entries_;
  std::unordered_map<registration_id, index> registrations_;
  std::map<feed_id, feed_entry> feeds_;
  std::map<partition_id, channel_entry> channels_;
  std::map<index, time> unanswered_; // REGISTER or RESET is outstanding
  std::uint64_t durable_since_heartbeat_ = 0;
  time next_heartbeat_{};
};

} // namespace sluice
