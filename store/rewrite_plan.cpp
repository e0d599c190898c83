#include "store/rewrite_plan.hpp"

#include <algorithm>

namespace sluice {

std::vector<std::uint64_t>
choose_rewrite(const std::vector<rewrite_candidate>& candidates,
               const rewrite_budget& budget) {
  if (!budget.broken())
    return {};
  auto best = candidates.end();
  for (auto i = candidates.begin(); i != candidates.end(); ++i)
    if (i->worth_it()
        && (best == candidates.end() || i->live_bytes < best->live_bytes))
      best = i;
  if (best == candidates.end())
    return {};
  auto live = best->live_bytes;
  auto joins = [&](const rewrite_candidate& x, std::size_t place) {
    return x.place == place && x.worth_it()
           && live + x.live_bytes <= budget.segment_bytes;
  };
  auto first = best;
  for (; first != candidates.begin()
         && joins(*std::prev(first), first->place - 1);
       --first)
    live += std::prev(first)->live_bytes;
  auto last = best;
  for (; std::next(last) != candidates.end()
         && joins(*std::next(last), last->place + 1);
       ++last)
    live += std::next(last)->live_bytes;
  auto result = std::vector<std::uint64_t>{};
  for (auto i = first; i <= last; ++i)
    result.push_back(i->segment);
  return result;
}

} // namespace sluice
