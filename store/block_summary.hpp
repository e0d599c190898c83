#pragma once

#include <cstddef>
#include <vector>

#include "messages/block_summary.hpp"
#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"

namespace sluice {

[[nodiscard]] block_summary summarize(const row_block& block);
[[nodiscard]] std::vector<table_id> tables_in(const block_summary& x);

/// Rows [from, to) of `block` with the end marks that lie in them. The block
/// itself when that is all of it.
[[nodiscard]] block_ptr slice(const block_ptr& block, std::size_t from,
                              std::size_t to);

/// What is left of `block` after a log that ends at `last` has dropped the
/// rows <= `appended_to`; null when nothing is left.
/// @pre `last >= appended_to` unless the log is closed.
/// @error append_out_of_order
[[nodiscard]] expected<block_ptr>
admit(const block_ptr& block, row_cursor appended_to, row_cursor last);

} // namespace sluice
