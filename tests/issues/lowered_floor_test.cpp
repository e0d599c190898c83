#include <doctest/doctest.h>

#include "actors/retention_state.hpp"

using namespace sluice;

// With several partitions a floor that fell, as that of a restored sink does,
// was not stored: after a restart rows went that this sink still needed.

TEST_CASE("a floor of one of several partitions that falls is stored") {
  auto uut = retention_state{{{1}, 2, 0}};
  uut.on_feeds_loaded({{{{1}, "all", {}}}, {}, {}, {}});
  for (std::uint64_t table = 1; table <= 8; ++table)
    uut.on_table({{table}, "t" + std::to_string(table), {1}, {0}});
  uut.on_floor_report({{1}, {40}, {}});
  auto before = uut.take_unstored().at(0).exceptions;
  REQUIRE_FALSE(before.empty());
  auto table = before.front().table;
  uut.on_floor_report({{1}, {40}, {{table, {10}}}});
  auto after = uut.take_unstored().at(0).exceptions;
  REQUIRE(after.size() == 1);
  CHECK(after[0].table == table);
  CHECK(after[0].checkpoint == timestamp{10});
}
