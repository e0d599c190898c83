#include "tests/simulation/world/shrink.hpp"

#include <algorithm>
#include <utility>

namespace sluice::simulation {

namespace {

using list = std::vector<std::uint32_t>;

struct search {
  const schedule_options& how;
  rule broken;
  outcome best;
  std::uint64_t tries_left;

  // Takes `x` over if it breaks the same rule.
  bool take(list x) {
    if (tries_left == 0)
      return false;
    --tries_left;
    auto done = world{how, choices{std::move(x)}}.run();
    if (!done.broken || done.broken->broken != broken)
      return false;
    best = std::move(done);
    return true;
  }
  // Goes through the choices from the end, in pieces of `size`.
  template <class Change>
  void pass(std::size_t size, Change change) {
    for (auto end = best.choices.size(); end > 0;) {
      auto begin = end > size ? end - size : 0;
      auto x = best.choices;
      change(x, begin, end);
      if (x != best.choices)
        take(std::move(x));
      end = std::min(begin, best.choices.size());
    }
  }
};

void erase(list& x, std::size_t begin, std::size_t end) {
  x.erase(x.begin() + static_cast<std::ptrdiff_t>(begin),
          x.begin() + static_cast<std::ptrdiff_t>(end));
}

void make_plain(list& x, std::size_t begin, std::size_t end) {
  std::fill(x.begin() + static_cast<std::ptrdiff_t>(begin),
            x.begin() + static_cast<std::ptrdiff_t>(end), 0);
}

} // namespace

outcome shrink(const schedule_options& how, outcome failed,
               std::uint64_t tries_max) {
  auto rule = failed.broken->broken;
  auto x = search{how, rule, std::move(failed), tries_max};
  for (auto size = x.best.choices.size() / 2; size > 0; size /= 2) {
    x.pass(size, erase);
    x.pass(size, make_plain);
  }
  return std::move(x.best);
}

} // namespace sluice::simulation
