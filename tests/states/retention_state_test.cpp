#include "actors/retention_state.hpp"

#include <doctest/doctest.h>

#include "messages/partitioning.hpp"

using namespace sluice;

TEST_CASE("of several partitions each stores the floors of its own tables") {
  auto message = feeds_loaded{};
  message.feeds = {{{1}, "all", {}}};
  for (std::uint64_t table = 1; table <= 8; ++table)
    message.tables.push_back({{table}, "t" + std::to_string(table), {}, {}});
  auto seen = std::size_t{0};
  for (std::size_t place = 0; place < 2; ++place) {
    auto uut = retention_state{{{place + 1}, 2, place}};
    uut.on_feeds_loaded(message);
    uut.on_floor_report({{1}, {40}, {}});
    auto stored = uut.take_unstored();
    REQUIRE(stored.size() == 1);
    // What this partition says must not raise a table of the other one.
    CHECK(stored[0].floor == timestamp{0});
    for (const auto& x : stored[0].exceptions) {
      CHECK(partition_of(x.table, 2) == place);
      CHECK(x.checkpoint == timestamp{40});
    }
    seen += stored[0].exceptions.size();
    uut.on_floor_report({{1}, {40}, {}});
    CHECK(uut.take_unstored().empty());
  }
  CHECK(seen == 8);
}
