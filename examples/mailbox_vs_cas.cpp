// Reset, heartbeat, notification and scan of one dispatcher, in all schedules:
// with the state shared by atomics, in the steps of the history of a bug, and
// with one mailbox, as in sluice. docs/failure_analysis.md tells the story.
//
//   mailbox_vs_cas [--schedules]
//
// Prints a table, and the shortest schedule in which variants fail; of all
// kinds of violation with --schedules. Exit status: 0 if sluice has none and
// every variant that is known to have some shows it.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "mailbox_vs_cas/mailbox.hpp"
#include "mailbox_vs_cas/shared_state.hpp"
#include "mailbox_vs_cas/shortest.hpp"
#include "tests/simulation/explore/explorer.hpp"

namespace {

using namespace mailbox_vs_cas;
using sluice::exploration::explore;
using sluice::exploration::result;

struct variant {
  const char* name;
  design how;
  bool fails; ///< That is known.
};

// The first five in the order of the history. Each takes over what the one
// before it has mended.
const auto variants = std::array<variant, 8>{{
  {"1  two lower bounds", {}, true},
  {"2  one lower bound, load and store", {.single_bound = true}, true},
  {"3  2, with compare-and-swap", {.single_bound = true, .swaps = true}, true},
  {"4  3, and who resets again reads again",
   {.single_bound = true, .swaps = true, .rebuilds = true},
   true},
  {"5  4, and heartbeats name their epoch",
   {.single_bound = true,
    .swaps = true,
    .rebuilds = true,
    .checks_epoch = true},
   true},
  {"1' 1, resets and heartbeats in one thread", {.one_thread = true}, true},
  {"5' 5, resets and heartbeats in one thread",
   {.single_bound = true,
    .swaps = true,
    .rebuilds = true,
    .checks_epoch = true,
    .one_thread = true},
   true},
  {"2' 2, in one thread, row before resolved",
   {.single_bound = true, .one_thread = true, .row_first = true},
   false},
}};

// Two queues, resets and heartbeats: a thread serves them in any order.
std::vector<shared_state::order> orders(const design& how) {
  auto result = std::vector<shared_state::order>{{0, 1, 2, 3}};
  if (how.one_thread)
    result.insert(
      result.end(),
      {{0, 2, 1, 3}, {0, 2, 3, 1}, {2, 0, 1, 3}, {2, 0, 3, 1}, {2, 3, 0, 1}});
  return result;
}

result explore_all(const design& how) {
  auto sum = result{};
  for (const auto& order : orders(how)) {
    auto part = explore([&] { return shared_state{how, order}; });
    sum.schedules += part.schedules;
    sum.violating += part.violating;
    sum.complete &= part.complete;
    for (const auto& [kind, n] : part.violations)
      sum.violations[kind] += n;
  }
  return sum;
}

schedules shortest(const design& how, kind_set wanted) {
  auto best = schedules{};
  for (const auto& order : orders(how)) {
    auto found = shortest_to(shared_state{how, order}, wanted);
    for (std::size_t i = 0; i < best.size(); ++i)
      if (best[i].empty()
          || (!found[i].empty() && found[i].size() < best[i].size()))
        best[i] = std::move(found[i]);
  }
  return best;
}

kind_set kinds_of(const result& x) {
  auto kinds = kind_set{};
  for (std::size_t i = 0; i < kinds.size(); ++i)
    kinds.set(i, x.violations.contains(checker::kinds[i]));
  return kinds;
}

// Of the shortest one.
std::size_t steps_of(const schedules& found) {
  auto steps = std::size_t{0};
  for (const auto& x : found)
    if (!x.empty() && (steps == 0 || x.size() < steps))
      steps = x.size();
  return steps;
}

void print_row(std::string_view name, const result& x, std::size_t steps) {
  fmt::print("{:<42} {:>9} {:>8}", name, x.schedules, x.violating);
  for (const auto* kind : checker::kinds) {
    auto found = x.violations.find(kind);
    fmt::print(" {:>8}", found == x.violations.end() ? 0 : found->second);
  }
  fmt::print(" {:>8}\n", steps == 0 ? "-" : std::to_string(steps));
  std::fflush(stdout);
}

void print_schedule(std::string_view name, const char* kind,
                    const std::vector<std::string>& steps) {
  fmt::print("\n{}: {}\n", name, kind);
  for (std::size_t i = 0; i < steps.size(); ++i)
    fmt::print("{:>4}  {}\n", i + 1, steps[i]);
}

// Few threads show what a step of the history mends, and what it does not.
struct part {
  const char* name;
  shared_state::chain_set running;
};
constexpr auto parts = std::array<part, 3>{{{"two heartbeats", 0b0001100},
                                            {"reset, heartbeat", 0b0001001},
                                            {"resets, heartbeat", 0b0001011}}};

void print_parts() {
  fmt::print("\n{:<42}", "failing, of all, with only some threads");
  for (const auto& x : parts)
    fmt::print(" {:>17}", x.name);
  for (const auto& x : variants) {
    if (x.how.one_thread)
      continue;
    fmt::print("\n{:<42}", x.name);
    for (const auto& y : parts) {
      auto found = explore([&] { return shared_state{x.how, {}, y.running}; });
      fmt::print(" {:>8} of {:>5}", found.violating, found.schedules);
    }
  }
  fmt::print("\n");
  constexpr auto moved_back = checker::moved_back;
  for (const auto& x : {parts[0], parts[1]})
    print_schedule(fmt::format("{}, {}", variants[1].name, x.name),
                   checker::kinds[moved_back],
                   shortest_to(shared_state{variants[1].how, {}, x.running},
                               kind_set{}.set(moved_back))[moved_back]);
}

// What ends the process, if a variant has that; else the first kind it has.
std::size_t worst(const schedules& found) {
  if (!found[checker::below_floor].empty())
    return checker::below_floor;
  auto kind = std::size_t{0};
  while (kind + 1 < found.size() && found[kind].empty())
    ++kind;
  return kind;
}

void print_schedules(const std::vector<schedules>& found, bool all) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto shown = worst(found[i]);
    for (std::size_t kind = 0; kind < checker::kinds.size(); ++kind) {
      const auto& steps = found[i][kind];
      if (steps.empty() || (kind != shown && !all))
        continue;
      auto same = std::find_if(found.begin(),
                               found.begin() + static_cast<std::ptrdiff_t>(i),
                               [&](const auto& x) { return x[kind] == steps; });
      auto before = static_cast<std::size_t>(same - found.begin());
      if (before == i)
        print_schedule(variants[i].name, checker::kinds[kind], steps);
      else
        fmt::print("\n{}: {}: as in {:.1}\n", variants[i].name,
                   checker::kinds[kind], variants[before].name);
    }
  }
}

} // namespace

int main(int argc, char** argv) {
  auto all = argc == 2 && std::string_view{argv[1]} == "--schedules";
  if (argc > 1 && !all)
    return std::fprintf(stderr, "usage: mailbox_vs_cas [--schedules]\n"), 2;
  fmt::print("{:<42} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "",
             "schedules", "failing", "back", "floor", "lost", "again", "steps");
  auto as_known = true;
  auto found = std::vector<schedules>(variants.size());
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const auto& x = variants[i];
    auto explored = explore_all(x.how);
    found[i] = shortest(x.how, kinds_of(explored));
    print_row(x.name, explored, steps_of(found[i]));
    as_known &= explored.complete && (explored.violating > 0) == x.fails;
  }
  auto ours = explore([] { return std::make_unique<mailbox>(); });
  print_row("6  sluice: one mailbox", ours, ours.shortest.size());
  print_parts();
  print_schedules(found, all);
  if (ours.violating > 0)
    print_schedule("sluice", "a schedule that fails", ours.shortest);
  return as_known && ours.complete && ours.violating == 0 ? 0 : 1;
}
