#include <doctest/doctest.h>

#include "tests/simulation/world/shrink.hpp"

using namespace sluice::simulation;

namespace {

// Some seeds of each kind; `simulate` runs as many as one likes.
void run_seeds(fault_set faults, std::uint64_t count) {
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    auto how = expand(seed, faults);
    how.violation = planted::nothing;
    CAPTURE(to_string(how));
    auto done = world{how}.run();
    if (done.broken)
      FAIL(to_string(done.broken->broken),
           " does not hold: ", done.broken->what);
    CHECK(done.rows > 0);
  }
}

// With the first seed that gives occasion to it.
outcome run_planted(planted violation) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    auto how = expand(seed, fault_set::all);
    how.violation = violation;
    auto done = world{how}.run();
    if (!done.planted)
      continue;
    CAPTURE(to_string(how));
    REQUIRE(done.broken);
    return done;
  }
  FAIL("there was no occasion");
  return {};
}

} // namespace

TEST_CASE("every row arrives once and in order, in any order of steps") {
  run_seeds(fault_set::none, 100);
}

TEST_CASE("a link that loses, repeats, reorders and breaks loses no row") {
  run_seeds(fault_set::link, 200);
}

TEST_CASE("sinks that fail or are restored get every row once") {
  run_seeds(fault_set::sinks, 200);
}

TEST_CASE("crashes lose no row and repeat none") {
  run_seeds(fault_set::crash, 200);
}

TEST_CASE("disks that forget, fail and fill up lose no row") {
  run_seeds(fault_set::disk, 100);
}

TEST_CASE("the same seed takes the same steps") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto how = expand(seed, fault_set::all);
    CAPTURE(to_string(how));
    auto once = world{how}.run();
    auto again = world{how}.run();
    CHECK(once.trace == again.trace);
    CHECK(once.steps == again.steps);
    auto replayed = world{how, choices{once.choices}}.run();
    CHECK(replayed.trace == once.trace);
  }
}

TEST_CASE("a violation that is put in is reported") {
  auto broken = [](planted x) { return run_planted(x).broken->broken; };
  CHECK(broken(planted::row_is_repeated) == rule::i8);
  CHECK(broken(planted::checkpoint_goes_back) == rule::i1);
  CHECK(broken(planted::sequence_is_skipped) == rule::i7);
  (void) broken(planted::row_is_lost); // seen by several rules
}

TEST_CASE("a shrunk schedule breaks the same rule in fewer choices") {
  auto how = expand(3, fault_set::all);
  how.violation = planted::row_is_repeated;
  auto done = world{how}.run();
  auto choices_before = done.choices.size();
  auto small = shrink(how, std::move(done), 300);
  REQUIRE(small.broken);
  CHECK(small.broken->broken == rule::i8);
  CHECK(small.choices.size() < choices_before);
}
