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
  auto sum = *best;
  auto joins = [&](const rewrite_candidate& x, std::size_t place) {
    auto fits = sum.live_bytes + x.live_bytes <= budget.output_bytes
                && sum.bytes + x.bytes
                     <= rewrite_segments_max * budget.segment_bytes
                && sum.blocks + x.blocks <= rewrite_blocks_max;
    if (x.place != place || !x.worth_it() || !fits)
      return false;
    sum.live_bytes += x.live_bytes;
    sum.bytes += x.bytes;
    sum.blocks += x.blocks;
    return true;
  };
  auto first = best;
  while (first != candidates.begin()
         && joins(*std::prev(first), first->place - 1))
    --first;
  auto last = best;
  while (std::next(last) != candidates.end()
         && joins(*std::next(last), last->place + 1))
    ++last;
  auto result = std::vector<std::uint64_t>{};
  for (auto i = first; i <= last; ++i)
    result.push_back(i->segment);
  return result;
}

} // namespace sluice
