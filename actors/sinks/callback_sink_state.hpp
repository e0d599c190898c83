#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "actors/sinks/commit_pace_state.hpp"
#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/sink.hpp"

namespace sluice {

struct callback_sink_options {
  /// Acknowledged positions are stored at most this often ...
  std::chrono::milliseconds store_interval{50};
  /// ... but after that many acknowledged rows.
  std::uint64_t store_rows_max = 4'000;
  /// A low watermark alone is stored at most this often.
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
    std::vector<write_item> items;
    feed_order order = feed_order::table;
    bool torn = false;

    friend bool operator==(const call&, const call&) = default;
  };
  /// Stores what is acknowledged; on_stored says how it went.
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
  /// A batch that is not acknowledged.
  struct open_batch {
    std::uint64_t number = 0;
    std::uint64_t rows = 0;
    std::vector<table_position> positions;
    timestamp watermark; ///< True once this batch is acknowledged; 0: none.
  };

  [[nodiscard]] bool speaks_to_me(incarnation writer) const noexcept {
    return writer && writer == writer_;
  }
  [[nodiscard]] bool something_to_store() const;
  [[nodiscard]] duration due(duration now) const;
  void drop_known_rows(write_item& item) const;
  void take(const open_batch& batch);
  void released(duration now, effects& out);
  store_positions store();
  effects fail(const error& reason);
  void forget();

  callback_sink_options options_;
  commit_pace_state pace_;
  feed_order order_ = feed_order::table;
  incarnation writer_;                   // 0: not open, everything is ignored.
  std::map<table_id, row_cursor> known_; // Stored: the dedup barrier.
  std::deque<open_batch> open_;
  // -- acknowledged, not stored
  std::uint64_t acked_batch_ = 0; // All up to it.
  std::uint64_t acked_rows_ = 0;
  std::map<table_id, table_position> acked_;
  timestamp acked_watermark_;
  // -- stored
  std::uint64_t stored_batch_ = 0;
  timestamp stored_watermark_;
  std::optional<duration> last_store_;
};

} // namespace sluice
