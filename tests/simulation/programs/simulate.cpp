// Runs the whole service, real actors on one thread, in schedules that a seed
// decides: who runs next, what the link loses, what crashes. Each schedule is
// compared with the truth after every step.
//
//   simulate [--seeds 20000] [--start 1] [--faults none|link|sinks|crash|all]
//   simulate --replay SEED [--faults ...]      the same schedule, step by step
//
// Exits with 1 at the first rule that does not hold, naming it and the seed.
#include <chrono>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tests/simulation/world/world.hpp"

namespace {

using namespace sluice::simulation;

void add(std::map<std::string, std::uint64_t>& to,
         const std::map<std::string, std::uint64_t>& from) {
  for (const auto& [name, n] : from)
    to[name] += n;
}

void print(const char* title, const std::map<std::string, std::uint64_t>& x) {
  fmt::print("{}:", title);
  for (const auto& [name, n] : x)
    fmt::print("  {} {}", name, n);
  fmt::print("\n");
}

int report(std::uint64_t seed, const violation& x) {
  fmt::print("{} does not hold, seed {}: {}\n",
             rule_names[static_cast<std::size_t>(x.broken)], seed, x.what);
  return 1;
}

int replay(std::uint64_t seed, fault_set faults) {
  auto how = expand(seed, faults);
  fmt::print("{}\n", to_string(how));
  auto done =
    world{how, [](const std::string& line) { fmt::print("{}\n", line); }}.run();
  fmt::print("{} steps, {} rows, trace {:016x}\n", done.steps, done.rows,
             done.trace);
  return done.broken ? report(seed, *done.broken) : 0;
}

} // namespace

int main(int argc, char** argv) {
  auto seeds = std::uint64_t{20'000};
  auto start = std::uint64_t{1};
  auto one = std::uint64_t{0};
  auto faults = fault_set::all;
  auto app = CLI::App{"Simulates a service under many schedules."};
  app.add_option("--seeds", seeds, "How many");
  app.add_option("--start", start, "The first");
  app.add_option("--replay", one, "Only this one, step by step");
  app.add_option("--faults", faults, "Which may occur")
    ->transform(CLI::CheckedTransformer(
      std::map<std::string, fault_set>{{"none", fault_set::none},
                                       {"link", fault_set::link},
                                       {"sinks", fault_set::sinks},
                                       {"crash", fault_set::crash},
                                       {"all", fault_set::all}}));
  CLI11_PARSE(app, argc, argv);
  if (app.count("--replay") > 0)
    return replay(one, faults);
  auto begin = std::chrono::steady_clock::now();
  auto sum = outcome{};
  for (auto seed = start; seed < start + seeds; ++seed) {
    auto done = world{expand(seed, faults)}.run();
    if (done.broken)
      return report(seed, *done.broken);
    sum.steps += done.steps;
    sum.rows += done.rows;
    add(sum.faults, done.faults);
    for (std::size_t i = 0; i < sum.evaluations.size(); ++i)
      sum.evaluations[i] += done.evaluations[i];
    add(sum.probes, done.probes);
  }
  auto took = std::chrono::duration<double>(std::chrono::steady_clock::now()
                                            - begin)
                .count();
  fmt::print("{} schedules from seed {}, {} steps, {} rows\n", seeds, start,
             sum.steps, sum.rows);
  print("faults", sum.faults);
  fmt::print("rules, evaluated:");
  for (std::size_t i = 0; i < sum.evaluations.size(); ++i)
    fmt::print("  {} {}", rule_names[i], sum.evaluations[i]);
  fmt::print("\n");
  print("reached", sum.probes);
  fmt::print("{:.0f} schedules/s of {} steps; no violation\n",
             static_cast<double>(seeds) / took,
             sum.steps / std::max<std::uint64_t>(seeds, 1));
  return 0;
}
