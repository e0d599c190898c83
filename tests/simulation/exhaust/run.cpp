#include "tests/simulation/exhaust/run.hpp"

#include <chrono>
#include <stdexcept>

#include "tests/simulation/exhaust/scenarios.hpp"

namespace sluice::exploration {

outcome run(const scenario& script, limits limit) {
  auto begin = std::chrono::steady_clock::now();
  auto done = outcome{};
  try {
    auto prepared = world{script, done.sum};
    done.sum = {}; // what was seen until here is no schedule's
    done.found = explore([&] { return world{prepared}; }, limit);
  } catch (const std::runtime_error& x) {
    done.found.violating = 1;
    done.found.violations["I31"] = 1;
    done.found.shortest = {x.what()};
  }
  done.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now()
                                               - begin)
                   .count();
  for (auto x : script.holds)
    if (auto i = static_cast<std::size_t>(x); done.sum.evaluations[i] == 0)
      done.missing.push_back(std::string{rule_names[i]}
                             + " was never looked at");
  for (auto x : script.reaches)
    if (auto i = static_cast<std::size_t>(x); done.sum.reached[i] == 0)
      done.missing.push_back("\"" + std::string{probe_names[i]}
                             + "\" was never reached");
  return done;
}

const std::vector<scenario>& scenarios() {
  static const auto all = [] {
    auto result = std::vector<scenario>{};
    add_scripted(result);
    add_whole(result);
    return result;
  }();
  return all;
}

} // namespace sluice::exploration
