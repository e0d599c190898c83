#include <doctest/doctest.h>

#include "actors/retention_state.hpp"

using namespace sluice;

// A feed that left and came again has two streams of a table at the shard as
// long as its REMOVE is lost. Both were named among the floors, and the first
// one counted: where the sink was restored meanwhile that of the stream that
// was left, above rows that the other one needs. Seen in a simulated schedule.

TEST_CASE("of two floors of a table the lower one counts") {
  auto uut = retention_state{};
  uut.on_feeds_loaded({{{{1}, "orders", {{"*"}, {}}}}, {}, {}, {}});
  uut.on_table({{7}, "orders", {1}, {0}});
  uut.on_floor_report({{1}, {60}, {{{7}, {50}}, {{7}, {10}}}});
  CHECK(uut.floor_of({7}) == timestamp{10});
}
