// Runs the whole service, real actors on one thread, in schedules that a seed
// decides: who runs next, what the link loses, what crashes. Each schedule is
// compared with the truth after every step.
//
//   simulate [--seeds 20000] [--start 1] [--minutes 0]
//            [--faults none|link|sinks|crash|disk|all]
//            [--policy fifo|random|pct|pos]     instead of all of them
//            [--tight]                          feeds fall behind
//   simulate --replay SEED [...]                one schedule, step by step
//   simulate --shrink SEED [...]                the shortest that breaks the
//                                               same rule, step by step
//
// Exits with 1 at the first rule that does not hold, naming it and the seed;
// if a violation that was put in by hand (one seed in a hundred) is not
// reported; and if a rule was never looked at in a thousand schedules.
#include <chrono>
#include <ctime>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tests/simulation/world/shrink.hpp"

namespace {

using namespace sluice::simulation;

struct settings {
  std::uint64_t seeds = 20'000;
  std::uint64_t start = 1;
  double minutes = 0;
  fault_set set = fault_set::all;
  std::optional<policy> order;
  bool brief = false;
  bool tight = false;

  [[nodiscard]] schedule_options expand_seed(std::uint64_t seed) const {
    auto result = expand(seed, set);
    if (order)
      result.order = *order;
    if (tight)
      tighten(result);
    return result;
  }
};

void print_line(const std::string& line) {
  fmt::print("{}\n", line);
}

int report(std::uint64_t seed, const violation& x) {
  fmt::print("{} does not hold, seed {}: {}\n", to_string(x.broken), seed,
             x.what);
  return 1;
}

int print_schedule(const schedule_options& how, choices choose) {
  fmt::print("{}\n", to_string(how));
  auto done = world{how, std::move(choose), print_line}.run();
  fmt::print("{} steps, {} rows, trace {:016x}\n", done.steps, done.rows,
             done.trace);
  return done.broken ? report(how.seed, *done.broken) : 0;
}

int print_shrunk(const schedule_options& how) {
  auto done = world{how}.run();
  if (!done.broken) {
    fmt::print("seed {} breaks no rule\n", how.seed);
    return 0;
  }
  auto steps = done.steps;
  auto small = shrink(how, std::move(done));
  fmt::print("{} steps of {}\n", small.steps, steps);
  return print_schedule(how, choices{small.choices});
}

struct summary {
  std::uint64_t schedules = 0;
  std::uint64_t planted = 0;
  std::uint64_t trace = 0;
  outcome sum;

  void add(const outcome& x) {
    ++schedules;
    trace = (trace ^ x.trace) * 0x100000001B3ULL;
    sum.steps += x.steps;
    sum.rows += x.rows;
    for (std::size_t i = 0; i < x.faults.size(); ++i)
      sum.faults[i] += x.faults[i];
    for (std::size_t i = 0; i < x.evaluations.size(); ++i)
      sum.evaluations[i] += x.evaluations[i];
    for (const auto& [name, n] : x.probes)
      sum.probes[name] += n;
  }
};

void print(const summary& x, std::uint64_t start, double took) {
  fmt::print("{} schedules from seed {}, {} steps, {} rows, trace {:016x}\n",
             x.schedules, start, x.sum.steps, x.sum.rows, x.trace);
  fmt::print("faults:\n");
  for (std::size_t i = 0; i < faults; ++i)
    if (x.sum.faults[i] > 0)
      fmt::print("  {:>12} {}\n", x.sum.faults[i], fault_kinds[i].name);
  fmt::print("rules, looked at:\n");
  for (std::size_t i = 0; i < rule_names.size(); ++i)
    fmt::print("  {:>12} {}\n", x.sum.evaluations[i], rule_names[i]);
  fmt::print("reached:\n");
  for (const auto& [name, n] : x.sum.probes)
    fmt::print("  {:>12} {}\n", n, name);
  fmt::print("{} violations put in by hand, all reported\n", x.planted);
  auto each = std::max<std::uint64_t>(x.schedules, 1);
  fmt::print("{:.0f} schedules/s and core, of {} steps; no violation\n",
             static_cast<double>(x.schedules) / took, x.sum.steps / each);
}

// @returns Whether every rule was looked at, if there was occasion.
bool looked_at_all(const summary& x) {
  auto result = true;
  for (std::size_t i = 0; x.schedules >= 1'000 && i < rule_names.size(); ++i)
    if (x.sum.evaluations[i] == 0) {
      fmt::print("{} was never looked at\n", rule_names[i]);
      result = false;
    }
  return result;
}

// @returns The exit status if this schedule ends the run.
std::optional<int> run_one(const settings& with, std::uint64_t seed,
                           summary& to) {
  auto how = with.expand_seed(seed);
  auto done = world{how}.run();
  if (done.planted) {
    ++to.planted;
    if (!done.broken) {
      fmt::print("a violation put in by hand was not reported, seed {}\n",
                 seed);
      return 1;
    }
  } else if (done.broken) {
    auto result = report(seed, *done.broken);
    if (!with.brief)
      (void) print_shrunk(how);
    return result;
  }
  to.add(done);
  return {};
}

int run(const settings& with) {
  using clock = std::chrono::steady_clock;
  auto end = clock::now() + std::chrono::duration<double>(with.minutes * 60);
  auto begin = std::clock(); // a core's time, whatever else the machine does
  auto all = summary{};
  for (std::uint64_t i = 0; with.minutes > 0 || i < with.seeds; ++i) {
    if (with.minutes > 0 && clock::now() >= end)
      break;
    if (auto status = run_one(with, with.start + i, all))
      return *status;
  }
  print(all, with.start,
        static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  return looked_at_all(all) ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  auto with = settings{};
  auto one = std::uint64_t{0};
  auto order = policy::random;
  auto app = CLI::App{"Simulates a service under many schedules."};
  app.add_option("--seeds", with.seeds, "How many");
  app.add_option("--start", with.start, "The first");
  app.add_option("--minutes", with.minutes, "For so long, instead of --seeds");
  app.add_option("--replay", one, "Only this one, step by step");
  app.add_option("--shrink", one, "A shorter one that breaks the same rule");
  app.add_flag("--brief", with.brief, "A violation is one line");
  app.add_flag("--tight", with.tight, "Many tables, little credit and window");
  app.add_option("--policy", order, "Who runs next")
    ->transform(CLI::CheckedTransformer(
      std::map<std::string, policy>{{"fifo", policy::fifo},
                                    {"random", policy::random},
                                    {"pct", policy::pct},
                                    {"pos", policy::pos}}));
  app.add_option("--faults", with.set, "Which may occur")
    ->transform(CLI::CheckedTransformer(
      std::map<std::string, fault_set>{{"none", fault_set::none},
                                       {"link", fault_set::link},
                                       {"sinks", fault_set::sinks},
                                       {"crash", fault_set::crash},
                                       {"disk", fault_set::disk},
                                       {"all", fault_set::all}}));
  CLI11_PARSE(app, argc, argv);
  if (app.count("--policy") > 0)
    with.order = order;
  auto how = with.expand_seed(one);
  if (app.count("--replay") > 0)
    return print_schedule(how, choices{how.seed});
  if (app.count("--shrink") > 0)
    return print_shrunk(how);
  return run(with);
}
