#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <variant>
#include <vector>

#include "actors/sinks/commit_pace_state.hpp"
#include "messages/changes.hpp"
#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/sink.hpp"
#include "messages/table_map.hpp"

namespace sluice {

struct callback_sink_options {
  /// Acknowledged positions are stored at most this often, and so seldom that
  /// it takes about a tenth of the time.
  std::chrono::milliseconds store_interval{500};
  /// A low watermark is stored at most this often: one row, which speaks for
  /// all positions at or below it. When it keeps up no position is stored.
  std::chrono::milliseconds watermark_interval{100};
};

/// Hands batches to a callback and keeps account of what it acknowledged.
///
/// A batch without rows needs no acknowledgement of its own: it counts as
/// acknowledged with the batch before it. So does a low watermark: it speaks
/// for all batches before it and waits until they are acknowledged.
class callback_sink_state {
public:
  using duration = std::chrono::nanoseconds;

  /// Becomes the newest writer and reads the stored positions; on_loaded says
  /// how it went.
  struct load_positions {
    feed_record feed;

    friend bool operator==(const load_positions&,
                           const load_positions&) = default;
  };
  /// Calls the callback; on_returned says how it went.
  struct call {
    acknowledge answer; ///< What its acknowledger sends.
    held_changes rows;
    feed_order order = feed_order::table;

    friend bool operator==(const call&, const call&) = default;
  };
  /// Stores what is acknowledged; on_stored says how it went, before anything
  /// else happens.
  struct store_positions {
    incarnation writer;
    std::vector<table_position> positions;
    timestamp low_watermark;

    friend bool operator==(const store_positions&,
                           const store_positions&) = default;
  };
  /// To oneself, after that time.
  struct tick_after {
    duration delay{};

    friend bool operator==(const tick_after&, const tick_after&) = default;
  };
  using effect =
    std::variant<load_positions, call, store_positions, tick_after, sink_opened,
                 sink_failed, rows_released, rows_durable>;
  using effects = std::vector<effect>;

  explicit callback_sink_state(callback_sink_options options = {});

  [[nodiscard]] effects on_open_sink(const open_sink& x);
  [[nodiscard]] effects on_loaded(const expected<sink_opened>& x);
  [[nodiscard]] effects on_write_rows(write_rows x, duration now);
  [[nodiscard]] effects on_returned(const acknowledge& answer, const status& x);
  [[nodiscard]] effects on_acknowledge(const acknowledge& x, duration now);
  [[nodiscard]] effects on_store_watermark(const store_watermark& x,
                                           duration now);
  [[nodiscard]] effects on_tick(duration now);
  [[nodiscard]] effects on_stored(incarnation writer, const status& x,
                                  duration now);
  /// The sink ends: what is acknowledged is kept.
  [[nodiscard]] effects on_stop();

private:
  /// Where a batch takes a table.
  struct step {
    std::uint32_t place = 0; // in tables_
    row_cursor cursor;
    timestamp checkpoint;
  };
  /// A batch that is not acknowledged.
  struct open_batch {
    std::uint64_t number = 0;
    std::uint64_t rows = 0;
    timestamp highest; ///< A low watermark from here on covers all of it.
    std::vector<step> steps;
    std::vector<cohort_rows> cohort;
    std::vector<std::uint32_t> places; ///< Of its runs, in tables_.
    timestamp watermark; ///< True once this batch is acknowledged; 0: none.
  };
  /// One that is acknowledged, and not durable.
  struct acked_batch {
    std::uint64_t number = 0;
    timestamp highest;
    duration acked_at{};
  };
  struct table_entry {
    table_position acked; ///< Its cursor is the dedup barrier.
    bool stored = true;   ///< Or covered by the stored low watermark.
    const table_schema* schema = nullptr; ///< Of its last rows, in schemas_.
    schema_version version;               ///< Of that.
  };

  [[nodiscard]] bool speaks_to_me(incarnation writer) const noexcept {
    return writer && writer == writer_;
  }
  [[nodiscard]] bool something_to_store() const;
  [[nodiscard]] duration due() const;
  std::uint32_t place_of(table_id table, std::uint32_t hint = 0);
  const table_schema* schema_of(table_entry& of, const block_run& run);
  void note(write_item& item, open_batch& batch);
  [[nodiscard]] error note(const cohort_rows& rows, open_batch& batch,
                           held_changes& to);
  void take(const open_batch& batch, duration now);
  void take(std::uint32_t place, row_cursor cursor, timestamp checkpoint);
  void want_store(duration now, effects& out);
  void released(duration now, effects& out);
  store_positions store(bool with_positions);
  void on_positions_stored(duration now);
  void on_watermark_stored(duration now);
  effects fail(const error& reason);
  void forget();

  callback_sink_options options_;
  commit_pace_state pace_;
  feed_order order_ = feed_order::table;
  incarnation writer_; // 0: not open, everything is ignored.
  std::vector<table_entry> tables_;
  table_map places_;
  std::shared_ptr<schema_book> schemas_ = std::make_shared<schema_book>();
  std::deque<open_batch> open_;
  // -- acknowledged, not stored
  std::uint64_t acked_batch_ = 0; // All up to it.
  std::deque<acked_batch> acked_;
  std::vector<std::uint32_t> unstored_; // places
  timestamp acked_watermark_;
  // -- being stored
  bool storing_positions_ = false;
  duration store_began_{};
  // -- stored
  std::uint64_t durable_batch_ = 0;
  timestamp stored_watermark_;
  duration positions_due_{};
  duration watermark_due_{};
};

} // namespace sluice
