#pragma once

#include <vector>

#include "tests/simulation/exhaust/world.hpp"

namespace sluice::exploration {

void add_scripted(std::vector<scenario>& to);
void add_whole(std::vector<scenario>& to);

} // namespace sluice::exploration
