#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "messages/block_summary.hpp"
#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"

namespace sluice {

[[nodiscard]] block_summary summarize(const row_block& block);
/// Without its tables. @pre There are rows.
[[nodiscard]] block_summary outline(const row_block& block);
/// Of rows that nobody has made a block of. @pre There are some.
[[nodiscard]] block_summary summarize(std::string_view bytes,
                                      const row_places& places,
                                      const std::vector<std::uint32_t>& ends);

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
