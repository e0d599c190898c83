#include "actors/sinks/commit_order.hpp"

#include <doctest/doctest.h>

#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

// One item per run of the block.
std::vector<write_item> items_of(const block_ptr& block) {
  auto result = std::vector<write_item>{};
  for (const auto& run : block->runs())
    result.push_back({nullptr, block, run.first, run.count, {}});
  return result;
}

std::vector<std::uint64_t> times(const std::vector<write_item>& items) {
  auto result = std::vector<std::uint64_t>{};
  for (auto [item, row] : commit_order(items)) {
    const auto& x = items[item];
    result.push_back(x.block->grouped(x.first + row).commit_ts().value);
  }
  return result;
}

} // namespace

TEST_CASE("rows of several tables are put in commit order") {
  auto items = items_of(
    block_of({{8, 10}, {7, 20}, {8, 30}, {8, 40}, {9, 50}, {7, 60}}));
  REQUIRE(items.size() == 3);
  CHECK(times(items) == std::vector<std::uint64_t>{10, 20, 30, 40, 50, 60});
}

TEST_CASE("rows that stand in commit order are left as they are") {
  CHECK(commit_order(items_of(block_of({{7, 10}, {7, 20}, {8, 30}}))).empty());
  CHECK(commit_order({}).empty());
}

TEST_CASE("items without rows have no place in the commit order") {
  auto items = items_of(block_of({{8, 10}, {7, 20}, {8, 30}}));
  items.insert(items.begin(), write_item{});
  CHECK(times(items) == std::vector<std::uint64_t>{10, 20, 30});
}

TEST_CASE("items of several blocks are put in one order") {
  auto items = items_of(block_of({{8, 10}, {7, 20}}));
  for (auto& x : items_of(block_of({{8, 30}, {7, 40}})))
    items.push_back(x);
  CHECK(times(items) == std::vector<std::uint64_t>{10, 20, 30, 40});
}
