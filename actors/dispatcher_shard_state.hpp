#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

#include "actors/dispatcher_state.hpp"
#include "actors/downlink_state.hpp"
#include "messages/number_set.hpp"
#include "messages/registration.hpp"
#include "messages/scan.hpp"
#include "messages/table_map.hpp"
#include "messages/watermark.hpp"

namespace sluice {

struct dispatcher_shard_options {
  /// Recent blocks kept so that a scan can end where they begin, bytes.
  std::uint64_t window_bytes = 32 << 20;
  std::uint64_t scan_bytes_per_dispatcher = 1 << 20;
  std::uint64_t scan_bytes_per_request = 8 << 20;
  std::chrono::milliseconds ready_repeat_min{1'000};
  std::chrono::milliseconds ready_repeat_max{10'000};
  /// A watermark that was not acknowledged is repeated this often.
  std::chrono::milliseconds watermark_repeat{400};
  /// A failed scan or schema look-up is tried again after this.
  std::chrono::milliseconds retry{1'000};
  /// A collector that owes an acknowledgement and was not heard of for so long
  /// loses its streams; the feeds' floors stay. It registers anew.
  std::chrono::milliseconds silence_max{3'600'000};
  std::size_t removed_remembered_max = 65'536;
  std::size_t reset_records_max = 256;
};

/// Owns the dispatchers of one partition on their way to one collector shard:
/// decides what is sent to whom, when, and in which order. No actor, no clock,
/// no I/O; what to send is returned.
class dispatcher_shard_state {
public:
  using effect =
    std::variant<ready, refused, unknown_registration, handshake, delivery,
                 schema_change, watermark, digest, // to COLLECTOR_SHARD
                 scan_request, progress_taken, floor_report, // EVENT_STORE
                 schema_query>;                              // SCHEMA_STORE
  /// In the order in which they must be sent.
  using effects = std::vector<effect>;
  using time = std::chrono::milliseconds;

  explicit dispatcher_shard_state(dispatcher_shard_options options = {})
    : options_{options} {
    // nop
  }

  // -- from COLLECTOR_SHARD ---------------------------------------------------

  [[nodiscard]] effects on_register(const register_dispatchers& x, time now);
  [[nodiscard]] effects on_reset(const reset_streams& x);
  [[nodiscard]] effects on_remove(const remove_dispatchers& x);
  [[nodiscard]] effects on_heartbeat(const heartbeat& x);
  [[nodiscard]] effects on_credit(const credit& x);
  [[nodiscard]] effects on_digest_request(const digest_request& x);

  // -- from EVENT_STORE and SCHEMA_STORE --------------------------------------

  [[nodiscard]] effects on_progress(const progress& x);
  [[nodiscard]] effects on_scan_answer(const scan_answer& x);
  [[nodiscard]] effects on_ddl(const ddl_notice& x);
  [[nodiscard]] effects on_schema_resolved(const schema_resolved& x);
  [[nodiscard]] effects on_schema_answer(const schema_answer& x);

  [[nodiscard]] effects on_tick(time now);

  // -- for tests and people ---------------------------------------------------

  /// Records of the last resets, oldest first.
  [[nodiscard]] const std::deque<reset_record>& resets() const {
    return resets_;
  }
  [[nodiscard]] const dispatcher_state* find(registration_id id) const;
  /// The dispatcher's checkpoint, the feed's bulk value included.
  [[nodiscard]] timestamp checkpoint_of(registration_id id) const;
  [[nodiscard]] std::size_t size() const { return slots_.size(); }
  [[nodiscard]] channel_id channel() const { return down_.channel(); }
  /// Of the log, as far as it was told.
  [[nodiscard]] block_index last() const { return last_; }

private:
  // Those who wait for a scan, and what one is outstanding for.
  struct lane_entry {
    std::deque<slot> wanted;
    std::deque<feed_id> feeds; // that read blocks
    std::optional<scan_id> outstanding;
    block_index to;                        // what was asked for ...
    timestamp resolved;                    // ... and what was resolved there
    std::map<feed_id, std::int64_t> asked; // bytes
  };
  // A dispatcher that did not get a RESET yet.
  struct unanswered_ready {
    time due{};
    time interval{};
  };
  // Rows of one feed on their way out of one step.
  struct parcel {
    std::vector<delivery_item> items;
    std::vector<cohort_rows> cohort;
    std::uint64_t charge = 0;
  };
  // A dispatcher's share of a block, while a step decides who gets it.
  struct share {
    slot stream;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::uint64_t bytes = 0;
  };
  // In a feed's cohort are so many streams of a table: one, unless the REMOVE
  // of a former one got lost.
  struct table_cohort {
    std::uint32_t feed = 0; // its number
    std::uint32_t streams = 0;
  };
  struct table_entry {
    std::vector<slot> streams;
    std::vector<table_cohort> cohorts;
    schema_version known; // highest that was told of
  };
  // What a cohort gets of a block.
  struct cohort_part {
    std::uint32_t runs = 0;
    std::uint64_t bytes = 0;
  };
  using cohort_parts = std::vector<cohort_part>; // by the feed's number
  // Where rows of several tables are cut, grouped by table.
  struct cut {
    row_cursor to;
    item_end end = item_end::transaction;
  };
  // What one feed has on this channel. Its cohort has one place in the log, and
  // every member has exactly the rows up to there.
  struct feed_on_channel {
    std::uint32_t number = 0; // not used twice
    bulk_checkpoint bulk;
    number_set streams;   // slots
    number_set uncovered; // the bulk value may not speak for these
    // In sync since then, which is not acknowledged.
    std::deque<std::pair<channel_seq, slot>> joining;
    floor_report reported;
    bool floors_moved = false;
    // -- its cohort
    std::size_t members = 0;
    block_index taken;    // whole; late if below last_
    row_cursor at;        // every row <= it is sent
    row_cursor told;      // ... and the collector heard so
    bool reading = false; // blocks before the window
    dispatcher_state::scan_phase scan = dispatcher_state::scan_phase::none;
    std::map<slot, block_index> ahead; // those have all up to there, and wait
  };

  [[nodiscard]] dispatcher_state& at(slot stream) {
    return dispatchers_[stream.value];
  }
  [[nodiscard]] dispatcher_state* current(registration_id id, slot stream);
  [[nodiscard]] effects take();

  bool enter(channel_id channel);
  void register_one(const registration& entry, time now);
  void remove_one(registration_id id);
  void forget(slot stream);
  void forget_streaming();
  void tell_forgotten();
  void send_ready(slot stream);
  void refuse(slot stream, error reason, timestamp asked, timestamp lower);
  void look_up(slot stream, schema_query&& query);
  void begin_epoch(slot stream, dispatcher_state::started&& start);

  [[nodiscard]] timestamp promise() const;
  [[nodiscard]] timestamp promise_to(feed_id id) const;
  void all_taken_up_to(block_index last);
  void deliver_block(const indexed_block& x);
  void catch_up(feed_id id, feed_on_channel& feed);
  void use_credit();
  void pass_by(const indexed_block& x);
  void leave_cohort(feed_id id, table_id table);
  [[nodiscard]] table_entry* table_of(table_id table);
  [[nodiscard]] table_entry& add_table(table_id table);
  void note_version(table_id table, schema_version version);
  void join_cohort(slot stream, feed_on_channel& feed);
  void quit_cohort(slot stream);
  void take_place_along(slot stream);
  [[nodiscard]] std::size_t next_in_window(const feed_on_channel& feed) const;
  void raise_place(feed_on_channel& feed);
  [[nodiscard]] row_cursor log_end() const;
  void let_join(feed_on_channel& feed);
  void wake_ahead(feed_on_channel& feed);
  void tell_changes();
  void leave_unknown(const row_block& block);
  [[nodiscard]] cohort_parts parts_of(const row_block& block);
  [[nodiscard]] std::vector<std::uint32_t> runs_for(const feed_on_channel& feed,
                                                    const row_block& block);
  [[nodiscard]] bool wants(const feed_on_channel& feed, table_id table);
  [[nodiscard]] row_cursor up_to_ddl(feed_id id, row_cursor limit);
  bool offer(feed_id id, feed_on_channel& feed, const block_ptr& block,
             const cohort_part& part);
  bool send_part(feed_id id, feed_on_channel& feed, const block_ptr& block,
                 const cohort_part& part, row_cursor limit);
  [[nodiscard]] bool waits_for_credit(feed_id id, std::uint64_t bytes,
                                      std::uint64_t packed) const;
  bool send_copies(feed_id id, feed_on_channel& feed, const row_block& block,
                   row_cursor limit);
  void read_on(feed_id id, feed_on_channel& feed, scan_lane lane);
  void take_blocks(scan_lane lane, const scan_result& x);
  void resume_reading(const std::map<feed_id, std::int64_t>& kept);
  /// A block that begins there, or behind it, is in the window.
  [[nodiscard]] bool window_follows(row_cursor at) const;
  void give_up_reading(feed_on_channel& feed);
  // What became of rows that are to be sent.
  enum class sent { all, no_credit, no_schema };
  sent deliver_run(slot stream, const block_ptr& block, std::uint32_t first,
                   std::uint32_t count);
  sent deliver_own(slot stream, const block_ptr& block,
                   row_cursor to = row_cursor::end_of(timestamp::max()));
  sent deliver_all_tables(slot stream, const block_ptr& block);
  sent deliver_cut(slot stream, const block_ptr& block, row_cursor limit);
  [[nodiscard]] std::vector<share>
  shares_of(slot stream, const row_block& block, row_cursor to);
  [[nodiscard]] row_cursor affordable(slot stream, const row_block& block,
                                      row_cursor limit);
  [[nodiscard]] item_end end_at(slot stream, const row_block& block,
                                row_cursor to);
  void send_ddl(slot stream);
  bool pass_ddl(slot stream, table_id table, schema_version version);
  void pack(parcel& to, const block_ptr& block,
            const std::vector<share>& shares, const cut* how = nullptr);
  void flush(feed_id feed);
  void flush_all();

  void materialise(slot stream);
  void mark_behind(slot stream);
  void leave_fast_path(slot stream);
  void want_scan(slot stream, scan_lane lane = scan_lane::memory);
  void wait_for(slot stream, sent what);
  void wake_starved();
  void pump_scans();
  void pump(scan_lane lane);
  // A request in the making, and what is left of the credit for it.
  struct scan_asking {
    scan_request request;
    std::map<feed_id, std::int64_t> credit;
  };
  void ask_for_feeds(scan_asking& to);
  void ask_for_streams(scan_asking& to);
  std::uint64_t take_credit(scan_asking& of, feed_id feed, std::uint64_t most);
  [[nodiscard]] std::int64_t credit_for(scan_lane which, feed_id feed);
  [[nodiscard]] std::int64_t asked_for(feed_id feed) const;
  [[nodiscard]] lane_entry& lane_of(scan_lane x) {
    return lanes_[static_cast<std::size_t>(x)];
  }
  void forget_scans();
  void take_scan_result(scan_lane lane, const scan_result& x);
  bool pass_damage(slot stream, const scan_result& x);
  void complete_scan(slot stream, block_index complete_to,
                     timestamp resolved_there);
  bool join(slot stream, block_index complete_to);
  bool come_to_cohort(slot stream, block_index complete_to);
  bool deliver_window(slot stream, block_index from, block_index to);
  void send_due_ddl(slot stream, timestamp due);
  void send_watermark();
  void report_floors();
  void report_floors_of(feed_id id, feed_on_channel& feed);
  void note_acknowledged(feed_on_channel& feed,
                         const std::map<slot, stream_checkpoint>& before);
  void uncover(slot stream);
  [[nodiscard]] timestamp resolved() const {
    return std::min(store_resolved_, schema_resolved_);
  }
  void drop_store();

  dispatcher_shard_options options_;
  effects out_;

  // dispatchers
  std::vector<dispatcher_state> dispatchers_; // by slot; not used twice
  std::unordered_map<registration_id, slot> slots_;
  std::unordered_map<dispatcher_id, registration_id> registrations_;
  table_map table_places_; // in tables_
  std::vector<table_entry> tables_;
  std::uint32_t feed_numbers_ = 0; // given out
  std::map<slot, unanswered_ready> unanswered_;
  std::map<feed_id, feed_on_channel> feeds_;
  std::map<feed_id, feed_rules> spans_; // of feeds with all_tables
  std::unordered_map<registration_id, error> removed_; // REGISTER too late
  std::deque<registration_id> removed_order_;
  std::deque<reset_record> resets_;

  // channel
  downlink_state down_;
  bool heard_ = false; // since the last tick
  time contact_{};
  std::set<registration_id> forgotten_; // the collector does not know yet
  std::map<feed_id, parcel> parcels_;
  std::set<slot> behind_now_; // to be told with the next watermark
  std::set<slot> joined_now_; // to be told caught up with the next watermark
  bool tell_ = false;         // the next watermark has something to say
  time next_repeat_{};

  // store and schema
  incarnation store_;
  std::deque<indexed_block> window_;
  std::uint64_t window_size_ = 0;
  block_index last_;
  timestamp log_resolved_; // by this store
  row_cursor last_row_;    // highest that was seen of its log
  timestamp store_resolved_;
  timestamp schema_resolved_;
  std::set<slot> with_ddl_; // joined, and a DDL waits for its resolved

  // scans
  std::array<lane_entry, 2> lanes_; // by scan_lane
  bool disk_first_ = false;         // takes turns, for credit may be scarce
  bool scans_first_ = false;        // so do they with feeds that are late
  scan_id scan_;                    // the number of the last one
  std::deque<slot> starved_;        // wait for credit
  std::vector<slot> retry_scans_;
  time next_retry_{};
  time next_floors_{}; // of feeds with many that are not covered
};

} // namespace sluice
