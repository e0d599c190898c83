#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/errc.hpp"
#include "messages/schema.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// One version of one captured table: it has an outbox table of its own, so a
/// row is always read with the columns that it was written with.
struct capture {
  std::int64_t id = 0; ///< `sluice_log.tbl`, and in the outbox tables' names.
  std::string name;    ///< Of the captured table.
  std::uint64_t version = 0;  ///< schema_version
  std::uint64_t from_seq = 0; ///< Its rows come after it.
  std::uint64_t copy_seq = 0; ///< Of the table's last copy.
  std::uint64_t end_seq = 0;  ///< Its rows end here; 0: still captured.
  bool dropped = false;       ///< It ended because the table was dropped.
  std::vector<column> columns;
};

/// All captures there ever were, ascending by id. None before the set-up.
[[nodiscard]] expected<std::vector<capture>> load_captures(sqlite_db& db);

/// Writes everything of `x`; `x.id` 0 is a new one and gets its id.
[[nodiscard]] status store_capture(sqlite_db& db, capture& x);

/// Inserts a marker into the outbox. @returns Its sequence.
[[nodiscard]] expected<std::uint64_t> insert_marker(sqlite_db& db, int op);

/// The last sequence given out.
[[nodiscard]] expected<std::uint64_t> last_sequence(sqlite_db& db);

/// Whether the outbox is there at all.
[[nodiscard]] expected<bool> has_outbox(sqlite_db& db);

[[nodiscard]] table_schema schema_of(const capture& x, table_id table);

} // namespace sluice
