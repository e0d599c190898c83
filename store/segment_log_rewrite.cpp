#include <algorithm>
#include <utility>

#include "store/segment_directory.hpp"
#include "store/segment_id.hpp"
#include "store/segment_log.hpp"

/// The part of a segment log that lets segments be rewritten.
namespace sluice {

std::optional<rewrite_order>
segment_log::plan_rewrite(const std::function<timestamp(table_id)>& floor_of,
                          block_index up_to) {
  auto budget = rewrite_budget{stats().disk_bytes, 0, options_.segment_bytes,
                               rewrite_bytes_};
  if (!budget.broken())
    return {}; // What is live need not be counted.
  budget.live_bytes = index_.live_bytes(floor_of);
  if (!budget.broken())
    return {};
  up_to = std::min({up_to, releasable_to(), durable_.at});
  auto candidates = index_.rewritable(floor_of, up_to);
  std::erase_if(candidates, [&](const rewrite_candidate& x) {
    return left_.count(x.segment) > 0;
  });
  for (auto& x : candidates)
    if (generation_of(x.segment) == 0)
      x.bytes = bytes_of(x.segment);
  auto chosen = choose_rewrite(candidates, budget);
  if (chosen.empty())
    return {};
  auto sorted = chosen;
  std::sort(sorted.begin(), sorted.end());
  auto result = rewrite_order{};
  result.into = rewritten_segment(chosen.back(), next_generation_++);
  for (auto table : index_.tables_of(sorted))
    result.floors.push_back({table, floor_of(table)});
  result.blocks = index_.blocks_of(chosen);
  result.begun_s = static_cast<std::uint64_t>(
    index_.begun(chosen.front()).count());
  for (auto segment : chosen)
    result.bytes += bytes_of(segment);
  result.segments = std::move(chosen);
  // No more than itself: what follows may be open, and be abandoned.
  result.durable = result.blocks.back().last;
  return result;
}

// What is beside the rows may be as much as they are, so there is no telling
// what has room.
void segment_log::rewrite_failed(const error& why, std::uint64_t at_fault) {
  if (at_fault != 0)
    left_.insert(at_fault);
  if (why.code == errc::disk_full)
    rewrite_bytes_ /= 2;
}

std::vector<std::uint64_t> segment_log::rewritten(const rewrite_result& x) {
  files_->add(x.into, nullptr, true);
  if (!index_.has_neighbours(x.segments))
    return {x.into}; // no manifest has ever named it
  auto next = listing();
  auto& listed = next.segments;
  auto is_old = [&](const segment_range& y) {
    return std::find(x.segments.begin(), x.segments.end(), y.number)
           != x.segments.end();
  };
  auto at = std::find_if(listed.begin(), listed.end(), is_old);
  *at = {x.into, x.windows.front().first, x.windows.back().last};
  listed.erase(std::remove_if(std::next(at), listed.end(), is_old),
               listed.end());
  // The old files go only after this is durable: see segment_files::remove.
  if (!write_mark(next)) {
    if (!must_roll_ && !writer_->broken())
      return {x.into};
    // The mark may be there all the same, so the new file must be, too, until
    // another manifest is durable.
    doomed_.push_back(x.into);
    return {};
  }
  index_.replace(x);
  for (auto number : x.segments)
    sizes_.erase(number);
  sizes_[x.into] = x.bytes;
  bytes_rewritten_ += x.bytes;
  rewrite_bytes_ = options_.segment_bytes;
  return with_spools(x.segments);
}

} // namespace sluice
