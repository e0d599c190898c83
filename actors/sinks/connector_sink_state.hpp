#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "actors/sinks/commit_pace_state.hpp"
#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/schema_book.hpp"
#include "messages/sink.hpp"

namespace sluice {

struct connector_sink_options {
  /// Rows in one target transaction before it is committed although more
  /// batches wait in the mailbox.
  std::uint64_t commit_rows_max = 10'000;
  /// A low watermark that no rows carry along is stored at most this often.
  std::chrono::milliseconds watermark_interval{100};
};

/// Decides when what was written to a target is committed, and what is said
/// of it. Rows, positions and low watermark go into the same transactions in
/// the order of the messages: a commit holds only watermarks that came so
/// far, and so the rows that they speak for are in it or in an earlier one.
class connector_sink_state {
public:
  using duration = std::chrono::nanoseconds;

  /// Opens the target; on_connected says how it went.
  struct connect {
    feed_record feed;

    friend bool operator==(const connect&, const connect&) = default;
  };
  /// Writes into the open transaction; on_written says how it went.
  struct write_target {
    std::vector<write_item> items; ///< Those that have rows.

    friend bool operator==(const write_target&, const write_target&) = default;
  };
  /// Commits; on_committed says how it went.
  struct commit_target {
    std::vector<table_position> positions;
    std::optional<timestamp> low_watermark;

    friend bool operator==(const commit_target&,
                           const commit_target&) = default;
  };
  /// To oneself, after that time.
  struct tick_after {
    duration delay{};

    friend bool operator==(const tick_after&, const tick_after&) = default;
  };
  using effect =
    std::variant<connect, write_target, commit_target, tick_after, sink_opened,
                 sink_failed, rows_released, rows_durable>;
  using effects = std::vector<effect>;

  explicit connector_sink_state(connector_sink_options options = {});

  [[nodiscard]] effects on_open_sink(const open_sink& x);
  [[nodiscard]] effects on_connected(const expected<sink_opened>& x);
  [[nodiscard]] effects on_write_rows(write_rows x);
  [[nodiscard]] effects on_written(const status& x, duration now);
  [[nodiscard]] effects on_store_watermark(const store_watermark& x,
                                           duration now);
  [[nodiscard]] effects on_tick(duration now);
  [[nodiscard]] effects on_committed(const status& x, duration now);

private:
  [[nodiscard]] bool speaks_to_me(incarnation writer) const noexcept {
    return writer && writer == writer_;
  }
  /// When a watermark without rows may be stored.
  [[nodiscard]] duration watermark_due(duration now) const;
  void want_tick(duration now, duration due, effects& out);
  effects commit();
  effects fail(const error& reason);
  void forget();

  connector_sink_options options_;
  schema_book schemas_;
  commit_pace_state pace_;
  incarnation writer_; // 0: not open, everything is ignored.
  // -- the open transaction
  std::uint64_t rows_ = 0;
  std::map<table_id, table_position> positions_;
  std::uint64_t batch_ = 0; // The last one written.
  bool torn_ = false;       // It ends inside of a source transaction.
  // -- durable
  std::uint64_t durable_batch_ = 0;
  timestamp asked_watermark_; // Above the stored one: still to be stored.
  timestamp stored_watermark_;
  std::optional<duration> last_commit_;
};

} // namespace sluice
