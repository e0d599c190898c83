#include "actors/collector.hpp"

#include <doctest/doctest.h>

#include "tests/actors/puppets.hpp"
#include "tests/support/deterministic.hpp"

using namespace sluice;
using namespace sluice::puppets;

namespace {

struct fixture : test::deterministic {
  caf::scoped_actor service{system(), true};
  caf::scoped_actor shard_0{system(), true};
  caf::scoped_actor shard_1{system(), true};
  caf::scoped_actor store{system(), true};
  collector_actor uut = spawn(collector);

  fixture() {
    for (auto* shard : {&shard_0, &shard_1})
      service->send(uut, serve_feeds{},
                    caf::actor_cast<collector_shard_actor>(*shard));
    service->send(uut, watch_tables{},
                  caf::actor_cast<schema_store_actor>(store));
    deliver_all();
    REQUIRE(take<watch_tables>(store).size() == 1);
  }

  void subscribe(std::uint64_t id, const std::string& include = "*") {
    auto feed = feed_record{{id}, "f" + std::to_string(id), {{include}, {}}};
    // Nobody uses the sink here.
    service->send(uut, subscribe_feed{feed},
                  caf::actor_cast<sink_actor>(service));
    deliver_all();
  }
  void declare(std::uint64_t id) {
    store->send(uut, known_tables{{{{id}, "t" + std::to_string(id), {1}, {}}}});
    deliver_all();
  }
  void note(caf::scoped_actor& shard, std::uint64_t table) {
    shard->send(uut, table_noted{{table}});
    deliver_all();
  }
};

// The subscriptions that came with a sink.
std::size_t subscriptions(caf::scoped_actor& shard) {
  std::size_t result = 0;
  auto more = true;
  while (more)
    shard->receive([&](const subscribe_feed&,
                       const sink_actor& sink) { result += sink ? 1 : 0; },
                   caf::after(std::chrono::seconds{0}) >>
                     [&] { more = false; });
  return result;
}

} // namespace

TEST_CASE_FIXTURE(fixture, "Scenario: a new table is held back by its feeds") {
  subscribe(7);
  REQUIRE(subscriptions(shard_1) == 1);
  REQUIRE(subscriptions(shard_0) == 0);
  declare(3);
  CHECK(take<add_tables>(shard_1).size() == 1);
  CHECK(take<table_noted>(store).empty());
  note(shard_0, 3); // Serves no feed that wants it.
  CHECK(take<table_noted>(store).empty());
  note(shard_1, 3);
  CHECK(take<table_noted>(store).size() == 1);
  declare(3);
  CHECK(take<table_noted>(store).size() == 1);
}

TEST_CASE_FIXTURE(fixture, "Scenario: a subscription gets the known tables") {
  declare(3);
  declare(4);
  REQUIRE(take<table_noted>(store).size() == 2);
  subscribe(8, "t4");
  CHECK(subscriptions(shard_0) == 1);
  auto tables = take<add_tables>(shard_0);
  REQUIRE(tables.size() == 1);
  REQUIRE(std::get<0>(tables[0]).tables.size() == 1);
  CHECK(std::get<0>(tables[0]).tables[0].name == "t4");
  service->send(uut, unsubscribe_feed{{8}});
  deliver_all();
  CHECK(take<unsubscribe_feed>(shard_0).size() == 1);
}

TEST_CASE_FIXTURE(fixture, "Scenario: who asks for a feed is answered by it") {
  subscribe(7);
  REQUIRE(subscriptions(shard_1) == 1);
  auto asked = service->request(uut, std::chrono::seconds{1},
                                feed_status_query{{7}});
  deliver_all();
  shard_1->receive([](const feed_status_query& x) {
    auto result = feed_status{};
    result.feed = x.feed;
    result.rows_durable = 42;
    return result;
  });
  asked.receive([](const feed_status& x) { CHECK(x.rows_durable == 42); },
                [](const caf::error&) { FAIL_CHECK("not answered"); });
  auto unknown = service->request(uut, std::chrono::seconds{1},
                                  feed_status_query{{9}});
  deliver_all();
  unknown.receive(
    [](const feed_status& x) { CHECK(x.failure.code == errc::unknown_feed); },
    [](const caf::error&) { FAIL_CHECK("not answered"); });
}
