#pragma once

#include <string>
#include <vector>

#include "tests/simulation/exhaust/world.hpp"
#include "tests/simulation/explore/explorer.hpp"

namespace sluice::exploration {

/// Every schedule of one scenario.
struct outcome {
  result found;
  tally sum;
  double seconds = 0;
  /// What it is for and was never seen: rules not looked at, places not
  /// reached.
  std::vector<std::string> missing;
};

[[nodiscard]] outcome run(const scenario& script, limits limit = {});

/// All there are.
[[nodiscard]] const std::vector<scenario>& scenarios();

} // namespace sluice::exploration
