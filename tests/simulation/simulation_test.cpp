#include <doctest/doctest.h>

#include "tests/simulation/world/world.hpp"

using namespace sluice::simulation;

namespace {

// Some seeds of each kind; `simulate` runs as many as one likes.
void run_seeds(fault_set faults, std::uint64_t count) {
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    auto how = expand(seed, faults);
    CAPTURE(to_string(how));
    auto done = world{how}.run();
    if (done.broken)
      FAIL(rule_names[static_cast<std::size_t>(done.broken->broken)],
           " does not hold: ", done.broken->what);
    CHECK(done.rows > 0);
  }
}

} // namespace

TEST_CASE("every row arrives once and in order, in any order of steps") {
  run_seeds(fault_set::none, 100);
}

TEST_CASE("a link that loses, repeats and reorders loses no row") {
  run_seeds(fault_set::link, 200);
}

TEST_CASE("sinks that fail or are restored get every row once") {
  run_seeds(fault_set::sinks, 200);
}

TEST_CASE("crashes lose no row and repeat none") {
  run_seeds(fault_set::crash, 200);
}

TEST_CASE("the same seed takes the same steps") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto how = expand(seed, fault_set::all);
    CAPTURE(to_string(how));
    auto once = world{how}.run();
    auto again = world{how}.run();
    CHECK(once.trace == again.trace);
    CHECK(once.steps == again.steps);
  }
}
