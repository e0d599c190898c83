#include <algorithm>
#include <string_view>

#include <doctest/doctest.h>

#include "tests/simulation/exhaust/run.hpp"
#include "tests/support/dice.hpp"

using namespace sluice::exploration;
using sluice::test::dice;

namespace {

const scenario& named(std::string_view name) {
  const auto& all = scenarios();
  auto found = std::find_if(all.begin(), all.end(),
                            [=](const auto& x) { return x.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

/// @param schedules As reviewed: fewer may mean that steps are taken to
///        commute that do not, and then nothing is proved.
void holds(std::string_view name, std::uint64_t schedules) {
  auto done = run(named(name));
  for (const auto& [rule, n] : done.found.violations)
    FAIL_CHECK(rule, " does not hold in ", n, " schedules; exhaust --scenario ",
               name, " shows one");
  for (const auto& x : done.missing)
    FAIL_CHECK(x);
  CHECK(done.found.complete);
  CHECK(done.found.schedules == schedules);
}

// All that can be seen of it from here on.
std::string rest(world x) {
  auto result = std::string{};
  for (std::size_t chain = 0; chain < x.chains(); ++chain) {
    if (!x.enabled(chain))
      continue;
    result += x.describe(chain) + '\n';
    x.step(chain);
    chain = std::size_t(-1); // the first again
  }
  for (const auto& kind : x.broken())
    result += kind;
  return result;
}

std::string rest_after(world x, std::size_t first, std::size_t second) {
  x.step(first);
  x.step(second);
  return rest(std::move(x));
}

std::vector<std::size_t> enabled(const world& x) {
  auto result = std::vector<std::size_t>{};
  for (std::size_t i = 0; i < x.chains(); ++i)
    if (x.enabled(i))
      result.push_back(i);
  return result;
}

} // namespace

// -- a collector that says what it likes --------------------------------------

TEST_CASE("two resets, a heartbeat, a notification, a scan, a report") {
  holds("two_resets", 20'932);
}

TEST_CASE("heartbeats and a second reset during a slow look-up") {
  holds("slow_look_up", 4'267);
}

TEST_CASE("heartbeats that are not true are not believed") {
  holds("false_heartbeats", 3'909);
}

TEST_CASE("register, remove, register again, sweep") {
  holds("registrations", 5'174);
}

TEST_CASE("credit, scan done, reset") {
  holds("little_credit", 27'457);
}

TEST_CASE("RESET sent, a watermark of before, heartbeat") {
  holds("old_watermark", 4'403);
}

TEST_CASE("DDL at 950, rows idle, watermark 1000") {
  holds("idle_ddl", 1'034);
}

TEST_CASE("a reset behind the end of a table") {
  holds("dropped_table", 1'846);
}

TEST_CASE("register at an old ts on an advanced channel") {
  holds("late_dispatcher", 1'231);
}

TEST_CASE("a scan hands over to the fast path inside a commit_ts") {
  holds("hand_over", 4'340);
}

TEST_CASE("a new channel while streams wait for a scan") {
  holds("new_channel", 21'860);
}

// -- both shards --------------------------------------------------------------

TEST_CASE("credit ends, notification, sink written") {
  holds("late_and_back", 5'110);
}

TEST_CASE("credit ends, the window moves on, blocks are read") {
  holds("late_and_reading", 13'240);
}

TEST_CASE("sink written, gap, reset") {
  holds("gap_and_reset", 4'446);
}

TEST_CASE("a promise behind rows that got lost") {
  holds("small_window", 8'018);
}

TEST_CASE("a sink fails between what is accepted and what is durable") {
  holds("sink_failure", 5'647);
}

TEST_CASE("a sink comes back empty") {
  holds("restored_sink", 4'694);
}

TEST_CASE("a lost heartbeat with an exception") {
  holds("lost_heartbeat", 7'129);
}

TEST_CASE("a silent collector is swept while rows come") {
  holds("sweep", 14'748);
}

TEST_CASE("a table that is heard of late") {
  holds("late_table", 14'410);
}

// -- what it all stands on ----------------------------------------------------

TEST_CASE("steps that are called independent commute") {
  auto pairs = std::uint64_t{0};
  auto luck = dice{11};
  for (const auto& script : scenarios()) {
    CAPTURE(script.name);
    auto sum = tally{};
    const auto prepared = world{script, sum};
    for (int walk = 0; walk < 20; ++walk) {
      auto x = world{prepared};
      for (auto can = enabled(x); !can.empty(); can = enabled(x)) {
        for (std::size_t i = 0; i < can.size(); ++i)
          for (std::size_t k = 0; k < i; ++k)
            if (!x.dependent(can[i], can[k])) {
              ++pairs;
              REQUIRE(rest_after(x, can[i], can[k])
                      == rest_after(x, can[k], can[i]));
            }
        x.step(can[luck.roll(can.size())]);
      }
    }
  }
  CHECK(pairs > 5'000);
}
