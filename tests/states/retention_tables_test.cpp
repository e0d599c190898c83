#include <doctest/doctest.h>

#include "actors/retention_state.hpp"

using namespace sluice;

TEST_CASE("a table that comes into being later is released by its feeds") {
  auto uut = retention_state{};
  uut.on_feeds_loaded({{{{1}, "orders", {{"ord*"}, {}}}}, {}, {}, {}});
  uut.on_table({{7}, "orders", {1}, {0}});
  uut.on_table({{8}, "items", {1}, {0}});
  uut.on_floor_report({{1}, {40}, {}});
  CHECK(uut.floor_of({7}) == timestamp{40});
  CHECK(uut.floor_of({8}) == timestamp{0}); // no feed matches: kept
}
