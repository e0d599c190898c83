#pragma once

#include <cstdint>
#include <string>

#include "tests/support/dice.hpp"

namespace sluice::simulation {

using test::dice;

/// Which ready actor runs next.
enum class policy : std::uint8_t {
  fifo,   ///< In the order in which they became ready.
  random, ///< Each as likely.
  pct,    ///< By priorities that change at a few random steps.
  pos,    ///< By a priority that each message draws anew.
};

[[nodiscard]] inline std::string to_string(policy x) {
  switch (x) {
    case policy::fifo:
      return "fifo";
    case policy::random:
      return "random";
    case policy::pct:
      return "pct";
    default:
      return "pos";
  }
}

/// What may go wrong, as data: each is the chance of it in percent, per
/// occasion; 0 switches it off.
struct fault_options {
  // On the link between the shards, per message.
  std::uint64_t lose = 0;
  std::uint64_t repeat = 0;
  std::uint64_t overtake = 0;
  // Per step of the world.
  std::uint64_t sink_fails = 0;
  std::uint64_t sink_restored = 0;
  std::uint64_t collector_crashes = 0;
  std::uint64_t process_crashes = 0;
  std::uint64_t clock_jumps = 0;
};

/// Everything that a schedule depends on. A seed expands to one of these.
struct schedule_options {
  std::uint64_t seed = 1;
  policy order = policy::random;
  fault_options faults;
  std::uint64_t tables = 3;
  std::uint64_t steps = 600; ///< Of actors while faults are on.
  std::uint64_t credit = 4'096;
  std::uint64_t window = 4'096;
  std::uint64_t read_rows_max = 8;
};

enum class fault_set : std::uint8_t { none, link, sinks, crash, all };

/// Swarm: each seed switches a random half of the faults on.
[[nodiscard]] schedule_options expand(std::uint64_t seed, fault_set faults);

[[nodiscard]] std::string to_string(const schedule_options& x);

} // namespace sluice::simulation
