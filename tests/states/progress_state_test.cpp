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

  std::uint64_t hand(const block_ptr& block) {
    return uut.on_handed(*block, 0, static_cast<std::uint32_t>(block->rows()));
  }
  std::uint64_t report(std::uint64_t low, std::uint64_t accepted) {
    return uut.report({low}, {accepted}).value;
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "rows are under way until they are durable") {
  CHECK(uut.idle());
  CHECK(hand(block_of({{7, 40}, {7, 60}})) == 0);
  CHECK(hand(block_of({{7, 80}})) == 0);
  CHECK_FALSE(uut.idle());
  CHECK(uut.rows_in_flight() == 3);
  uut.on_durable(2, position(60, 59));
  CHECK(uut.rows_in_flight() == 1);
  CHECK(uut.stored() == position(60, 59));
  uut.on_durable(1, position(80, 80));
  CHECK(uut.idle());
}

TEST_CASE_FIXTURE(fixture, "only what the target has stored is reported") {
  hand(block_of({{7, 40}}));
  CHECK(report(20, 90) == 20); // handed, not durable
  uut.on_durable(1, position(40, 39));
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
  hand(block_of({{7, 40}}));
  uut.on_sink_opened(position(10, 10));
  CHECK(uut.idle());
  CHECK(uut.rows_in_flight() == 0);
  CHECK(uut.stored() == position(10, 10));
  CHECK(uut.durable({5}) == timestamp{10});
  CHECK(uut.latched() == timestamp{20}); // so the registration is over
}

TEST_CASE_FIXTURE(fixture, "rows at or below the checkpoint are counted") {
  CHECK(hand(block_of({{7, 10}, {7, 20}, {7, 30}})) == 2);
}
