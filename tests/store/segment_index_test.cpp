// Which blocks of a segment hold rows of a table.

#include "store/segment_index.hpp"

#include <doctest/doctest.h>

#include "messages/block_ranges.hpp"
#include "messages/radix_sort.hpp"
#include "tests/support/dice.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;

namespace {

using numbers = std::vector<std::uint64_t>;

// Block `index` with rows of these tables, ascending, 10 bytes of each.
void add(segment_index& to, std::uint64_t index, const numbers& tables) {
  auto shares = std::vector<indexed_share>{};
  auto at = row_cursor{{index}, {index}, 0};
  for (auto table : tables)
    shares.push_back({{table}, at, 10});
  to.add({{index}, {index}, nullptr, {}, {}, at, false, shares});
}

segment_index sample() {
  auto result = segment_index{1, {5}, {}};
  add(result, 5, {1, 2});
  add(result, 6, {2, 3});
  add(result, 7, {});
  add(result, 8, {2});
  return result;
}

// From the newest back.
numbers blocks_of(const segment_index& uut, table_id table) {
  auto result = numbers{};
  for (auto i = uut.tables().find(table); i != table_map::none;
       i = uut.share(i).previous)
    result.push_back(uut.block_of(i).index.value);
  return result;
}

numbers tables_in(const held_block& block) {
  auto result = numbers{};
  for (const auto& x : block.shares)
    result.push_back(x.table.value);
  return result;
}

row_cursor cursor(std::uint64_t ts) {
  return {{ts}, {ts}, 0};
}

} // namespace

TEST_CASE("the blocks of a table are found from the newest back") {
  auto uut = sample();
  CHECK(blocks_of(uut, {2}) == numbers{8, 6, 5});
  CHECK(blocks_of(uut, {1}) == numbers{5});
  CHECK(blocks_of(uut, {4}).empty());
  CHECK(uut.row_bytes() == 50);
}

TEST_CASE("a block knows its tables, and a share its place among them") {
  auto uut = sample();
  CHECK(tables_in(uut.at({6})) == numbers{2, 3});
  CHECK(tables_in(uut.at({7})).empty());
  CHECK(tables_in(uut.at({8})) == numbers{2});
  CHECK(uut.place(uut.tables().find({3})) == 1);
}

TEST_CASE("a table whose schema changes has one share of a block") {
  auto uut = segment_index{1, {5}, {}};
  auto run = [](std::uint64_t table, std::uint64_t ts) {
    return block_run{{table}, {ts}, 0, 1, 10, cursor(ts), cursor(ts)};
  };
  auto runs = std::vector{run(1, 4), run(2, 3), run(2, 9), run(3, 1)};
  uut.add({{5}, {5}, nullptr, {}, {}, cursor(9), false, shares_of(runs)});
  CHECK(tables_in(uut.at({5})) == numbers{1, 2, 3});
  auto two = uut.share(uut.tables().find({2}));
  CHECK(two.last == cursor(9));
  CHECK(two.bytes == 20);
  CHECK(two.previous == table_map::none);
}

TEST_CASE("what is cut off leaves nothing behind") {
  auto uut = sample();
  uut.cut({6});
  CHECK(uut.end() == block_index{7});
  CHECK(blocks_of(uut, {2}) == numbers{6, 5});
  CHECK(uut.row_bytes() == 40);
  uut.cut({5});
  CHECK(blocks_of(uut, {3}).empty());
  add(uut, 6, {3});
  CHECK(blocks_of(uut, {3}) == numbers{6});
  uut.cut({4});
  CHECK(uut.empty());
  CHECK(uut.tables().size() == 0);
}

TEST_CASE("a map of tables finds each of many, and no other") {
  auto uut = table_map{};
  for (std::uint32_t i = 0; i < 1000; ++i)
    CHECK(uut.exchange({std::uint64_t{i} << 20}, i) == table_map::none);
  for (std::uint32_t i = 0; i < 1000; ++i)
    CHECK(uut.exchange({std::uint64_t{i} << 20}, i + 1) == i);
  CHECK(uut.size() == 1000);
  CHECK(uut.find({1}) == table_map::none);
  auto seen = std::uint64_t{0};
  (void) uut.all_of([&](table_id table, std::uint64_t number) {
    seen += table.value >> 20;
    return number == (table.value >> 20) + 1;
  });
  CHECK(seen == 999 * 1000 / 2);
}

TEST_CASE("counting bytes sorts as comparing does") {
  auto random = test::dice{7};
  for (auto bits : {1U, 9U, 20U, 64U}) {
    auto xs = std::vector<std::pair<std::uint64_t, int>>{};
    for (int i = 0; i < 500; ++i)
      xs.emplace_back(random.next() >> (64 - bits), i);
    auto sorted = xs;
    std::sort(sorted.begin(), sorted.end());
    radix_sort(xs, [](const auto& x) { return x.first; });
    CHECK(xs == sorted); // equal ones, too, in the order that they had
  }
}

TEST_CASE("a hint that is wrong does not hide the first run of a table") {
  auto block = test::block_of({{1, 1}, {2, 2}, {4, 3}});
  for (std::size_t hint = 0; hint < 5; ++hint) {
    CHECK(first_run(*block, {1}, hint) == 0);
    CHECK(first_run(*block, {2}, hint) == 1);
    CHECK(first_run(*block, {4}, hint) == 2);
    CHECK(first_run(*block, {3}, hint) == 2);
    CHECK(first_run(*block, {5}, hint) == 3);
  }
}
