#include "store/segment_index.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

namespace {

// Look-ups of tables that are under way at once.
constexpr std::size_t prefetched = 16;

} // namespace

std::vector<indexed_share> shares_of(const std::vector<block_run>& runs) {
  auto result = std::vector<indexed_share>{};
  result.reserve(runs.size());
  for (const auto& x : runs) {
    auto bytes = static_cast<std::uint32_t>(x.bytes);
    if (result.empty() || result.back().table != x.table) {
      result.push_back({x.table, x.last_cursor, bytes});
    } else {
      auto& share = result.back();
      share.last = std::max(share.last, x.last_cursor);
      share.bytes += bytes;
    }
  }
  return result;
}

std::vector<indexed_share> shares_of(const std::vector<table_share>& tables) {
  auto result = std::vector<indexed_share>{};
  result.reserve(tables.size());
  for (const auto& x : tables)
    result.push_back({x.table, x.last, static_cast<std::uint32_t>(x.bytes)});
  return result;
}

const held_block& segment_index::at(block_index index) const {
  auto place = index.value - first_.value; // unless it was rewritten
  if (place < blocks_.size() && blocks_[place].index == index)
    return blocks_[place];
  return *std::partition_point(
    blocks_.begin(), blocks_.end(),
    [&](const held_block& x) { return x.index < index; });
}

void segment_index::add(held_block block) {
  blocks_.push_back(std::move(block));
  link(blocks_.size() - 1);
}

// A pass of its own: its misses would hold up what makes the shares.
void segment_index::link(std::uint64_t block) {
  auto& shares = blocks_[block].shares;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (i + prefetched < shares.size())
      newest_.prefetch(shares[i + prefetched].table);
    shares[i].previous = newest_.exchange(shares[i].table, block << 32 | i);
    row_bytes_ += shares[i].bytes;
  }
}

void segment_index::cut(block_index last) {
  auto keep = std::partition_point(
    blocks_.begin(), blocks_.end(),
    [&](const held_block& x) { return x.first <= last; });
  if (keep != blocks_.begin()) {
    auto& x = *std::prev(keep);
    x.index = std::min(x.index, last);
  }
  if (keep == blocks_.end())
    return;
  blocks_.erase(keep, blocks_.end());
  newest_ = {};
  row_bytes_ = 0;
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    link(i);
}

} // namespace sluice
