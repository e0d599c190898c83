#include <doctest/doctest.h>

#include "actors/collector_state.hpp"
#include "actors/schema_store_state.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

// A collector that came when there were tables already heard of them one by
// one. When it was slow between two of them, a feed with the first one stored a
// low watermark, which speaks for all its tables: the second one started there,
// and its rows below were never delivered. Found by the simulation, seed 548.

TEST_CASE("a collector that comes late hears of all tables at once") {
  auto uut = schema_store_state{};
  static_cast<void>(uut.on_declare(3, declaration_of({ddl(7, 1, 10)})));
  static_cast<void>(uut.on_declare(3, declaration_of({ddl(8, 1, 10)})));
  auto out = uut.on_watch_tables(0);
  REQUIRE(out.size() == 1);
  auto told = std::get<to_collector>(out[0]).message;
  CHECK(told.tables.size() == 2);
}

TEST_CASE("a feed gets all tables that are known in one message") {
  auto uut = collector_state{};
  static_cast<void>(uut.on_serve_feeds());
  static_cast<void>(
    uut.on_subscribe_feed({{{1}, "f", {{"t*"}, {}, feed_order::table}}}));
  auto tables = known_tables{
    {{{7}, "t7", {1}, {}}, {{8}, "t8", {1}, {}}, {{9}, "other", {1}, {}}}};
  auto out = uut.on_known_tables({0}, tables);
  // To the feed both that it wants; the third is acknowledged at once.
  REQUIRE(out.size() == 2);
  CHECK(std::get<collector_state::extend_feed>(out[0]).message.tables.size()
        == 2);
  CHECK(std::get<collector_state::acknowledge_table>(out[1]).message
        == table_noted{{9}});
}
