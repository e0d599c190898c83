#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "messages/ids.hpp"

/// What a log engine must know of a block without holding it.
namespace sluice {

/// One table's rows in a block.
struct table_share {
  table_id table;
  row_cursor first;
  row_cursor last;
  std::uint64_t bytes = 0;

  friend bool operator==(const table_share&, const table_share&) = default;
  auto fields() { return std::tie(table, first, last, bytes); }
};

struct block_summary {
  std::vector<table_share> tables; ///< Ascending by table.
  /// Of a window: at which piece each table begins, and then their number.
  std::vector<std::uint32_t> pieces = {};
  std::uint32_t rows = 0;
  std::uint32_t complete = 0; ///< Rows up to the last end mark.
  row_cursor first;           ///< Of the first row.
  row_cursor last;            ///< Of the last row.
  row_cursor complete_to;     ///< Of the last complete row.

  [[nodiscard]] bool closed() const noexcept { return complete == rows; }
  friend bool operator==(const block_summary&, const block_summary&) = default;
  auto fields() {
    return std::tie(tables, pieces, rows, complete, first, last, complete_to);
  }
};

} // namespace sluice
