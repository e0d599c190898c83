#include "tests/states/collector_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// A READY got lost, what the shard said next did not. The shard ended, and the
// collector did not hear of it: it knows a shard by its READY. The next shard
// opened the same channel. Its first messages were taken for repeated ones,
// and what the former one had promised was reported to it as a checkpoint.

namespace {

struct fixture : collector_fixture {
  fixture() {
    open({position(20, 20)}, 20);
    watermark_of(50); // of a shard whose READY got lost
    seq = 0;          // the next one
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "what comes before READY promises nothing") {
  make_ready();
  durable(0, 50);
  advance(std::chrono::seconds{1});
  for (const auto& beat : look<heartbeat>())
    CHECK(beat.feeds.at(0).checkpoint == timestamp{});
}

TEST_CASE_FIXTURE(fixture, "the first message of the next shard is no repeat") {
  make_ready();
  shake(20);
  send(2, block_of({{7, 40}}), 40);
  CHECK(look<write_rows>().size() == 1);
}
