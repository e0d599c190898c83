#include "order_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// A feed in the order of transactions.

TEST_CASE_FIXTURE(order_fixture, "all tables of a feed are one registration") {
  REQUIRE(registered.size() == 1);
  REQUIRE(registered[0].entries.size() == 1);
  CHECK(registered[0].entries[0].table == all_tables);
  REQUIRE(registered[0].spans.size() == 1);
  CHECK(registered[0].spans[0].feed == feed);
  CHECK(uut.status(feed).tables == 2);
}

TEST_CASE_FIXTURE(order_fixture,
                  "the position moves with the cut, not inside it") {
  send(block_of({{8, 10}, {7, 20}, {8, 30}}), item_end::transaction);
  REQUIRE(batches.size() == 1);
  CHECK_FALSE(batches[0].torn);
  REQUIRE(batches[0].items.size() == 2);
  CHECK(batches[0].items[0].after.table == all_tables);
  CHECK(batches[0].items[0].after.cursor == row_cursor{}); // 10, 30 miss yet
  CHECK(batches[0].items[1].after.cursor.commit_ts == timestamp{30});
}

TEST_CASE_FIXTURE(order_fixture,
                  "a transaction that goes on is torn until its end") {
  send(block_of({{7, 10}, {8, 20}}), item_end::cut);
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].torn);
  SUBCASE("with its last rows") {
    send(block_of({{8, 30}}), item_end::transaction);
    REQUIRE(batches.size() == 1);
    CHECK_FALSE(batches[0].torn);
  }
  SUBCASE("without further rows of the feed") {
    auto end = delivery{mark(), feed, 0, {}};
    end.items.push_back(
      {asked.stream, asked.stream_epoch, {next}, nullptr, 0, 0, {}});
    keep(uut.on_delivery(end, now));
    REQUIRE(batches.size() == 1);
    CHECK(batches[0].items.empty());
    CHECK_FALSE(batches[0].torn);
  }
}

TEST_CASE_FIXTURE(order_fixture,
                  "what comes again does not end a transaction behind it") {
  auto whole = block_of({{7, 10}, {8, 20}});
  auto part = block_of({{8, 30}, {7, 40}});
  send(whole, item_end::transaction);
  send(part, item_end::cut);
  lose();
  send(whole, item_end::transaction);
  CHECK(batches.empty()); // the sink has 30 and 40, and waits for the rest
  send(part, item_end::cut);
  CHECK(batches.empty());
  send(block_of({{7, 50}}), item_end::transaction);
  REQUIRE(batches.size() == 1);
  CHECK_FALSE(batches[0].torn);
}

TEST_CASE_FIXTURE(order_fixture, "a lost channel leaves a transaction open") {
  auto part = block_of({{7, 10}, {8, 20}});
  send(part, item_end::cut);
  keep(uut.on_channel_lost(channel, now));
  seq = 0;
  keep(uut.on_ready({channel, registration, {0}, {}}, now));
  shake();
  send(part, item_end::cut);
  CHECK(batches.empty()); // the sink has it
  send(block_of({{8, 30}}), item_end::transaction);
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].items.size() == 1);
  CHECK_FALSE(batches[0].torn);
}
