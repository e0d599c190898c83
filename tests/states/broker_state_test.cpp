#include "actors/broker_state.hpp"

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("a message goes to the shard that serves its partition") {
  auto uut = broker_state{};
  uut.on_serve_partition({1}, 0);
  uut.on_serve_partition({2}, 1);
  CHECK(uut.shard_of({1}) == 0U);
  CHECK(uut.shard_of({2}) == 1U);
  uut.on_serve_partition({1}, 2); // started again
  CHECK(uut.shard_of({1}) == 2U);
}

TEST_CASE("registrations for a partition that nobody serves are refused") {
  auto uut = broker_state{};
  CHECK_FALSE(uut.shard_of({1}));
  auto message = register_dispatchers{{1, 5}, {1}, {}};
  message.entries.push_back({{1, 20}, {1, 2}, {1}, {7}, {40}});
  message.entries.push_back({{1, 21}, {1, 3}, {1}, {8}, {60}});
  auto refusals = uut.refusals(message);
  REQUIRE(refusals.size() == 2);
  CHECK(refusals[0] == refused{{1, 5}, {1, 20}, errc::stopped, {40}, {}});
  CHECK(refusals[1].registration == registration_id{1, 21});
}
