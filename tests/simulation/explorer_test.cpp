#include "tests/simulation/explore/explorer.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include <doctest/doctest.h>

#include "tests/support/dice.hpp"

using namespace sluice::exploration;
using sluice::test::dice;

namespace {

// One step of a chain: `value := 3 * value + add`, which does not commute.
struct operation {
  std::size_t variable = 0;
  std::uint64_t add = 0;
};
using program = std::vector<std::vector<operation>>; // per chain

// What happened, of all schedules of one program.
struct observed {
  std::set<std::vector<std::uint64_t>> ends;
  std::set<std::vector<std::uint64_t>> classes;
};

// Chains that change common variables. A chain may wait: its first step is
// enabled once variable 0 was changed `waits[chain]` times.
class machine {
public:
  machine(const program& code, observed& seen,
          std::vector<std::uint64_t> waits = {})
    : code_{code}, seen_{seen}, waits_{std::move(waits)}, at_(code.size()),
      variables_(8), touched_(8) {
    waits_.resize(code.size());
  }
  std::size_t chains() const { return code_.size(); }
  bool enabled(std::size_t chain) const {
    return at_[chain] < code_[chain].size() && waits_[chain] <= touched_[0];
  }
  bool dependent(std::size_t a, std::size_t b) const {
    return next(a).variable == next(b).variable;
  }
  void step(std::size_t chain) {
    auto what = next(chain);
    auto& x = variables_[what.variable];
    x = 3 * x + what.add;
    // How many came before it at that variable: equal classes, equal orders.
    order_.push_back({chain, at_[chain], touched_[what.variable]++});
    ++at_[chain];
  }
  std::string describe(std::size_t chain) const {
    return "chain " + std::to_string(chain);
  }
  std::vector<std::string> broken() const {
    seen_.ends.insert(variables_);
    auto order = order_;
    std::sort(order.begin(), order.end());
    auto flat = std::vector<std::uint64_t>{};
    for (const auto& x : order)
      flat.insert(flat.end(), x.begin(), x.end());
    seen_.classes.insert(flat);
    return {};
  }

private:
  const operation& next(std::size_t chain) const {
    return code_[chain][at_[chain]];
  }

  const program& code_;
  observed& seen_;
  std::vector<std::uint64_t> waits_;
  std::vector<std::size_t> at_;
  std::vector<std::uint64_t> variables_;
  std::vector<std::uint64_t> touched_;
  std::vector<std::array<std::uint64_t, 3>> order_;
};

// Two chains of n steps at the variables given.
program two_chains(std::size_t n, std::size_t one, std::size_t other) {
  return {std::vector<operation>(n, {one, 1}),
          std::vector<operation>(n, {other, 2})};
}

result run(const program& code, limits limit, observed& seen,
           const std::vector<std::uint64_t>& waits = {}) {
  return explore([&] { return machine{code, seen, waits}; }, limit);
}

// Two threads that add 1 by load and store. Steps of different kinds at the
// common value do not commute, nor do two stores.
class lost_update {
public:
  std::size_t chains() const { return 2; }
  bool enabled(std::size_t chain) const { return at_[chain] < 2; }
  bool dependent(std::size_t a, std::size_t b) const {
    return at_[a] == 1 || at_[b] == 1;
  }
  void step(std::size_t chain) {
    if (at_[chain]++ == 0)
      loaded_[chain] = value_;
    else
      value_ = loaded_[chain] + 1;
  }
  std::string describe(std::size_t chain) const {
    return (chain == 0 ? "A " : "B ")
           + std::string{at_[chain] == 0 ? "loads" : "stores"};
  }
  std::vector<std::string> broken() const {
    return value_ == 2 ? std::vector<std::string>{}
                       : std::vector<std::string>{"lost update"};
  }

private:
  int at_[2] = {0, 0};
  int loaded_[2] = {0, 0};
  int value_ = 0;
};

} // namespace

TEST_CASE("without reduction every interleaving is run") {
  auto seen = observed{};
  auto done = run(two_chains(5, 0, 1), {.reduce = false}, seen);
  CHECK(done.schedules == 252); // 10 over 5
  CHECK(done.pruned == 0);
  CHECK(done.deepest == 10);
  CHECK(done.complete);
  CHECK(seen.ends.size() == 1);
}

TEST_CASE("of steps that commute one order is run") {
  auto seen = observed{};
  CHECK(run(two_chains(5, 0, 1), {}, seen).schedules == 1);
}

TEST_CASE("of steps that do not commute every order is run") {
  auto seen = observed{};
  auto done = run(two_chains(5, 0, 0), {}, seen);
  CHECK(done.schedules == 252);
  CHECK(done.pruned == 0);
  CHECK(seen.classes.size() == 252);
}

TEST_CASE("a planted race is found, with its shortest schedule") {
  auto make = [] { return std::make_unique<lost_update>(); };
  for (auto reduce : {false, true}) {
    auto done = explore(make, {.reduce = reduce});
    CAPTURE(reduce);
    CHECK(done.schedules == (reduce ? 4 : 6));
    CHECK(done.violating == (reduce ? 2 : 4));
    CHECK(done.violations.at("lost update") == done.violating);
    CHECK(done.shortest
          == std::vector<std::string>{"A loads", "B loads", "A stores",
                                      "B stores"});
  }
}

TEST_CASE("reduction runs each class of random programs exactly once") {
  auto luck = dice{7};
  auto saved = std::uint64_t{0};
  for (int i = 0; i < 200; ++i) {
    auto code = program(2 + luck.roll(3));
    auto waits = std::vector<std::uint64_t>(code.size());
    for (std::size_t chain = 0; chain < code.size(); ++chain) {
      for (auto n = 1 + luck.roll(code.size() > 3 ? 2 : 4); n > 0; --n)
        code[chain].push_back({luck.roll(4), luck.roll(5)});
      // Who changes variable 0 may enable it, and so it depends on it.
      if (chain > 0 && luck.percent(20)) {
        waits[chain] = 1;
        code[chain][0].variable = 0;
      }
    }
    CAPTURE(i);
    auto all = observed{};
    auto reduced = observed{};
    auto every = run(code, {.reduce = false}, all, waits);
    auto one = run(code, {}, reduced, waits);
    CHECK(reduced.ends == all.ends);
    CHECK(reduced.classes == all.classes);
    CHECK(one.schedules == all.classes.size());
    CHECK(one.deepest == every.deepest);
    saved += every.schedules - one.schedules;
  }
  CHECK(saved > 1'000);
}

TEST_CASE("a bound on schedules is said to have been met") {
  auto seen = observed{};
  auto done = run(two_chains(5, 0, 0), {.schedules = 100}, seen);
  CHECK(done.schedules == 100);
  CHECK(!done.complete);
  CHECK(run(two_chains(5, 0, 0), {.schedules = 252}, seen).complete);
}

TEST_CASE("a step that disables one it is said to commute with is noticed") {
  // Chain 1 takes what chain 0 needs, and the model says they commute.
  struct liar : lost_update {
    std::vector<int> left = {1, 1};
    bool enabled(std::size_t chain) const {
      return left[chain] > 0 && left[1] > 0;
    }
    bool dependent(std::size_t, std::size_t) const { return false; }
    void step(std::size_t chain) { --left[chain]; }
  };
  CHECK_THROWS_AS(explore([] { return liar{}; }), std::logic_error);
}
