#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "actors/sources/postgres/replication_stream.hpp"
#include "actors/sources/postgres/row_assembly.hpp"

namespace sluice::postgres {

/// A slot's stream as rows.
class slot_reader {
public:
  /// What the rows are of; see row_assembly.
  struct request {
    captured_tables& tables;
    row_cursor resume;
    std::uint64_t base = 0;
    std::string where; ///< For messages.
  };

  slot_reader(std::unique_ptr<replication_stream> from, const request& what);

  /// Takes what is there, about `bytes_max` of rows, up to the first
  /// transaction that commits at or above `limit`.
  /// @param wait For the first of it, so long at most.
  /// @error Of the stream; of row_assembly
  [[nodiscard]] status read(std::size_t bytes_max,
                            std::chrono::milliseconds wait,
                            lsn limit = std::numeric_limits<lsn>::max());
  /// Everything below `limit` of the last read came.
  [[nodiscard]] bool reached() const noexcept { return reached_; }
  /// More is there.
  [[nodiscard]] bool more() const noexcept { return !unread_.empty(); }

  [[nodiscard]] row_assembly& rows() noexcept { return rows_; }
  [[nodiscard]] const row_assembly& rows() const noexcept { return rows_; }
  /// The server may forget what is below.
  void confirm(lsn flushed) { from_->confirm(flushed); }
  /// @see frame_queue::retained_bytes
  [[nodiscard]] std::uint64_t retained_bytes() const {
    return from_->retained_bytes();
  }

private:
  expected<std::string> take(std::chrono::milliseconds wait);

  std::unique_ptr<replication_stream> from_;
  row_assembly rows_;
  std::string where_;
  std::string entries_;        // taken
  std::string_view unread_;    // rest of them
  std::size_t read_bytes_ = 0; // by the last read
  bool reached_ = false;
};

} // namespace sluice::postgres
