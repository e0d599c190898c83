#include <doctest/doctest.h>

#include "store/log_index.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

// A lost block in the middle of a transaction. A mark of then called the
// transaction open, a later one says that it ended, in a block that is lost,
// too: the first one did not count as lost any more, and readers passed it.

TEST_CASE("a lost block whose transaction ends in another lost one counts") {
  auto uut = log_index{};
  uut.begin_segment(1, {1});
  uut.add_gap({1}, "first");
  uut.add(summarize(*block_of({{7, 20}})), {1, 4096, 100}, {});
  uut.restore({}); // nothing is complete
  uut.add_gap({3}, "second");
  uut.restore({{3}, {{30}, {30}, 0}, {30}});
  REQUIRE(uut.settle_gaps().has_value());
  auto plan = plan_scan(uut, {{7}, {}, uut.last(), 1000});
  CHECK(plan.pieces.empty());
  CHECK(plan.failure == error{errc::log_corrupt, "first"});
  // Who has what came after it is told of the second.
  plan = plan_scan(uut, {{7}, row_cursor::end_of({20}), uut.last(), 1000});
  CHECK(plan.failure == error{errc::log_corrupt, "second"});
}
