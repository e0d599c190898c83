#include "tests/states/shard_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// After a sink was restored from an older copy its streams register anew at
// the lower position. The bulk value of the time before was kept, because it
// "never goes back", and spoke for the new registrations once they were in
// sync: more was reported than a restart of the sink would read back.

TEST_CASE_FIXTURE(shard_fixture,
                  "the bulk value of a restored sink is believed") {
  constexpr auto second = registration_id{1, 2};
  join();
  join(second, 20, 8);
  resolve(100);
  beat_all(take_one<watermark>().mark.seq.value, 100);
  REQUIRE(uut.checkpoint_of(first) == timestamp{100});
  constexpr auto third = registration_id{1, 3};
  keep(uut.on_remove({channel, {1}, {first}}));
  add(third, 60);
  reset(1, 60, third);
  look_up();
  scanned(nullptr);
  beat_all(take_one<watermark>().mark.seq.value, 60);
  CHECK(uut.checkpoint_of(third) == timestamp{60});
  CHECK(uut.checkpoint_of(second) == timestamp{100}); // never back
}
