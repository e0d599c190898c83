#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mailbox_vs_cas {

/// The fewest steps after which `model` has seen a violation of this kind, as
/// text; empty if there are none. Breadth first, each state once.
template <class Model>
std::vector<std::string> shortest_to(Model model, std::size_t kind) {
  struct reached {
    Model model;
    std::size_t before; // its place in `all`
    std::size_t chain;
  };
  auto all = std::vector<reached>{{std::move(model), 0, 0}};
  auto known = std::set{all[0].model.key()};
  for (std::size_t at = 0; at < all.size(); ++at) {
    for (std::size_t chain = 0; chain < all[at].model.chains(); ++chain) {
      if (!all[at].model.enabled(chain))
        continue;
      auto next = all[at].model;
      next.step(chain);
      if (next.saw(kind)) {
        auto result = std::vector{all[at].model.describe(chain)};
        for (auto i = at; i != 0; i = all[i].before)
          result.insert(result.begin(),
                        all[all[i].before].model.describe(all[i].chain));
        return result;
      }
      if (known.insert(next.key()).second)
        all.push_back({std::move(next), at, chain});
    }
  }
  return {};
}

} // namespace mailbox_vs_cas
