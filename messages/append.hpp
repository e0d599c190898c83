#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"

/// Between a source and its event store, one per partition.
namespace sluice {

/// What becomes of rows that find the disk of the log full.
enum class full_disk : std::uint8_t {
  wait, ///< Until there is room; their source reads no further meanwhile.
  fail, ///< Their source starts over, after a while.
};

/// SOURCE -> EVENT_STORE: a new incarnation takes over. Rows of a transaction
/// that the former one left open are forgotten.
struct attach_source {
  incarnation writer;

  friend bool operator==(const attach_source&, const attach_source&) = default;
  auto fields() { return std::tie(writer); }
};

/// EVENT_STORE -> SOURCE: resume after this.
struct source_attached {
  partition_id partition;
  row_cursor appended_to; ///< At an end mark.
  timestamp resolved;

  friend bool operator==(const source_attached&,
                         const source_attached&) = default;
  auto fields() { return std::tie(partition, appended_to, resolved); }
};

/// SOURCE -> EVENT_STORE: rows in commit order, and the promise that no row
/// <= resolved follows. Rows the log has already are dropped.
struct append_rows {
  incarnation writer;
  std::uint64_t number = 0; ///< 1, 2, 3, ... of that writer.
  block_ptr block;          ///< Null: only the promise.
  timestamp resolved;

  friend bool operator==(const append_rows&, const append_rows&) = default;
  auto fields() { return std::tie(writer, number, block, resolved); }
};

/// EVENT_STORE -> SOURCE: `number` and all before are in the log: the window
/// moves.
struct rows_appended {
  partition_id partition;
  std::uint64_t number = 0;

  friend bool operator==(const rows_appended&, const rows_appended&) = default;
  auto fields() { return std::tie(partition, number); }
};

/// EVENT_STORE -> SOURCE: the append failed; nothing of it is in the log. The
/// source attaches again (disk_full, log_io: after a while).
struct append_failed {
  partition_id partition;
  std::uint64_t number = 0;
  error reason;

  friend bool operator==(const append_failed&, const append_failed&) = default;
  auto fields() { return std::tie(partition, number, reason); }
};

/// EVENT_STORE -> SOURCE: everything <= ts survives a power cut, and may be
/// forgotten upstream.
struct source_confirmed {
  partition_id partition;
  timestamp ts;
  feed_id held_by; ///< More is durable, but its sink has not got it; 0: none.

  friend bool operator==(const source_confirmed&,
                         const source_confirmed&) = default;
  auto fields() { return std::tie(partition, ts, held_by); }
};

} // namespace sluice
