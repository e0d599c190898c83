#include "actors/sinks/commit_order.hpp"

#include <algorithm>
#include <cstddef>
#include <queue>

namespace sluice {

namespace {

bool has_rows(const write_item& x) {
  return x.block != nullptr && x.count > 0;
}

row_cursor cursor_of(const write_item& x, std::uint32_t row) {
  return x.block->grouped(x.first + row).cursor();
}

bool ascend(const std::vector<write_item>& items) {
  const write_item* before = nullptr;
  for (const auto& x : items) {
    if (!has_rows(x))
      continue;
    if (before != nullptr
        && cursor_of(x, 0) < cursor_of(*before, before->count - 1))
      return false;
    before = &x;
  }
  return true;
}

// The next row of an item; the queue gives the lowest first.
struct next_row {
  row_cursor at;
  row_place place;

  friend bool operator<(const next_row& x, const next_row& y) {
    return x.at > y.at;
  }
};

} // namespace

std::vector<row_place> commit_order(const std::vector<write_item>& items) {
  auto result = std::vector<row_place>{};
  if (ascend(items))
    return result;
  auto next = std::priority_queue<next_row>{};
  auto rows = std::size_t{0};
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    if (!has_rows(items[i]))
      continue;
    rows += items[i].count;
    next.push({cursor_of(items[i], 0), {i, 0}});
  }
  result.reserve(rows);
  while (!next.empty()) {
    auto [at, place] = next.top();
    next.pop();
    const auto& item = items[place.item];
    for (;;) { // as long as no other table comes in between
      result.push_back(place);
      if (++place.row == item.count)
        break;
      at = cursor_of(item, place.row);
      if (!next.empty() && next.top().at < at) {
        next.push({at, place});
        break;
      }
    }
  }
  return result;
}

} // namespace sluice
