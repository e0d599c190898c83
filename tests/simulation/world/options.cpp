#include "tests/simulation/world/options.hpp"

#include <array>

#include <fmt/format.h>

namespace sluice::simulation {

namespace {

policy draw_policy(dice& luck) {
  auto roll = luck.roll(100); // a portfolio: no policy finds everything
  if (roll < 35)
    return policy::pct;
  if (roll < 65)
    return policy::pos;
  return roll < 90 ? policy::random : policy::fifo;
}

} // namespace

schedule_options expand(std::uint64_t seed, fault_set faults) {
  auto luck = dice{seed};
  auto result = schedule_options{};
  result.seed = seed;
  result.order = draw_policy(luck);
  result.tables = 1 + luck.roll(4);
  result.credit = std::array{512U, 2'048U, 4'096U, 65'536U}[luck.roll(4)];
  result.window = std::array{256U, 1'024U, 4'096U, 65'536U}[luck.roll(4)];
  result.read_rows_max = std::array{1U, 3U, 8U, 40U}[luck.roll(4)];
  auto on = [&](fault_set needed, std::uint64_t percent) {
    auto drawn = luck.percent(50);
    auto wanted = faults == needed || faults == fault_set::all;
    return drawn && wanted ? 1 + luck.roll(percent) : 0;
  };
  auto& x = result.faults;
  x.lose = on(fault_set::link, 10);
  x.repeat = on(fault_set::link, 10);
  x.overtake = on(fault_set::link, 10);
  x.sink_fails = on(fault_set::sinks, 5);
  x.sink_restored = on(fault_set::sinks, 3);
  x.collector_crashes = on(fault_set::crash, 2);
  x.process_crashes = on(fault_set::crash, 2);
  x.clock_jumps = on(fault_set::crash, 3);
  return result;
}

std::string to_string(const schedule_options& x) {
  const auto& f = x.faults;
  return fmt::format(
    "seed {}: {}, {} tables, credit {}, window {}, reads of {} rows; percent: "
    "lose {}, repeat {}, overtake {}, sink fails {}, restored {}, collector "
    "crashes {}, process {}, clock jumps {}",
    x.seed, to_string(x.order), x.tables, x.credit, x.window, x.read_rows_max,
    f.lose, f.repeat, f.overtake, f.sink_fails, f.sink_restored,
    f.collector_crashes, f.process_crashes, f.clock_jumps);
}

} // namespace sluice::simulation
