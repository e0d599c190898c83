// A log that ends at each of its calls to the system, and whose syncs fail, one
// after the other. Enumerated: power_loss_test draws what is too much for that.

#include <fmt/format.h>

#include "tests/store/small_life.hpp"

using namespace log_test;

namespace {

// Sectors and names that were not synced: all survive, none, or some.
const auto cuts = std::vector<power_cut>{
  {0, true, false},  {50, true, false},  {100, true, false},
  {0, false, false}, {50, false, false}, {100, false, false},
  {50, true, true},  {100, false, true}, {90, false, false},
};

std::uint64_t calls_of_a_life() {
  auto whole = small_life{std::make_shared<simulated_disk>()};
  REQUIRE(whole.run());
  REQUIRE(whole.acknowledged == small_life::rows);
  REQUIRE(whole.durable == small_life::rows);
  REQUIRE(whole.log->stats().segments_removed > 0);
  REQUIRE(whole.log->stats().bytes_rewritten > 0);
  REQUIRE(whole.log->stats().segments > 2);
  return whole.disk->calls();
}

// Ended within call `n`.
small_life life_until(std::uint64_t n) {
  auto result = small_life{std::make_shared<simulated_disk>(n)};
  result.disk->stop_at(n);
  (void) result.run(); // true if that was a mark, which may fail
  REQUIRE(result.disk->stopped());
  result.log.reset();
  return result;
}

// And goes on: a row more, which is there after the next start.
void reopen(small_life& x, std::uint64_t at_least) {
  REQUIRE(x.open());
  check_small(x, *x.log, at_least);
  x.attempted = x.log->appended_to().commit_ts.value;
  REQUIRE(x.append(x.attempted + 1));
  x.log.reset();
  x.disk->kill();
  REQUIRE(x.open());
  check_small(x, *x.log, x.attempted);
}

} // namespace

TEST_CASE("killed between any two calls, a log has what append returned") {
  auto calls = calls_of_a_life();
  auto tried = std::uint64_t{0};
  for (std::uint64_t n = 1; n <= calls; ++n, ++tried) {
    CAPTURE(n);
    auto x = life_until(n);
    x.disk->kill();
    reopen(x, x.acknowledged);
  }
  fmt::print("kills: {} of {} calls\n", tried, calls);
  CHECK(tried == calls);
  CHECK(calls > 80);
}

TEST_CASE("without power between any two calls, a log has what was synced") {
  auto calls = calls_of_a_life();
  auto tried = std::uint64_t{0};
  auto lost = std::uint64_t{0}; // rows that were not synced
  for (std::uint64_t n = 1; n <= calls; ++n)
    for (std::size_t i = 0; i < cuts.size(); ++i, ++tried) {
      CAPTURE(n);
      CAPTURE(i);
      auto x = life_until(n);
      auto luck = dice{n * cuts.size() + i};
      x.disk->crash(luck, cuts[i]);
      auto acknowledged = x.acknowledged;
      reopen(x, x.durable);
      lost += acknowledged - std::min(acknowledged, x.attempted - 1);
    }
  fmt::print("power cuts: {} in {} calls, {} rows lost that were not synced\n",
             tried, calls, lost);
  CHECK(tried == calls * cuts.size());
  CHECK(lost > 0); // or the cuts do nothing
}

// The start after a kill or a power cut ends at each of its calls, too.
TEST_CASE("ended between any two calls of its start, a log starts over") {
  auto calls = calls_of_a_life();
  auto tried = std::uint64_t{0};
  for (std::uint64_t n = 1; n <= calls; n += 7)
    for (std::uint64_t m = 1;; ++m, ++tried) {
      CAPTURE(n);
      CAPTURE(m);
      auto x = life_until(n);
      auto luck = dice{n};
      x.disk->crash(luck, cuts[1]);
      x.disk->stop_at(m);
      auto opened = x.open();
      if (opened && !x.disk->stopped())
        break; // it has no call `m`
      x.log.reset();
      x.disk->crash(luck, cuts[m % cuts.size()]);
      reopen(x, x.durable);
    }
  fmt::print("ended starts: {}\n", tried);
  CHECK(tried > calls);
}

TEST_CASE("whichever sync fails, what was called durable is there") {
  auto tried = std::uint64_t{0};
  auto dropped = std::uint64_t{0}; // sectors
  auto done = false;
  for (std::uint64_t n = 1; !done; ++n)
    for (std::uint64_t seed = 1; seed <= 12 && !done; ++seed) {
      CAPTURE(n);
      CAPTURE(seed);
      auto x = small_life{std::make_shared<simulated_disk>(seed)};
      x.disk->fail(disk_call::sync, n);
      done = x.run();
      if (done)
        break; // it has no sync `n`
      ++tried;
      x.log.reset();
      auto luck = dice{seed};
      x.disk->crash(luck, cuts[seed % cuts.size()]);
      dropped += x.disk->counts().sectors_unsynced;
      reopen(x, x.durable);
    }
  fmt::print("failed syncs: {}, {} sectors dropped\n", tried, dropped);
  CHECK(tried >= 12 * 15); // a life syncs files and directories that often
  CHECK(dropped > 0);
}
