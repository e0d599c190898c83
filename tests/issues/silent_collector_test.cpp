#include "tests/states/shard_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// A shard that forgot the streams of a silent collector went on to promise:
// its watermarks, without the rows that nobody was there to take, spoke for
// streams that the collector had in sync. It stored them as its position, and
// when it came back it registered behind rows that it never got.

namespace {

struct fixture : shard_fixture {
  fixture() {
    join();
    append(block_of({{7, 40}}), 50);
    keep(uut.on_tick(std::chrono::hours{1}));
    keep(uut.on_tick(std::chrono::hours{2}));
    REQUIRE(uut.find(first) == nullptr);
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "no watermark speaks for who was forgotten") {
  auto mark = take<watermark>().back();
  CHECK(mark.behind == std::vector<cohort_change>{{slots[first], {1}, {3}}});
  append(block_of({{7, 60}}), 70);
  CHECK(rows().empty());
}

TEST_CASE_FIXTURE(fixture, "who was forgotten is told until it answers") {
  for (int i = 0; i < 2; ++i) { // the first one gets lost
    beat_all(0, 0);
    CHECK(take_one<unknown_registration>().registration == first);
  }
  keep(uut.on_remove({channel, {1}, {first}}));
  beat_all(0, 0);
  CHECK(take<unknown_registration>().empty());
}
