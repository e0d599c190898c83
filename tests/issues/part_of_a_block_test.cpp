#include "messages/block_ranges.hpp"
#include "tests/states/shard_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// Where the credit ended inside a block, the rows that it covered were sent by
// reference if they were half of the block, and cost the whole block: up to
// twice of what was granted. A block larger than all that may be in flight
// went at once when nothing was, not only a row that is.

TEST_CASE("a part of a block costs no more than was granted") {
  auto some = std::vector<sample>{};
  for (std::uint64_t ts = 101; ts <= 200; ++ts)
    some.push_back({7, ts});
  auto block = block_of(some);
  auto row = block->grouped(0).size_bytes();
  REQUIRE(worth_pinning(*block, 90 * row));
  auto all = shard_fixture{{}, 90 * row};
  all.add(all.first, 20);
  all.reset(1, 20);
  all.look_up();
  all.keep(all.uut.on_progress({all.store, {}, {all.last}, {}}), true);
  all.scanned(block);
  auto sent = all.take_one<delivery>();
  CHECK(sent.charge == 90 * row);
  CHECK(sent.items.at(0).count == 90);
}

TEST_CASE("of a block that is larger than all credit one row goes at least") {
  auto block = block_of({{7, 40}, {7, 50}, {7, 60}});
  auto row = block->grouped(0).size_bytes();
  auto all = shard_fixture{{}, row - 1};
  all.join();
  all.append(block, 60);
  auto sent = all.take_one<delivery>();
  CHECK(sent.charge == row);
  CHECK(sent.cohort.at(0).block->rows() == 1);
}
