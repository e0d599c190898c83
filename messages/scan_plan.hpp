#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "messages/disk.hpp"
#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"

/// Between an event store and its log engine: where rows of a scan are.
namespace sluice {

/// One range to look up in the log's index.
struct scan_wish {
  table_id table; ///< With `all_tables`: whole blocks.
  row_cursor after;
  block_index to;
  std::uint64_t bytes_max = 0;

  friend bool operator==(const scan_wish&, const scan_wish&) = default;
};

/// A block that holds rows of scans. What is left of several blocks after a
/// rewrite is one, and has the index of the first. `block` is null when the
/// rows must be read from disk at `location`. Only `location.segment` means
/// something to others: the number that `release` gives out once it can't be
/// read any more.
struct scan_block {
  block_index index;
  block_ptr block;
  block_location location;
  /// With rows in it. Of a plan for `all_tables`, if it must be read.
  std::vector<table_id> tables = {};
  row_cursor last = {}; ///< Of its last row.
};

/// Rows of one scan in one block.
struct scan_piece {
  std::uint32_t block = 0; ///< Its place in `planned_scans::blocks`.
  std::uint32_t run = 0;   ///< Of one table: see `first_run`.
};

/// Which blocks to read for one wish, and how far that gets.
struct planned_scan {
  std::size_t first = 0; ///< Of its pieces.
  std::size_t count = 0;
  /// Every row of the table after the cursor in blocks <= this one is in the
  /// pieces. Below what was asked for when the byte limit cut the plan, or
  /// where blocks are missing; above it when a rewritten block ends there.
  block_index complete_to;
  /// log_corrupt: nothing can be read before the scan would have to cross
  /// blocks that are missing. Says which file, and where in it.
  error failure = {};
};

/// What the index says about many wishes. Their tables share the blocks, so
/// that each is held once.
struct planned_scans {
  std::vector<scan_block> blocks;  ///< Some may be in no piece.
  std::vector<scan_piece> pieces;  ///< Of one scan after another, ascending.
  std::vector<planned_scan> scans; ///< As many as there were wishes.

  [[nodiscard]] std::span<scan_piece> pieces_of(const planned_scan& x) {
    return std::span{pieces}.subspan(x.first, x.count);
  }
};

/// For who reads pieces in turn and is at number `i`: what it looks at in those
/// that follow comes into the cache meanwhile, one step after another. Each
/// would be a miss: nobody has looked at most rows since they were appended.
/// Inlined because g++ 12 leaves out calls of what does nothing else.
[[gnu::always_inline]] inline void prefetch_behind(const planned_scans& x,
                                                   std::size_t i) noexcept {
  constexpr std::size_t step = 4; // pieces
  constexpr std::uint32_t rows_max = 8;
  auto block = [&](std::size_t ahead) -> const row_block* {
    if (i + ahead >= x.pieces.size())
      return nullptr;
    const auto& piece = x.pieces[i + ahead];
    const auto* result = x.blocks[piece.block].block.get();
    return result != nullptr && piece.run < result->runs().size() ? result
                                                                  : nullptr;
  };
  auto run = [&](const row_block& of, std::size_t ahead) {
    return &of.runs()[x.pieces[i + ahead].run];
  };
  if (const auto* of = block(3 * step)) {
    __builtin_prefetch(run(*of, 3 * step));
    __builtin_prefetch(run(*of, 3 * step) + 1);
  }
  if (const auto* of = block(2 * step))
    __builtin_prefetch(&of->places().grouped[run(*of, 2 * step)->first]);
  if (const auto* of = block(step)) {
    const auto& rows = *run(*of, step);
    for (std::uint32_t k = 0; k < std::min(rows.count, rows_max); ++k)
      of->grouped(rows.first + k).prefetch();
  }
}

} // namespace sluice
