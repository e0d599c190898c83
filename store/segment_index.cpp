#include "store/segment_index.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

namespace {

// Look-ups of tables that are under way at once.
constexpr std::size_t prefetched = 16;

} // namespace

const held_block& segment_index::at(block_index index) const {
  auto place = index.value - first_.value; // unless it was rewritten
  if (place < blocks_.size() && blocks_[place].index == index)
    return blocks_[place];
  return *std::partition_point(
    blocks_.begin(), blocks_.end(),
    [&](const held_block& x) { return x.index < index; });
}

std::vector<table_share>
segment_index::shares_of(const held_block& block) const {
  auto next = static_cast<std::size_t>(&block - blocks_.data()) + 1;
  auto end = next < blocks_.size() ? blocks_[next].shares : shares_.size();
  auto result = std::vector<table_share>{};
  for (std::size_t i = block.shares; i < end; ++i)
    result.push_back({shares_[i].table, {}, shares_[i].last, shares_[i].bytes});
  return result;
}

std::vector<table_id> segment_index::tables_in(const held_block& block) const {
  auto result = std::vector<table_id>{};
  for (const auto& x : shares_of(block))
    result.push_back(x.table);
  return result;
}

void segment_index::add(held_block block,
                        const std::vector<table_share>& tables) {
  auto number = static_cast<std::uint32_t>(shares_.size());
  auto place = static_cast<std::uint32_t>(blocks_.size());
  block.shares = number;
  blocks_.push_back(std::move(block));
  for (std::size_t i = 0; i < tables.size(); ++i, ++number) {
    if (i + prefetched < tables.size())
      newest_.prefetch(tables[i + prefetched].table);
    const auto& x = tables[i];
    shares_.push_back({x.table, x.last, static_cast<std::uint32_t>(x.bytes),
                       place, newest_.exchange(x.table, number)});
    row_bytes_ += x.bytes;
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
  shares_.resize(keep->shares);
  blocks_.erase(keep, blocks_.end());
  newest_ = {};
  row_bytes_ = 0;
  for (std::uint32_t i = 0; i < shares_.size(); ++i) {
    (void) newest_.exchange(shares_[i].table, i);
    row_bytes_ += shares_[i].bytes;
  }
}

} // namespace sluice
