#pragma once

#include <cstdint>
#include <vector>

#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"

/// What a log engine must know of a block without holding it.
namespace sluice {

/// One table's rows in a block.
struct table_share {
  table_id table;
  row_cursor first;
  row_cursor last;
  std::uint64_t bytes = 0;
};

struct block_summary {
  std::vector<table_share> tables; ///< Ascending by table.
  std::uint32_t rows = 0;
  std::uint32_t complete = 0; ///< Rows up to the last end mark.
  row_cursor first;           ///< Of the first row.
  row_cursor last;            ///< Of the last row.
  row_cursor complete_to;     ///< Of the last complete row.

  [[nodiscard]] bool closed() const noexcept { return complete == rows; }
};

[[nodiscard]] block_summary summarize(const row_block& block);

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
