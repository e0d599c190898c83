#include "actors/collector_state.hpp"

#include <doctest/doctest.h>

using namespace sluice;

namespace {

using uut_type = collector_state;
using effects = uut_type::effects;

constexpr auto shard_0 = shard_number{0};
constexpr auto shard_1 = shard_number{1};
constexpr auto store_0 = schema_store_number{0};

feed_record feed(std::uint64_t id, const std::string& include = "*") {
  return {{id}, "feed" + std::to_string(id), {{include}, {}}};
}

table_info table(std::uint64_t id) {
  return {{id}, "t" + std::to_string(id), {1}, {5}};
}

effects declare(uut_type& uut, std::uint64_t id) {
  return uut.on_known_tables(store_0, {{table(id)}});
}

effects acknowledged(std::uint64_t id) {
  return {uut_type::acknowledge_table{store_0, {{id}}}};
}

uut_type with_shards(int n) {
  auto result = uut_type{};
  for (auto i = 0; i < n; ++i)
    REQUIRE(result.on_serve_feeds().empty());
  return result;
}

} // namespace

TEST_CASE("collector asks a schema store for its tables") {
  auto uut = with_shards(1);
  CHECK(uut.on_watch_tables(store_0) == effects{uut_type::ask_tables{store_0}});
}

TEST_CASE("collector places a feed by its id and keeps it there") {
  auto uut = with_shards(2);
  CHECK(uut.on_subscribe_feed({feed(7)})
        == effects{uut_type::begin_feed{shard_1, {feed(7)}}});
  CHECK(uut.on_subscribe_feed({feed(8)})
        == effects{uut_type::begin_feed{shard_0, {feed(8)}}});
  CHECK(uut.shard_of({7}) == shard_1);
  CHECK(uut.on_serve_feeds().empty());
  CHECK(uut.shard_of({7}) == shard_1);
}

TEST_CASE("collector begins early feeds with the first shard") {
  auto uut = with_shards(0);
  CHECK(uut.on_subscribe_feed({feed(1)}).empty());
  CHECK_FALSE(uut.shard_of({1}));
  CHECK(declare(uut, 3) == acknowledged(3));
  CHECK(uut.on_serve_feeds()
        == effects{uut_type::begin_feed{shard_0, {feed(1)}},
                   uut_type::extend_feed{shard_0, {{1}, {table(3)}}}});
  CHECK(uut.shard_of({1}) == shard_0);
}

TEST_CASE("collector gives a feed all known tables that match") {
  auto uut = with_shards(1);
  for (auto id : {11, 12, 21})
    REQUIRE(declare(uut, static_cast<std::uint64_t>(id)).size() == 1);
  CHECK(
    uut.on_subscribe_feed({feed(1, "t1*")})
    == effects{uut_type::begin_feed{shard_0, {feed(1, "t1*")}},
               uut_type::extend_feed{shard_0, {{1}, {table(11), table(12)}}}});
}

TEST_CASE("collector acknowledges a table at once when no feed matches") {
  auto uut = with_shards(1);
  REQUIRE(uut.on_subscribe_feed({feed(1, "other")}).size() == 1);
  CHECK(declare(uut, 3) == acknowledged(3));
}

TEST_CASE("collector acknowledges a table when all its shards noted it") {
  auto uut = with_shards(2);
  REQUIRE(uut.on_subscribe_feed({feed(1)}).size() == 1);
  REQUIRE(uut.on_subscribe_feed({feed(2)}).size() == 1);
  CHECK(declare(uut, 3)
        == effects{uut_type::extend_feed{shard_1, {{1}, {table(3)}}},
                   uut_type::extend_feed{shard_0, {{2}, {table(3)}}}});
  CHECK(uut.on_table_noted(shard_1, {{3}}).empty());
  CHECK(uut.on_table_noted(shard_1, {{3}}).empty());
  CHECK(uut.on_table_noted(shard_0, {{9}}).empty());
  CHECK(uut.on_table_noted(shard_0, {{3}}) == acknowledged(3));
  CHECK(uut.on_table_noted(shard_0, {{3}}).empty());
}

TEST_CASE("collector waits for each feed of a shard") {
  auto uut = with_shards(1);
  REQUIRE(uut.on_subscribe_feed({feed(1)}).size() == 1);
  REQUIRE(uut.on_subscribe_feed({feed(2)}).size() == 1);
  REQUIRE(declare(uut, 3).size() == 2);
  CHECK(uut.on_table_noted(shard_0, {{3}}).empty());
  CHECK(uut.on_table_noted(shard_0, {{3}}) == acknowledged(3));
}

TEST_CASE("collector does not take an older answer for a newer one") {
  auto uut = with_shards(1);
  REQUIRE(declare(uut, 3) == acknowledged(3));
  // The first feed's answer is still under way when the second one comes.
  REQUIRE(uut.on_subscribe_feed({feed(1)}).size() == 2);
  REQUIRE(uut.on_subscribe_feed({feed(2)}).size() == 2);
  CHECK(declare(uut, 3).empty());
  CHECK(uut.on_table_noted(shard_0, {{3}}).empty());
  CHECK(uut.on_table_noted(shard_0, {{3}}) == acknowledged(3));
}

TEST_CASE("collector acknowledges a repeated declaration again") {
  auto uut = with_shards(1);
  REQUIRE(uut.on_subscribe_feed({feed(1)}).size() == 1);
  REQUIRE(declare(uut, 3).size() == 1);
  CHECK(declare(uut, 3).empty());
  CHECK(uut.on_table_noted(shard_0, {{3}}) == acknowledged(3));
  CHECK(declare(uut, 3) == acknowledged(3));
}

TEST_CASE("collector tells the shards of a table that changed its name") {
  auto uut = with_shards(1);
  REQUIRE(uut.on_subscribe_feed({feed(1, "new")}).size() == 1);
  REQUIRE(declare(uut, 3) == acknowledged(3));
  auto renamed = table(3);
  renamed.name = "new";
  CHECK(uut.on_known_tables(store_0, {{renamed}})
        == effects{uut_type::extend_feed{shard_0, {{1}, {renamed}}}});
}

TEST_CASE("collector answers every schema store that declared the table") {
  auto uut = with_shards(1);
  REQUIRE(uut.on_subscribe_feed({feed(1)}).size() == 1);
  REQUIRE(declare(uut, 3).size() == 1);
  REQUIRE(uut.on_known_tables({1}, {{table(3)}}).empty());
  CHECK(uut.on_table_noted(shard_0, {{3}})
        == effects{uut_type::acknowledge_table{{0}, {{3}}},
                   uut_type::acknowledge_table{{1}, {{3}}}});
}

TEST_CASE("collector forgets a feed that ends") {
  auto uut = with_shards(1);
  REQUIRE(uut.on_subscribe_feed({feed(1)}).size() == 1);
  CHECK(uut.on_unsubscribe_feed({{1}})
        == effects{uut_type::end_feed{shard_0, {{1}}}});
  CHECK(uut.on_unsubscribe_feed({{1}}).empty());
  CHECK_FALSE(uut.shard_of({1}));
  CHECK(declare(uut, 3) == acknowledged(3));
}

TEST_CASE("collector names a feed that it does not know") {
  auto x = uut_type::unknown({{4}});
  CHECK(x.feed == feed_id{4});
  CHECK(x.failure.code == errc::unknown_feed);
}
