#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/sources/sqlite/source_table.hpp"

/// The SQL of the outbox. Pure: text in, text out.
namespace sluice {

/// Numbers in `sluice_log.op`; the first three are those of row_op.
enum class log_op : std::uint8_t {
  marker = 0, ///< No row: a place in the order, e.g. of a DDL.
  insert = 1,
  update = 2,
  erase = 3,
  copy = 4, ///< No row: the place of a copy.
};

/// A trigger of ours, as SQLite keeps it in its schema.
struct trigger_text {
  std::string name;
  std::string table;
  std::string sql;

  friend bool operator==(const trigger_text&, const trigger_text&) = default;
};

/// Most columns that a captured table may have: an update stores both images,
/// and SQLite ends at 2,000.
inline constexpr std::size_t captured_columns_max = 900;

/// `sluice_rows_<capture>`: the images, by sequence.
[[nodiscard]] std::string rows_table(std::int64_t capture);
/// `sluice_gone_<capture>`: rows that a statement in progress may displace.
[[nodiscard]] std::string gone_table(std::int64_t capture);

/// Creates what all captures share.
[[nodiscard]] std::vector<std::string> outbox_sql();
/// Creates the outbox table of one capture.
[[nodiscard]] std::string rows_table_sql(const source_table& table,
                                         std::int64_t capture);
/// Creates the scratch table of one capture and its indexes.
[[nodiscard]] std::vector<std::string> gone_table_sql(const source_table& table,
                                                      std::int64_t capture);

/// The triggers of one capture, in the order of their creation. The last one
/// is on the scratch table, where it stays when the captured table is dropped:
/// triggers of the others that are newer than it were made by somebody else.
///
/// REPLACE fires no delete trigger for the rows it displaces. So the BEFORE
/// triggers copy every row that the new one could displace into the scratch
/// table, and the AFTER triggers turn those that are gone into deletes. An
/// entry is kept equal to its row as long as that exists; what IGNORE and
/// UPSERT leave behind is therefore harmless, and bounded.
[[nodiscard]] std::vector<trigger_text>
capture_triggers(const source_table& table, std::int64_t capture);

/// Inserts one update record, without a change, for each row in which a
/// column from `first_new` on is not null; `?1` is the last sequence used.
[[nodiscard]] std::vector<std::string> refresh_sql(const source_table& table,
                                                   std::int64_t capture,
                                                   std::size_t first_new);

} // namespace sluice
