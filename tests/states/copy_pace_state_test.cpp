#include "actors/copy_pace_state.hpp"

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::chrono_literals;

using pace = copy_pace_state::pace;

TEST_CASE("a copy says nothing of its pace before it has one") {
  auto uut = copy_pace_state{};
  CHECK(uut.on_rows(0, 1'000, 10'000ms) == pace{});
  CHECK(uut.on_rows(400, 1'000, 10'499ms) == pace{});
  CHECK(uut.on_rows(400, 1'000, 10'500ms) == pace{800, 1});
}

TEST_CASE("the pace of a copy is that since its begin") {
  auto uut = copy_pace_state{};
  (void) uut.on_rows(100, 10'100, 0ms);
  CHECK(uut.on_rows(1'100, 10'100, 1'000ms) == pace{1'000, 9});
  CHECK(uut.on_rows(1'100, 10'100, 2'000ms) == pace{500, 18});
  CHECK(uut.on_rows(1'100, 10'100, 60'000'000ms) == pace{0, 0});
}

TEST_CASE("a copy that begins again has a pace of its own") {
  auto uut = copy_pace_state{};
  (void) uut.on_rows(0, 1'000, 0ms);
  CHECK(uut.on_rows(900, 1'000, 1'000ms) == pace{900, 1});
  CHECK(uut.on_rows(10, 1'000, 2'000ms) == pace{});
  CHECK(uut.on_rows(20, 1'000, 3'000ms) == pace{10, 98});
}

TEST_CASE("a copy with more rows than were estimated has no time left") {
  auto uut = copy_pace_state{};
  (void) uut.on_rows(0, 100, 0ms);
  CHECK(uut.on_rows(200, 100, 1'000ms) == pace{200, 0});
}
