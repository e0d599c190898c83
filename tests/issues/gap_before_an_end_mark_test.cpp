#include <doctest/doctest.h>

#include "store/log_index.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

// Whether the rows of a lost block are complete was judged by the last block
// that ends with a transaction. Where transactions end within blocks that is
// long ago: a log was not opened, though a later end mark told, and feeds were
// stopped that had passed the lost rows.

namespace {

// Block 1 ends with a transaction, 2 does not, and 3 is lost.
log_index with_lost_block() {
  auto result = log_index{};
  result.begin_segment(1, {1});
  auto add = [&](const block_ptr& rows) {
    result.add(summarize(*rows), block_location{1, 4096, 100}, {});
  };
  add(block_of({{7, 10}, end_mark}));
  add(block_of({{7, 20}, end_mark, {7, 30, 1}}));
  result.add_gap({3}, "lost");
  return result;
}

void end_it(log_index& log) {
  log.add(summarize(*block_of({{7, 30, 5}, end_mark, {7, 40}})),
          block_location{1, 8192, 100}, {});
}

errc read(const log_index& log, row_cursor after) {
  return plan_scan(log, {{7}, after, log.last(), 1000}).failure.code;
}

} // namespace

TEST_CASE("a transaction that ends within a block shows that a lost one was "
          "complete") {
  auto uut = with_lost_block();
  end_it(uut);
  REQUIRE(uut.settle_gaps());
  CHECK(uut.keep_to() == block_index{3});
  CHECK(read(uut, {{30}, {30}, 1}) == errc::log_corrupt);
  CHECK(read(uut, {{30}, {30}, 5}) == errc::none);
}

TEST_CASE("rows behind a lost block do not move its end") {
  auto uut = with_lost_block();
  SUBCASE("a state called it open") {
    uut.restore({{1}, {{20}, {20}, 0}, {}});
  }
  SUBCASE("none did") {
    // nop
  }
  end_it(uut);
  uut.restore({{1}, {{30}, {30}, 5}, {}});
  REQUIRE(uut.settle_gaps());
  CHECK(read(uut, {{30}, {30}, 1}) == errc::log_corrupt);
  CHECK(read(uut, {{30}, {30}, 4}) == errc::none);
}

TEST_CASE("a lost block whose rows come again stops nobody") {
  auto uut = with_lost_block();
  uut.restore({{1}, {{20}, {20}, 0}, {}});
  uut.add(summarize(*block_of({{7, 30, 5}})), block_location{1, 8192, 100}, {});
  REQUIRE(uut.settle_gaps());
  CHECK(uut.keep_to() == block_index{1});
  CHECK(read(uut, {{20}, {20}, 0}) == errc::none);
}

TEST_CASE("a lost block that does not count is no piece of a scan") {
  auto uut = with_lost_block();
  for (auto last_closed : {1U, 3U}) // when it was lost, and later
    uut.restore({{last_closed}, {{20}, {20}, 0}, {}});
  auto plan = plan_scan(uut, {all_tables, {}, uut.last(), 1000});
  CHECK_FALSE(plan.failure);
  CHECK(plan.pieces.size() == 2);
  CHECK(plan.complete_to == block_index{3});
}
