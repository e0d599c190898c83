#include "tests/states/collector_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// A stream that had to register anew (its shard had forgotten it) while rows
// of it were under way to the sink took them once more when they were sent
// again, and so the target had them twice.

TEST_CASE_FIXTURE(collector_fixture,
                  "a new registration takes nothing that the sink has") {
  start();
  send(3, block_of({{7, 40}}), 39);
  REQUIRE(written() == rows_at{40}); // not durable yet
  register_anew();
  send(2, block_of({{7, 40}, {7, 60}}), 59);
  CHECK(written() == rows_at{60});
  advance(std::chrono::milliseconds{200});
  auto part = look_one<heartbeat>().feeds.at(0);
  CHECK(part.exceptions.empty());
  durable(1, 20);
  advance(std::chrono::milliseconds{200});
  part = look_one<heartbeat>().feeds.at(0);
  CHECK(part.exceptions.at(0).checkpoint == timestamp{39});
}
