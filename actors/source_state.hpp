#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/copy_pace_state.hpp"
#include "actors/row_splitter_state.hpp"
#include "messages/append.hpp"
#include "messages/control.hpp"
#include "messages/schema.hpp"

namespace sluice {

struct source_options {
  std::string name; ///< Of the upstream, as checkpoint_store knows it.
  incarnation writer{1};
  std::vector<partition_id> partitions{{1}};
  std::uint64_t window_bytes = 16U << 20U; ///< Sent and not answered.
  std::size_t read_bytes = 1U << 20U;      ///< Asked of the connector at once.
  std::size_t declared_max = 1'000;        ///< Schemas in one declare_schemas.
  std::chrono::milliseconds confirm_interval{50};
  std::chrono::milliseconds retry_min{100};
  std::chrono::milliseconds retry_max{5000};
  /// Of the random numbers that lengthen a retry by up to a quarter, so that
  /// many services do not come back to a server all at once. 0: none.
  std::uint64_t jitter_seed = 0;
};

/// What one read gave; see source_batch.
struct source_read {
  std::vector<ddl_event> schemas;
  block_ptr rows;
  timestamp resolved;
  std::string copying; ///< Table, or empty.
  std::uint64_t copied = 0;
  std::uint64_t copy_total = 0;
  std::uint64_t copied_all = 0;
  std::uint64_t copy_all_total = 0;
  bool more = false;
};

// -- calls of the connector ---------------------------------------------------

/// Answered by `on_opened`.
struct call_open {
  row_cursor resume;
  timestamp highest; ///< See source_position.
};
/// Answered by `on_read`.
struct call_read {
  std::size_t bytes_max = 0;
};
/// Answered by `on_confirmed`. `note`: durably, before the call.
struct call_confirm {
  timestamp ts;
  bool note = false;
};

// -- messages -----------------------------------------------------------------

/// To the event store of a partition, by its place in the options.
template <class Message>
struct to_partition {
  std::size_t place = 0;
  Message message;
};

/// A tick to itself after `delay`.
struct wake_source {
  std::chrono::milliseconds delay{};
};
/// A tick after as long as the connector says.
struct wait_idle {
  std::uint32_t empty_reads = 0;
};
/// Answers stop_source.
struct source_stopped {};

/// Drives a source: the order of attach, resume, open, declare, read, append,
/// confirm, and starting over. A plain state machine; `source` makes the
/// calls that block.
class source_state {
public:
  using effect = std::variant<
    call_open, call_read, call_confirm, to_partition<attach_source>,
    to_partition<append_rows>, to_partition<known_tables>, declare_schemas,
    schema_resolved, wake_source, wait_idle, source_stopped>;
  using effects = std::vector<effect>;
  using milliseconds = std::chrono::milliseconds;

  explicit source_state(source_options options = {});

  /// @param confirmed What was noted as confirmed in an earlier run.
  [[nodiscard]] effects on_start(timestamp confirmed);
  [[nodiscard]] effects on_stop();

  [[nodiscard]] effects on_attached(const source_attached& message);
  [[nodiscard]] effects on_rows_appended(const rows_appended& message,
                                         milliseconds now);
  [[nodiscard]] effects on_append_failed(const append_failed& message,
                                         milliseconds now);
  [[nodiscard]] effects on_source_confirmed(const source_confirmed& message,
                                            milliseconds now);
  [[nodiscard]] effects on_declared(const schemas_declared& message,
                                    milliseconds now);

  /// @param schemas Of all captured tables.
  [[nodiscard]] effects on_opened(std::vector<ddl_event> schemas,
                                  const error& failure, milliseconds now);
  [[nodiscard]] effects on_read(source_read batch, const error& failure,
                                milliseconds now);
  /// @param more There is work left for another call.
  void on_confirmed(bool more, const error& failure);
  [[nodiscard]] effects on_tick(milliseconds now);

  [[nodiscard]] source_status status() const;

private:
  enum class phase { waiting, attaching, declaring, reading, retrying, failed };

  struct partition_entry {
    partition_id id;
    std::optional<row_cursor> appended_to; // since the last attach
    std::uint64_t number = 0;              // of the last append sent
    std::deque<std::pair<std::uint64_t, std::uint64_t>> unanswered; // bytes
    timestamp confirmed;
    feed_id held_by;
  };

  [[nodiscard]] std::size_t place_of(partition_id id) const;
  [[nodiscard]] feed_id held_by() const;
  void attach(effects& out);
  void retry(effects& out, milliseconds now);
  [[nodiscard]] milliseconds jitter();
  void fail_with(const error& failure, effects& out, milliseconds now);
  void declare(std::vector<ddl_event> schemas, effects& out);
  void send(source_read batch, effects& out);
  void send_to(std::size_t place, block_ptr block, effects& out);
  void after_batch(bool empty, bool more, effects& out);
  void go_on(effects& out, milliseconds now);
  void confirm_if_due(effects& out, milliseconds now);
  void wake(milliseconds delay, effects& out);
  void stop_if_done(effects& out);
  [[nodiscard]] bool room() const;
  void note_copy(const source_read& batch, milliseconds now);

  source_options options_;
  phase phase_ = phase::waiting;
  bool stopping_ = false;
  std::vector<partition_entry> partitions_;
  row_splitter_state splitter_;
  std::uint64_t unanswered_bytes_ = 0;
  std::uint64_t declaration_ = 0; // number of the last one sent
  // Those sent to SCHEMA_STORE and not acknowledged, since the last attach.
  std::set<std::uint64_t> undeclared_;
  std::optional<source_read> batch_; // waits for its schemas
  bool soon_ = false;                // a tick without delay is on its way
  bool timer_ = false;               // a delayed one is
  bool read_next_ = false;           // the next tick, or room, leads to a read
  std::uint32_t empty_reads_ = 0;
  milliseconds retry_delay_{};
  milliseconds retry_at_{};
  timestamp promised_; // since the last attach
  timestamp logged_;   // resolved by the log, also in earlier runs
  timestamp noted_;    // confirmed durably, also in earlier runs
  timestamp last_row_; // sent to the log in this run
  timestamp confirm_to_;
  timestamp confirming_;
  bool noting_ = false; // that is noted first
  timestamp confirmed_;
  bool confirm_more_ = false;
  std::optional<milliseconds> last_confirm_;
  source_status status_;
  copy_pace_state copy_pace_;
};

} // namespace sluice
