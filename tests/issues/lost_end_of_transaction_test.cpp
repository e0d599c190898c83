#include "tests/states/order_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// That a transaction ends without further rows of the feed is said by an item
// without rows, which takes no sequence. When it got lost the digest found
// nothing wrong, and the target kept the transaction open until the next one.

TEST_CASE_FIXTURE(order_fixture, "a lost end of a transaction is missed") {
  send(block_of({{7, 10}, {8, 20}}), item_end::cut);
  REQUIRE(batches.at(0).torn);
  ++seq; // its end
  auto line = digest_entry{registration, asked.stream, asked.stream_epoch,
                           {next - 1},   false,        {20}};
  auto before = asked.stream_epoch;
  keep(uut.on_digest({mark(), {line}, true}, now));
  REQUIRE(asked.stream_epoch > before);
  shake();
  send(block_of({{7, 10}, {8, 20}}), item_end::transaction);
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].items.empty());
  CHECK_FALSE(batches[0].torn);
}
