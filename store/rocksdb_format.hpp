#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"
#include "store/block_summary.hpp"

/// Keys and values of rocksdb_log. No I/O.
///
/// A segment's column family has, of each block, one entry under its index, and
/// one per table with the table's records. Numbers in keys are big-endian, so
/// that keys stand in the order in which a table is read.
namespace sluice {

inline constexpr std::uint32_t rocksdb_format = 1;

/// "b", index.
[[nodiscard]] std::string block_key(block_index index);
/// "r", table, commit_ts, start_ts, position: of the first of the rows.
[[nodiscard]] std::string rows_key(table_id table, row_cursor first);

/// A block without its rows.
struct stored_block {
  block_index index;
  block_summary summary;
  timestamp resolved;
  std::vector<std::uint32_t> ends;
};

[[nodiscard]] std::string encode(const block_summary& summary,
                                 timestamp resolved,
                                 const std::vector<std::uint32_t>& ends);
/// @error log_corrupt; the detail lacks the place
[[nodiscard]] expected<stored_block>
decode_stored_block(std::string_view key, std::string_view value);

/// The records of one table in a block, in commit order.
/// @param run The table's first run; afterwards the first one of the next.
[[nodiscard]] std::vector<std::string_view> next_table(const row_block& block,
                                                       std::size_t& run);
/// Puts the records of several tables back into commit order.
/// @error log_corrupt; the detail lacks the place
[[nodiscard]] expected<std::string>
merge_records(const std::vector<std::string>& tables);

} // namespace sluice
