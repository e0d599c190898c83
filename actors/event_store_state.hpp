#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "actors/log_scan_state.hpp"
#include "actors/retention_state.hpp"
#include "messages/append.hpp"
#include "messages/control.hpp"
#include "messages/disk.hpp"
#include "messages/retention.hpp"
#include "messages/scan.hpp"

namespace sluice {

/// When rows are announced: once the operating system has them (they survive
/// a kill of the process), or once they survive a power cut.
enum class durability { written, synced };

struct event_store_options {
  partition_id partition{1};
  incarnation store{1};
  durability level = durability::written;
  std::size_t partitions = 1; ///< Of the service.
  std::size_t place = 0;      ///< This one among them, from 0.
  full_disk when_full = full_disk::wait;
  std::uint64_t window_bytes = 32U << 20U; ///< Blocks held for slow shards.
  std::chrono::milliseconds sync_interval{50};
  std::uint64_t sync_bytes = 16U << 20U; ///< Sync earlier after so many.
  std::chrono::milliseconds release_interval{1000};
  std::chrono::milliseconds rewrite_retry{10000}; ///< After one that failed.
  retention_budget retention;                     ///< Beyond what feeds need.
  std::chrono::milliseconds append_retry{1000};   ///< While the disk is full.
};

/// Where the engine stands; read from it after each call.
struct log_position {
  block_index last;
  block_index last_closed;
  block_index synced;
  row_cursor appended_to;
  timestamp resolved;
};

// -- calls of the engine ------------------------------------------------------

/// Answered by `on_appended`.
struct call_append {
  std::uint64_t number = 0;
  block_ptr block;
  timestamp resolved;
};
/// Answered by `on_abandoned`.
struct call_abandon {};
/// Answered by `on_sync_begun`.
struct call_begin_sync {};
/// Answered by `on_synced`.
struct call_synced {
  sync_order order;
};
/// Answered by `on_retained`.
struct call_retained {
  retention_budget budget;
};
/// Answered by `on_renewed`.
struct call_renew {};
/// Answered by `on_releasable`.
struct call_releasable {};
/// Answered by `on_released`.
struct call_release {};

/// Answered by `on_rewrite_planned`.
struct call_plan_rewrite {
  block_index up_to;
};
/// Answered by `on_rewritten`.
struct call_rewritten {
  rewrite_result result;
};
struct call_rewrite_failed {
  error why;
  std::uint64_t at_fault = 0; ///< This segment is not to be rewritten.
};

// -- messages -----------------------------------------------------------------

/// Who sent the message being handled is the source from now on.
struct adopt_source {};

/// To who sent the message being handled, and is not the source any more.
struct refuse_source {
  append_failed message;
};

struct send_progress {
  std::size_t shard = 0;
  progress message;
};

/// A tick after `delay`.
struct wake_store {
  std::chrono::milliseconds delay{};
};

/// Keeps one partition: who may append, what may be announced to whom, what
/// is confirmed, scanned and let go. A plain state machine: it sees neither
/// the engine nor a clock; `event_store` calls the engine in its place.
class event_store_state {
public:
  /// source_attached, rows_appended, append_failed and source_confirmed go to
  /// the source.
  using effect = std::variant<
    call_append, call_abandon, call_begin_sync, call_synced, call_renew,
    call_retained, call_releasable, call_release, call_plan_rewrite,
    call_rewritten, call_rewrite_failed, rewrite_order, plan_scans,
    adopt_source, refuse_source, source_attached, rows_appended, append_failed,
    source_confirmed, send_progress, answer_scan, read_blocks, sync_log,
    note_lost, remove_segments, store_floor, wake_store>;
  using effects = std::vector<effect>;
  using milliseconds = std::chrono::milliseconds;

  explicit event_store_state(event_store_options options = {});

  /// @pre Called once, before everything else.
  [[nodiscard]] effects on_opened(const log_position& log, milliseconds now);

  // -- the source -------------------------------------------------------------

  [[nodiscard]] effects on_attach_source(const attach_source& message);
  [[nodiscard]] effects on_abandoned(const error& failure,
                                     const log_position& log, milliseconds now);
  [[nodiscard]] effects on_append(const append_rows& message, milliseconds now);
  /// @param block What went to the log; null when everything was repeated.
  [[nodiscard]] effects on_appended(const call_append& call, block_ptr block,
                                    const error& failure,
                                    const log_position& log, milliseconds now);

  // -- the shards -------------------------------------------------------------

  [[nodiscard]] effects on_attach_shard(std::size_t shard);
  [[nodiscard]] effects on_progress_taken(std::size_t shard,
                                          const progress_taken& message);
  void on_shard_gone(std::size_t shard);
  [[nodiscard]] effects on_scan_request(std::size_t shard,
                                        scan_request request);
  [[nodiscard]] effects on_planned(std::uint64_t ticket, planned_scans found,
                                   milliseconds now);
  [[nodiscard]] effects on_blocks_read(const blocks_read& message,
                                       milliseconds now);

  // -- floors -----------------------------------------------------------------

  [[nodiscard]] effects on_floor_report(const floor_report& report,
                                        milliseconds now);
  [[nodiscard]] effects on_feeds_loaded(const feeds_loaded& message,
                                        milliseconds now);
  void on_known_tables(const known_tables& message) {
    for (const auto& table : message.tables)
      retention_.on_table(table);
  }
  [[nodiscard]] effects on_feed_removed(feed_id feed, milliseconds now);
  [[nodiscard]] timestamp floor_of(table_id table) const {
    return retention_.floor_of(table);
  }
  [[nodiscard]] timestamp floor_of(feed_id feed, table_id table) const {
    return retention_.floor_of(feed, table);
  }
  /// @see retention_state::needed_floor_of
  [[nodiscard]] timestamp needed_floor_of(table_id table) const {
    return retention_.needed_floor_of(table);
  }
  /// @see retention_state::release_floor
  [[nodiscard]] timestamp release_floor(table_id table) const {
    return retention_.release_floor(table);
  }
  /// A release goes in four steps: what is retained beyond the floors, which
  /// tables it would touch, the durable note that rows of them may be gone, and
  /// only then the release. A kill in between leaves rows that nobody asks for,
  /// never a gap that nobody knows.
  [[nodiscard]] effects on_retained(const retained_rows& rows,
                                    milliseconds now);
  [[nodiscard]] effects on_releasable(const std::vector<table_id>& tables);
  [[nodiscard]] effects on_lost_noted(const lost_noted& message,
                                      milliseconds now);
  [[nodiscard]] effects on_released(std::vector<std::uint64_t> segments);
  [[nodiscard]] effects on_segments_removed(const segments_removed& message,
                                            milliseconds now);
  /// What a release leaves on disk may be rewritten: see
  /// `log_engine::plan_rewrite`. Rows go with that, too, so it is noted before.
  [[nodiscard]] effects on_rewrite_planned(std::optional<rewrite_order> order);
  [[nodiscard]] effects on_log_rewritten(const log_rewritten& message,
                                         milliseconds now);
  /// @param gone As `log_engine::rewritten` has it.
  [[nodiscard]] effects on_rewritten(const rewrite_result& result,
                                     std::vector<std::uint64_t> gone,
                                     milliseconds now);

  // -- the disk, and time -----------------------------------------------------

  [[nodiscard]] effects on_sync_begun(sync_order order);
  [[nodiscard]] effects on_log_synced(const log_synced& message);
  [[nodiscard]] effects on_synced(const log_position& log, milliseconds now);
  [[nodiscard]] effects on_renewed(const error& failure,
                                   const log_position& log, milliseconds now);
  [[nodiscard]] effects on_tick(milliseconds now);

  /// Without what only the engine knows.
  [[nodiscard]] store_status status(milliseconds now = {}) const;

private:
  struct shard_entry {
    bool attached = false;
    bool waiting = false; // for progress_taken
    block_index sent;
    timestamp sent_resolved;
    block_index taken;
  };
  // Every row <= resolved is in blocks <= index.
  struct promise {
    block_index index;
    timestamp resolved;
  };

  [[nodiscard]] append_failed refuse(std::uint64_t number, errc code,
                                     std::string detail) const;
  [[nodiscard]] block_ptr without_promised(const block_ptr& block);
  [[nodiscard]] effects take(const append_rows& message, milliseconds now);
  void accept(std::uint64_t number, timestamp resolved, effects& out);
  void keep(block_index index, block_ptr block);
  void advance(effects& out);
  void raise_promises();
  void send_progress_to(std::size_t shard, effects& out);
  void drop_sent_blocks();
  [[nodiscard]] source_confirmed confirmable();
  void confirm(effects& out);
  void begin_sync(effects& out);
  void schedule(effects& out, milliseconds now);
  [[nodiscard]] bool waits_after(const error& failure) const;
  [[nodiscard]] effects wait_for_room(const error& failure, milliseconds now);
  void append_again(effects& out, milliseconds now);
  void queue(const append_rows& message);
  void give_up_waiting();
  [[nodiscard]] block_index taken_by_all() const;
  void plan_rewrite(effects& out);
  void rewrite_later(effects& out, milliseconds now);
  [[nodiscard]] bool rewrites() const noexcept {
    return rewriting_ || unnoted_rewrite_;
  }
  [[nodiscard]] effects start_rewrite(rewrite_order order);
  [[nodiscard]] effects with_schedule(log_scan_state::effects scan,
                                      milliseconds now);

  event_store_options options_;
  retention_state retention_;
  log_scan_state scans_;
  log_position log_;
  incarnation writer_;
  std::uint64_t number_ = 0; // of the writer's last append
  // Those behind it that wait, all with rows: a promise joins the one before.
  std::deque<append_rows> waiting_;
  bool attaching_ = false; // waits, too
  error full_;             // what they wait for
  milliseconds full_since_{};
  std::optional<milliseconds> append_at_; // again
  bool undeleted_ = false;                // DISK has files to delete
  timestamp resolved_;                    // promised by the source
  std::deque<promise> promises_;
  block_index announced_;
  timestamp announced_resolved_;
  timestamp durable_resolved_;
  source_confirmed confirmed_;       // as the writer heard it last
  std::deque<indexed_block> window_; // the log's last blocks
  std::uint64_t window_bytes_ = 0;
  std::vector<shard_entry> shards_;
  bool syncing_ = false;
  std::uint64_t unsynced_bytes_ = 0; // since the last sync began
  std::optional<milliseconds> sync_at_;
  std::optional<milliseconds> release_at_;
  std::optional<milliseconds> retained_until_;   // then more may go
  std::optional<rewrite_order> unnoted_rewrite_; // waits for the note
  std::optional<std::uint64_t> rewriting_;       // files of so many bytes
  std::optional<milliseconds> rewrite_at_;       // not before
  error rewrite_failure_;
  std::uint64_t rows_below_resolved_ = 0;
  std::uint64_t syncs_failed_ = 0;
  error sync_failure_;
  error failure_;
};

} // namespace sluice
