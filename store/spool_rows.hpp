#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "messages/errc.hpp"
#include "messages/row.hpp"
#include "messages/spool.hpp"
#include "store/block_summary.hpp"
#include "store/log_engine.hpp"

/// Rows of transactions that have not committed: their commit_ts and start_ts
/// are 0. What engines have in common; no I/O.
namespace sluice {

/// Rows that were spooled together, and whose they are.
struct spooled_rows {
  block_ptr block; ///< Null: nothing is left.
  std::vector<rows_of_transaction> of;
};

/// @param last The position before them; none: they are the first.
/// @error malformed, append_out_of_order
[[nodiscard]] expected<spooled_rows>
admit_spooled(transaction_id transaction, const block_ptr& rows,
              const std::vector<rows_of_transaction>& of,
              std::optional<std::uint64_t> last);

[[nodiscard]] spooled_rows without(const spooled_rows& x,
                                   const std::set<transaction_id>& left_out);

/// @param rows How many records there are.
/// @param ends Whether the transaction ends with them.
/// @error log_corrupt; the detail lacks the place
[[nodiscard]] expected<block_ptr> committed_rows(std::string records,
                                                 std::uint32_t rows,
                                                 const spool_commit& how,
                                                 bool ends);

/// The summary of rows as that of `committed_rows`.
[[nodiscard]] block_summary committed(block_summary x, const spool_commit& how,
                                      bool ends);

/// Whether a log has the rows [first, last] of a transaction already.
/// @param after The log's last row.
/// @error append_out_of_order
[[nodiscard]] expected<bool> is_repeated(row_cursor first, row_cursor last,
                                         row_cursor appended_to,
                                         row_cursor after);

} // namespace sluice
