#include "actors/retention_state.hpp"

#include <doctest/doctest.h>

#include "messages/partitioning.hpp"

using namespace sluice;

namespace {

feed_record confirmed_by_sink(std::uint64_t id, std::string include) {
  auto rules = feed_rules{{std::move(include)}, {}};
  rules.confirm = confirm_level::sinks;
  return {{id}, "f" + std::to_string(id), rules};
}

std::vector<table_info> tables(std::uint64_t count) {
  auto result = std::vector<table_info>{};
  for (std::uint64_t x = 1; x <= count; ++x)
    result.push_back({{x}, "t" + std::to_string(x), {}, {}});
  return result;
}

using limit = retention_state::limit;
constexpr auto no_limit = limit{timestamp::max(), {}};

} // namespace

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

// -- what may be confirmed ----------------------------------------------------

TEST_CASE("nothing may be confirmed before the feeds are loaded") {
  auto uut = retention_state{};
  CHECK(uut.confirm_limit() == limit{});
  uut.on_feeds_loaded({{{{1}, "all", {}}}, {}, tables(1), {}});
  CHECK(uut.confirm_limit() == no_limit);
}

TEST_CASE("the lowest floor of feeds with confirm = sinks is the limit") {
  auto uut = retention_state{};
  uut.on_feeds_loaded(
    {{{{1}, "log", {}}, confirmed_by_sink(2, "t*"), confirmed_by_sink(3, "t1")},
     {{{3}, {30}, {}}},
     tables(2),
     {}});
  CHECK(uut.confirm_limit() == limit{{0}, {2}});
  uut.on_floor_report({{2}, {90}, {{{1}, {40}}}});
  CHECK(uut.confirm_limit() == limit{{30}, {3}});
  uut.on_floor_report({{3}, {80}, {}});
  CHECK(uut.confirm_limit() == limit{{40}, {2}}); // of its table 1
  uut.on_feed_removed({2});
  CHECK(uut.confirm_limit() == limit{{80}, {3}});
  uut.on_feed_removed({3});
  CHECK(uut.confirm_limit() == no_limit);
}

TEST_CASE("a feed without a table here is no limit until it has one") {
  auto uut = retention_state{};
  uut.on_feeds_loaded({{confirmed_by_sink(1, "u*")}, {}, tables(2), {}});
  CHECK(uut.confirm_limit() == no_limit);
  uut.on_table({{2}, "u2", {}, {}}); // has another name now
  CHECK(uut.confirm_limit() == limit{{0}, {1}});
  uut.on_table({{2}, "t2", {}, {}});
  CHECK(uut.confirm_limit() == no_limit);
}

TEST_CASE("the other value of a feed's confirm takes effect at once") {
  auto uut = retention_state{};
  auto feed = confirmed_by_sink(1, "t*");
  uut.on_feeds_loaded({{feed}, {{{1}, {20}, {}}}, tables(1), {}});
  CHECK(uut.confirm_limit() == limit{{20}, {1}});
  feed.rules.confirm = confirm_level::log;
  uut.on_feeds_loaded({{feed}, {}, {}, {}});
  CHECK(uut.confirm_limit() == no_limit);
}

TEST_CASE("floors of another partition's tables are no limit of this one") {
  auto message = feeds_loaded{};
  message.feeds = {confirmed_by_sink(1, "t*")};
  message.tables = tables(8);
  auto stored = feed_floor{{1}, {}, {}};
  for (std::uint64_t x = 1; x <= 8; ++x)
    stored.exceptions.push_back(
      {{x}, {}, {partition_of(table_id{x}, 2) == 0 ? 50U : 10U}});
  message.floors = {stored};
  auto uut = retention_state{{{1}, 2, 0}};
  uut.on_feeds_loaded(message);
  CHECK(uut.confirm_limit() == limit{{50}, {1}});
}
