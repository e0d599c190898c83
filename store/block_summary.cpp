#include "store/block_summary.hpp"

#include <algorithm>

namespace sluice {

block_summary summarize(const row_block& block) {
  auto result = block_summary{};
  // Runs are sorted by table, then schema version.
  for (const auto& run : block.runs()) {
    if (result.tables.empty() || result.tables.back().table != run.table)
      result.tables.push_back(
        {run.table, run.first_cursor, run.last_cursor, 0});
    auto& share = result.tables.back();
    share.first = std::min(share.first, run.first_cursor);
    share.last = std::max(share.last, run.last_cursor);
    share.bytes += run.bytes;
  }
  result.rows = static_cast<std::uint32_t>(block.rows());
  result.first = block.first_cursor();
  result.last = block.last_cursor();
  if (!block.ends().empty()) {
    result.complete = block.ends().back();
    result.complete_to = block.row(result.complete - 1).cursor();
  }
  return result;
}

std::vector<table_id> tables_in(const block_summary& x) {
  auto result = std::vector<table_id>{};
  result.reserve(x.tables.size());
  for (const auto& share : x.tables)
    result.push_back(share.table);
  return result;
}

block_ptr slice(const block_ptr& block, std::size_t from, std::size_t to) {
  if (from == 0 && to == block->rows())
    return block;
  auto builder = row_block_builder{};
  auto end = block->ends().begin();
  while (end != block->ends().end() && *end <= from)
    ++end;
  for (auto i = from; i < to; ++i) {
    builder.add(block->row(i));
    if (end != block->ends().end() && *end == i + 1) {
      builder.end();
      ++end;
    }
  }
  return builder.finish();
}

expected<block_ptr> admit(const block_ptr& block, row_cursor appended_to,
                          row_cursor last) {
  if (block == nullptr)
    return block_ptr{};
  std::size_t repeated = 0;
  while (repeated < block->rows()
         && block->row(repeated).cursor() <= appended_to)
    ++repeated;
  auto previous = std::max(appended_to, last);
  for (auto i = repeated; i < block->rows(); ++i) {
    auto cursor = block->row(i).cursor();
    if (cursor <= previous)
      return fail(errc::append_out_of_order,
                  "row " + std::to_string(i) + " of "
                    + std::to_string(block->rows()) + ", "
                    + to_string(block->row(i).table()) + ' ' + to_string(cursor)
                    + ", comes after " + to_string(previous));
    previous = cursor;
  }
  if (repeated == block->rows())
    return block_ptr{};
  return slice(block, repeated, block->rows());
}

} // namespace sluice
