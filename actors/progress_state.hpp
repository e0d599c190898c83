#pragma once

#include <algorithm>
#include <cstdint>

#include "messages/feed.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"

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
  /// Rows are on their way to the sink.
  /// @returns Rows among them at or below the checkpoint: 0, always; counted
  ///          because a violation must not stay unseen.
  std::uint64_t on_handed(const row_block& block, std::uint32_t first,
                          std::uint32_t count);
  /// So many of them are durable, up to there.
  void on_durable(std::uint64_t rows, const table_position& stored) {
    rows_ -= rows;
    stored_ = stored;
  }
  /// The sink lost what was not durable; it says where it stands.
  void on_sink_opened(const table_position& stored);

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
  [[nodiscard]] bool idle() const { return rows_ == 0; }
  [[nodiscard]] std::uint64_t rows_in_flight() const { return rows_; }

private:
  table_position stored_;
  timestamp latched_;
  std::uint64_t rows_ = 0; // on their way
};

} // namespace sluice
