#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "messages/delivery.hpp"
#include "messages/feed.hpp"
#include "messages/ids.hpp"

namespace sluice {

/// How far the target of one stream is. Counts what is under way to the sink
/// and never reports what a restart of the sink would not read back.
class progress_state {
public:
  progress_state() = default;
  /// @param stored What the target says of the table.
  progress_state(const table_position& stored, timestamp start)
    : stored_{stored}, latched_{start} {
    // nop
  }

  /// A new registration: its start is believed. What is under way to the sink
  /// stays so.
  void renew(timestamp start) { latched_ = start; }
  /// Rows go to the sink as part of `batch`.
  /// @param complete Everything <= it was accepted before.
  /// @returns Rows among them at or below the checkpoint: 0, always; counted
  ///          because a violation must not stay unseen.
  std::uint64_t on_accepted(std::uint64_t batch, const delivery_item& rows,
                            const table_position& after, timestamp complete);
  /// Batches up to `batch` are durable. @returns How many rows that was.
  std::uint64_t on_durable(std::uint64_t batch);
  /// The sink lost what was not durable; it says where it stands.
  void on_sink_opened(const table_position& stored);

  /// All rows <= it are durable, as far as this process knows.
  [[nodiscard]] timestamp target_checkpoint(timestamp effective) const {
    return waiting_.empty() ? effective
                            : std::min(effective, waiting_.front().complete);
  }
  /// What may be reported: durable at the target itself, not above what was
  /// accepted in this epoch, and never below what was reported before.
  [[nodiscard]] timestamp report(timestamp low_watermark,
                                 timestamp accepted_to);
  /// Highest checkpoint reported in this registration.
  [[nodiscard]] timestamp latched() const { return latched_; }
  /// Durable at the target: a start of a registration.
  [[nodiscard]] timestamp durable(timestamp low_watermark) const {
    return std::max(stored_.checkpoint, low_watermark);
  }
  [[nodiscard]] const table_position& stored() const { return stored_; }
  [[nodiscard]] bool idle() const { return waiting_.empty(); }
  [[nodiscard]] std::uint64_t rows_in_flight() const { return rows_; }

private:
  struct batch_rows {
    std::uint64_t batch = 0;
    timestamp complete; ///< Before them.
    table_position after;
    std::uint64_t rows = 0;
  };
  table_position stored_;
  timestamp latched_;
  std::deque<batch_rows> waiting_;
  std::uint64_t rows_ = 0;
};

} // namespace sluice
