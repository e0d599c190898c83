#pragma once

#include "tests/simulation/world/world.hpp"

namespace sluice::simulation {

/// A schedule that breaks the same rule with fewer and plainer choices: first
/// without some of them, then with the plain one in the place of others.
/// @param tries_max How many schedules may be run for it.
[[nodiscard]] outcome shrink(const schedule_options& how, outcome failed,
                             std::uint64_t tries_max = 4'000);

} // namespace sluice::simulation
