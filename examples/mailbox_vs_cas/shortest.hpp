#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scenario.hpp"

namespace mailbox_vs_cas {

using kind_set = std::bitset<checker::kinds.size()>;
/// One schedule for each kind of violation; empty: none.
using schedules = std::array<std::vector<std::string>, checker::kinds.size()>;

/// The fewest steps after which `model` has seen a violation, for each kind
/// that is wanted, as text. Breadth first, each state once.
template <class Model>
schedules shortest_to(Model model, kind_set wanted) {
  struct reached {
    Model model;
    std::size_t before; // its place in `all`
    std::size_t chain;
  };
  auto all = std::vector<reached>{{std::move(model), 0, 0}};
  auto known = std::set{all[0].model.key()};
  auto result = schedules{};
  auto steps_to = [&](std::size_t at, std::size_t chain) {
    auto steps = std::vector{all[at].model.describe(chain)};
    for (auto i = at; i != 0; i = all[i].before)
      steps.insert(steps.begin(),
                   all[all[i].before].model.describe(all[i].chain));
    return steps;
  };
  for (std::size_t at = 0; at < all.size() && wanted.any(); ++at) {
    for (std::size_t chain = 0; chain < all[at].model.chains(); ++chain) {
      if (!all[at].model.enabled(chain))
        continue;
      auto next = all[at].model;
      next.step(chain);
      for (std::size_t kind = 0; kind < result.size(); ++kind)
        if (wanted[kind] && next.saw(kind)) {
          result[kind] = steps_to(at, chain);
          wanted.reset(kind);
        }
      if (known.insert(next.key()).second)
        all.push_back({std::move(next), at, chain});
    }
  }
  return result;
}

} // namespace mailbox_vs_cas
