#include "actors/sources/postgres/piece_queue.hpp"

#include <thread>

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::postgres;
using namespace std::chrono_literals;

namespace {

using clock = std::chrono::steady_clock;

// What a thread does while SOURCE waits for as long as a test would hang.
template <class Act>
expected<std::optional<copied_piece>> taken_after(piece_queue& uut, Act act) {
  auto other = std::thread{[&] {
    std::this_thread::sleep_for(20ms);
    act();
  }};
  auto result = uut.take(60s);
  other.join();
  return result;
}

} // namespace

TEST_CASE("A piece that comes ends the wait for it") {
  auto uut = piece_queue{1, 100};
  auto begun = clock::now();
  auto piece = taken_after(uut, [&] { (void) uut.put({0, "a\n", true}); });
  CHECK(clock::now() - begun < 30s);
  REQUIRE(piece.has_value());
  REQUIRE(piece->has_value());
  CHECK((*piece)->lines == "a\n");
}

TEST_CASE("A failure ends the wait for a piece") {
  auto uut = piece_queue{1, 100};
  auto begun = clock::now();
  auto piece = taken_after(uut, [&] {
    uut.fail_with({errc::source_unavailable, "gone", {}});
    uut.fail_with({errc::source_unavailable, "later", {}});
  });
  CHECK(clock::now() - begun < 30s);
  REQUIRE_FALSE(piece.has_value());
  CHECK(piece.error().detail == "gone");
}

TEST_CASE("Who waits for a piece gets none when none comes") {
  auto uut = piece_queue{1, 100};
  auto piece = uut.take(1ms);
  REQUIRE(piece.has_value());
  CHECK_FALSE(piece->has_value());
}

TEST_CASE("Who puts waits for room") {
  auto uut = piece_queue{1, 1};
  REQUIRE(uut.put({0, "a\n", false}));
  auto put = false;
  auto other = std::thread{[&] { put = uut.put({0, "b\n", true}); }};
  CHECK((*uut.take(60s))->lines == "a\n");
  CHECK((*uut.take(60s))->lines == "b\n");
  other.join();
  CHECK(put);
}
