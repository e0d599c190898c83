#include "store/block_summary.hpp"

#include <algorithm>

namespace sluice {

namespace {

// Rows of a block are far apart, and nobody may have looked at them for long.
constexpr std::size_t prefetched = 32;

std::vector<table_share> tables_of(const std::vector<block_run>& runs) {
  auto result = std::vector<table_share>{};
  result.reserve(runs.size());
  // Runs are sorted by table, then schema version.
  for (const auto& run : runs) {
    if (result.empty() || result.back().table != run.table)
      result.push_back({run.table, run.first_cursor, run.last_cursor, 0});
    auto& share = result.back();
    share.first = std::min(share.first, run.first_cursor);
    share.last = std::max(share.last, run.last_cursor);
    share.bytes += run.bytes;
  }
  return result;
}

block_summary outline(std::string_view bytes, const row_places& places,
                      const std::vector<std::uint32_t>& ends) {
  auto cursor = [&](std::size_t i) {
    return row_view{bytes.data() + places.offsets[i]}.cursor();
  };
  auto result = block_summary{};
  result.rows = static_cast<std::uint32_t>(places.offsets.size());
  result.first = cursor(0);
  result.last = cursor(places.offsets.size() - 1);
  if (!ends.empty()) {
    result.complete = ends.back();
    result.complete_to = cursor(result.complete - 1);
  }
  return result;
}

} // namespace

block_summary outline(const row_block& block) {
  return outline(block.bytes(), block.places(), block.ends());
}

block_summary summarize(const row_block& block) {
  return summarize(block.bytes(), block.places(), block.ends());
}

block_summary summarize(std::string_view bytes, const row_places& places,
                        const std::vector<std::uint32_t>& ends) {
  auto result = outline(bytes, places, ends);
  result.tables = tables_of(places.runs);
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
    if (i + prefetched < block->rows())
      block->row(i + prefetched).prefetch();
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
