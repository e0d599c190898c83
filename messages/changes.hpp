#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "messages/schema_book.hpp"
#include "messages/sink.hpp"

/// Rows as a consumer's code goes through them.
namespace sluice {

/// One row of several runs.
struct row_place {
  std::uint32_t item = 0; ///< Which run.
  std::uint32_t row = 0;  ///< Counted from its first.

  friend bool operator==(const row_place&, const row_place&) = default;
};

/// Rows of one table and one schema that stand together in a block.
struct change_run {
  const row_block* block = nullptr;
  const table_schema* schema = nullptr;
  std::uint32_t first = 0; ///< In the block's grouped order.
  std::uint32_t count = 0;

  friend bool operator==(const change_run&, const change_run&) = default;
};

/// What a batch holds: all that its runs point into.
struct held_changes {
  std::vector<write_item> items;
  std::vector<cohort_rows> cohort;
  std::shared_ptr<const schema_book> schemas;
  std::vector<change_run> runs; ///< Of the items, one each; then the cohort's.
  std::vector<row_place> order; ///< Empty: run after run.
  std::size_t size = 0;
  bool torn = false;

  /// Whether they are the same rows.
  friend bool operator==(const held_changes& x, const held_changes& y) {
    return x.items == y.items && x.cohort == y.cohort && x.torn == y.torn;
  }
};

} // namespace sluice
