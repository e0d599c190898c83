#include "tests/states/collector_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// The end of a digest and the beginning of the next one got lost. What was left
// of both was taken for one, and a stream that had been marked behind between
// them for one in sync.

TEST_CASE_FIXTURE(collector_fixture, "two digests do not make one") {
  start();
  auto line = digest_entry{registration, asked.stream, asked.stream_epoch,
                           {1},          false,        {20}};
  ++seq; // lost
  watermark_of(30);
  REQUIRE(look<digest_request>().size() == 1);
  keep(uut.on_digest({mark(), {line}, false}, now));
  // Lost: the rest of it, a watermark that has the stream behind, and the
  // first part of the next digest, which would have said so.
  seq += 3;
  keep(uut.on_digest({mark(), {}, true}, now));
  note();
  watermark_of(90);
  CHECK(effective() == 20); // rows up to 90 were not sent
}
