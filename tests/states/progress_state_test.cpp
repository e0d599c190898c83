#include "actors/progress_state.hpp"

#include <doctest/doctest.h>

#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

table_position position(std::uint64_t cursor, std::uint64_t checkpoint) {
  return {{7}, {{cursor}, {cursor}, 0}, {checkpoint}};
}

struct fixture {
  progress_state uut{position(20, 20), {20}};

  std::uint64_t accept(std::uint64_t batch, const block_ptr& block,
                       std::uint64_t cursor, std::uint64_t checkpoint) {
    auto count = static_cast<std::uint32_t>(block->rows());
    return uut.on_accepted(batch, {{}, {}, {}, block, 0, count, {}},
                           position(cursor, checkpoint),
                           block->first_cursor().commit_ts.previous());
  }
  std::uint64_t report(std::uint64_t low, std::uint64_t accepted) {
    return uut.report({low}, {accepted}).value;
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture,
                  "a stream without rows under way is at its resolved") {
  CHECK(uut.idle());
  CHECK(uut.target_checkpoint({90}) == timestamp{90});
}

TEST_CASE_FIXTURE(fixture, "rows under way hold the target's checkpoint") {
  CHECK(accept(1, block_of({{7, 40}, {7, 60}}), 60, 59) == 0);
  CHECK_FALSE(uut.idle());
  CHECK(uut.rows_in_flight() == 2);
  CHECK(uut.target_checkpoint({90}) == timestamp{39});
  CHECK(uut.on_durable(1) == 2);
  CHECK(uut.target_checkpoint({90}) == timestamp{90});
  CHECK(uut.stored() == position(60, 59));
}

TEST_CASE_FIXTURE(fixture, "two batches of one commit_ts are two entries") {
  accept(1, block_of({{7, 40, 0}}), 40, 39);
  accept(2, block_of({{7, 40, 1}}), 40, 40);
  CHECK(uut.on_durable(1) == 1);
  CHECK(uut.target_checkpoint({90}) == timestamp{39});
  CHECK(uut.on_durable(2) == 1);
  CHECK(uut.idle());
}

TEST_CASE_FIXTURE(fixture, "durable counts for all batches before") {
  accept(1, block_of({{7, 40}}), 40, 39);
  accept(3, block_of({{7, 60}, {7, 80}}), 80, 79);
  accept(5, block_of({{7, 90}}), 90, 89);
  CHECK(uut.on_durable(4) == 3);
  CHECK(uut.on_durable(4) == 0);
  CHECK(uut.rows_in_flight() == 1);
}

TEST_CASE_FIXTURE(fixture, "only what the target has stored is reported") {
  accept(1, block_of({{7, 40}}), 40, 39);
  CHECK(report(20, 90) == 20); // accepted, not durable
  uut.on_durable(1);
  CHECK(report(20, 90) == 39);
  CHECK(report(70, 90) == 70); // its low watermark speaks for it as well
}

TEST_CASE_FIXTURE(fixture, "a report is not above what the epoch accepted") {
  CHECK(report(220, 150) == 150);
  CHECK(report(220, 180) == 180); // its handshake
  CHECK(report(220, 210) == 210); // its rows
}

TEST_CASE_FIXTURE(fixture, "a report never goes back in a registration") {
  CHECK(report(210, 210) == 210);
  CHECK(report(170, 210) == 210);
  CHECK(report(210, 150) == 210); // a reset
  CHECK(uut.latched() == timestamp{210});
}

TEST_CASE_FIXTURE(fixture, "a sink that opens forgets what was under way") {
  accept(1, block_of({{7, 40}}), 40, 39);
  uut.on_sink_opened(position(10, 10));
  CHECK(uut.idle());
  CHECK(uut.rows_in_flight() == 0);
  CHECK(uut.stored() == position(10, 10));
  CHECK(uut.durable({5}) == timestamp{10});
  CHECK(uut.latched() == timestamp{20}); // so the registration is over
  CHECK(uut.on_durable(1) == 0);         // of the former life
}

TEST_CASE_FIXTURE(fixture, "rows at or below the checkpoint are counted") {
  CHECK(accept(1, block_of({{7, 10}, {7, 20}, {7, 30}}), 30, 29) == 2);
}
