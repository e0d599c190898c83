#include "tests/simulation/world/options.hpp"

#include <fmt/format.h>

#include "tests/support/dice.hpp"

namespace sluice::simulation {

namespace {

using test::dice;

// A portfolio: no policy finds everything.
policy draw_policy(dice& luck) {
  auto roll = luck.roll(100);
  if (roll < 35)
    return policy::pct;
  if (roll < 65)
    return policy::pos;
  return roll < 90 ? policy::random : policy::fifo;
}

void draw_faults(schedule_options& to, fault_set set, dice& luck) {
  for (std::size_t i = 0; i < faults; ++i) {
    const auto& kind = fault_kinds[i];
    auto drawn = luck.percent(50);
    auto chance = 1 + luck.roll(kind.chance);
    if (drawn && (set == kind.set || set == fault_set::all))
      to.chance[i] = chance;
  }
  auto off = [&](fault x) { to.chance[static_cast<std::size_t>(x)] = 0; };
  if (!to.keeps_all) // an older copy of a target may need what is gone
    off(fault::sink_restored);
  if (!to.on_disk)
    for (auto x : {fault::power_lost, fault::disk_fails, fault::disk_full})
      off(x);
}

} // namespace

schedule_options expand(std::uint64_t seed, fault_set set) {
  auto luck = dice{seed};
  auto result = schedule_options{};
  result.seed = seed;
  result.order = draw_policy(luck);
  result.steps = std::array{150U, 250U, 350U}[luck.roll(3)];
  result.busy = result.steps * (luck.percent(50) ? 3 : 2) / 3;
  result.tables = 1 + luck.roll(4);
  result.partitions = luck.percent(70) ? 1 : 2 + luck.roll(2);
  result.ddl = luck.percent(50) ? 1 + luck.roll(20) : 0;
  result.credit = std::array{1'024U, 4'096U, 16'384U, 1'048'576U}[luck.roll(4)];
  result.window = std::array{256U, 1'024U, 4'096U, 65'536U}[luck.roll(4)];
  result.store_window = result.window;
  result.scan = std::array{1'024U, 4'096U, 65'536U, 1'048'576U}[luck.roll(4)];
  result.read_rows_max = std::array{1U, 3U, 8U, 40U}[luck.roll(4)];
  result.large = luck.percent(25) ? 1 + luck.roll(10) : 0;
  result.keeps_all = luck.percent(60);
  result.synced = luck.percent(30);
  result.on_disk = luck.percent(set == fault_set::disk ? 100 : 30);
  draw_faults(result, set, luck);
  // An older copy of a target has less than was confirmed.
  if (luck.percent(50) && result.of(fault::sink_restored) == 0)
    result.confirm_sinks = 1 + luck.roll(3);
  if (seed % 100 == 0)
    result.violation = static_cast<planted>(
      1 + (seed / 100) % (planted_kinds - 1));
  return result;
}

void tighten(schedule_options& to) {
  auto luck = dice{~to.seed};
  to.tables = 2 + luck.roll(5);
  to.credit = std::array{200U, 400U, 1'000U, 4'096U}[luck.roll(4)];
  to.window = std::array{1U, 400U, 1'500U, 6'000U}[luck.roll(4)];
  to.store_window = std::array{1U, 2'000U, 65'536U}[luck.roll(3)];
  to.scan = std::array{100U, 500U, 4'096U}[luck.roll(3)];
  to.large = luck.percent(30) ? 1 + luck.roll(20) : 0;
  // Where the faults are those of sinks at all.
  for (auto x : {fault::sink_stalls, fault::feed_leaves})
    if (auto i = static_cast<std::size_t>(x); luck.percent(50))
      to.chance[i] = std::min<std::uint64_t>(to.chance[i] * 3, 100);
}

std::string to_string(const schedule_options& x) {
  auto result = fmt::format(
    "seed {}: {}, {} tables in {} partitions, DDL {} %, credit {}, window {}, "
    "store's {}, scans of {}, reads of {} rows, large {} %, {}, {}, {}, "
    "confirm = sinks {}",
    x.seed, policy_names[static_cast<std::size_t>(x.order)], x.tables,
    x.partitions, x.ddl, x.credit, x.window, x.store_window, x.scan,
    x.read_rows_max, x.large,
    x.keeps_all ? "nothing is released" : "rows are released",
    x.synced ? "synced" : "written", x.on_disk ? "on disk" : "in memory",
    std::array{"nowhere", "1st", "2nd", "1st and 2nd"}[x.confirm_sinks]);
  for (std::size_t i = 0; i < faults; ++i)
    if (x.chance[i] > 0)
      result += fmt::format("; {} {} %", fault_kinds[i].name, x.chance[i]);
  if (x.violation != planted::nothing)
    result += "; one violation put in by hand";
  return result;
}

} // namespace sluice::simulation
