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

TEST_CASE("what is retained stays though no feed needs it") {
  auto uut = retention_state{};
  uut.on_feeds_loaded({{{{1}, "orders", {{"ord*"}, {}}}}, {}, {}, {}});
  uut.on_table({{7}, "orders", {1}, {0}});
  uut.on_table({{8}, "items", {1}, {0}});
  uut.on_floor_report({{1}, {40}, {}});
  uut.on_retained({30});
  CHECK(uut.floor_of({7}) == timestamp{30});
  CHECK(uut.needed_floor_of({7}) == timestamp{40});
  SUBCASE("and what a feed needs though it is not retained") {
    uut.on_retained({60});
    CHECK(uut.floor_of({7}) == timestamp{40});
  }
  SUBCASE("of a table that no feed matches it is all that stays") {
    CHECK(uut.floor_of({8}) == timestamp{30});
    CHECK(uut.floor_of(all_tables) == timestamp{30});
    uut.pin({8}, row_cursor::end_of({20}));
    CHECK(uut.floor_of({8}) == timestamp{20});
  }
  SUBCASE("and everything while there is no feed at all") {
    uut.on_feed_removed({1});
    CHECK(uut.floor_of({7}) == timestamp{0});
    CHECK(uut.floor_of({8}) == timestamp{0});
  }
}

TEST_CASE("all tables of a feed are in range when each of them is") {
  auto uut = retention_state{};
  uut.on_feeds_loaded({{{{1}, "all", {{"*"}, {}}}, {{2}, "few", {{"a"}, {}}}},
                       {},
                       {{{7}, "a", {}, {}}, {{8}, "b", {}, {}}},
                       {{{7}, {20}}, {{8}, {60}}}});
  auto wanted = [](std::uint64_t feed, std::uint64_t after) {
    auto result = scan_entry{};
    result.table = all_tables;
    result.feed = {feed};
    result.after = row_cursor::end_of({after});
    return result;
  };
  CHECK(uut.lost(wanted(1, 0)) == timestamp{60});
  CHECK_FALSE(uut.in_range(wanted(1, 20)));
  CHECK(uut.in_range(wanted(1, 60)));
  CHECK(uut.in_range(wanted(2, 20))); // b is not among its tables
  CHECK_FALSE(uut.in_range(wanted(2, 19)));
}

TEST_CASE("a scan of all tables holds the rows of each") {
  auto uut = retention_state{};
  uut.on_feeds_loaded(
    {{{{1}, "all", {}}}, {}, {{{7}, "a", {}, {}}, {{8}, "b", {}, {}}}, {}});
  uut.on_floor_report({{1}, {90}, {}});
  uut.pin(all_tables, row_cursor::end_of({40}));
  CHECK(uut.floor_of({7}) == timestamp{40});
  CHECK(uut.floor_of({8}) == timestamp{40});
  uut.unpin(all_tables, row_cursor::end_of({40}));
  CHECK(uut.floor_of({8}) == timestamp{90});
}

TEST_CASE("rows of an unknown table go when every table is past them") {
  auto uut = retention_state{};
  uut.on_feeds_loaded(
    {{{{1}, "all", {}}}, {}, {{{7}, "a", {}, {}}, {{8}, "b", {}, {}}}, {}});
  uut.on_floor_report({{1}, {90}, {{{8}, {40}}}});
  CHECK(uut.floor_of(all_tables) == timestamp{40});
  // Whichever table they were of, nobody takes its rows for complete.
  auto lost = uut.unnoted({{7}, all_tables});
  CHECK(lost == std::vector<table_floor>{{{7}, {90}}, {{8}, {40}}});
  CHECK(uut.release_floor(all_tables) == timestamp{0});
  uut.on_noted(lost);
  CHECK(uut.release_floor(all_tables) == timestamp{40});
  uut.on_table({{9}, "c", {1}, {0}}); // new: it is not noted yet
  CHECK(uut.release_floor(all_tables) == timestamp{0});
}
