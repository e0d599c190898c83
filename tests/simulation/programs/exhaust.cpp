// Runs the real states in every schedule of small scenarios.
//
//   exhaust [--scenario NAME] [--list] [--schedules N] [--counts]
//
// Exits with 1 at the first scenario in which an invariant does not hold,
// naming it and the shortest schedule, step by step; or which does not reach
// what it is for.
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tests/simulation/exhaust/run.hpp"

namespace {

using namespace sluice::exploration;

void print_counts(const tally& sum) {
  fmt::print("  looked at:");
  for (std::size_t i = 0; i < rule_names.size(); ++i)
    if (sum.evaluations[i] > 0)
      fmt::print("  {} {}", rule_names[i], sum.evaluations[i]);
  fmt::print("\n  reached:");
  for (std::size_t i = 0; i < probe_names.size(); ++i)
    if (sum.reached[i] > 0)
      fmt::print("  {} {}", probe_names[i], sum.reached[i]);
  fmt::print("\n");
}

bool holds(const outcome& done) {
  for (const auto& [name, n] : done.found.violations)
    fmt::print("  {} does not hold in {} schedules\n", name, n);
  if (done.found.violating > 0)
    fmt::print("  the shortest schedule:\n");
  for (std::size_t i = 0; i < done.found.shortest.size(); ++i)
    fmt::print("  {:3}  {}\n", i + 1, done.found.shortest[i]);
  for (const auto& x : done.missing)
    fmt::print("  {}\n", x);
  return done.found.violating == 0 && done.missing.empty();
}

} // namespace

int main(int argc, char** argv) {
  auto name = std::string{};
  auto list = false;
  auto counts = false;
  auto limit = limits{};
  auto app = CLI::App{"Explores small scenarios in every schedule."};
  app.add_option("--scenario", name, "Only this one");
  app.add_flag("--list", list, "Names only");
  app.add_flag("--counts", counts, "How often each invariant was looked at");
  app.add_option("--schedules", limit.schedules, "No more of each");
  CLI11_PARSE(app, argc, argv);
  auto known = false;
  auto good = true;
  for (const auto& script : scenarios()) {
    if (!name.empty() && script.name != name)
      continue;
    known = true;
    if (list) {
      fmt::print("{}\n", script.name);
      continue;
    }
    auto done = run(script, limit);
    fmt::print("{:18} {:8} schedules {:8} pruned {:10} steps {:3} deepest "
               "{:6} violations {:6.2f} s{}\n",
               script.name, done.found.schedules, done.found.pruned,
               done.found.steps, done.found.deepest, done.found.violating,
               done.seconds, done.found.complete ? "" : ", cut");
    if (counts)
      print_counts(done.sum);
    good = holds(done);
    if (!good)
      break;
  }
  if (!known)
    fmt::print("no scenario is called \"{}\"\n", name);
  return good && known ? 0 : 1;
}
