#include <algorithm>
#include <numeric>
#include <utility>

#include "store/known_floors.hpp"
#include "store/log_index.hpp"

/// The part of the index that says what is live, and where: for retention and
/// rewrites.
namespace sluice {

namespace {

void add_window(segment_index& to, const rewritten_window& x) {
  to.add({x.first, x.last, nullptr, x.at, x.resolved, x.summary.last, true,
          shares_of(x.summary.tables), x.summary.pieces});
}

} // namespace

void log_index::add(const rewritten_window& x) {
  add_window(segments_.back(), x);
  note_added(x.summary, x.last, x.resolved);
}

// Of each segment, in order. Shares of a table above its floor are its newest.
std::vector<std::uint64_t> log_index::live_by_segment(
  const std::function<timestamp(table_id)>& floor_of) const {
  auto floors = known_floors{floor_of};
  auto result = std::vector<std::uint64_t>{};
  for (const auto& x : segments_) {
    auto live = std::uint64_t{0};
    (void) x.tables().all_of([&](table_id table, std::uint64_t newest) {
      auto floor = floors(table);
      for (auto i = newest;
           i != table_map::none && x.share(i).last.commit_ts > floor;
           i = x.share(i).previous)
        live += x.share(i).bytes;
      return true;
    });
    result.push_back(live);
  }
  return result;
}

std::uint64_t log_index::live_bytes(
  const std::function<timestamp(table_id)>& floor_of) const {
  auto live = live_by_segment(floor_of);
  return std::accumulate(live.begin(), live.end(), std::uint64_t{0});
}

std::vector<rewrite_candidate>
log_index::rewritable(const std::function<timestamp(table_id)>& floor_of,
                      block_index up_to) const {
  auto live = live_by_segment(floor_of);
  // Where lost rows begin and end is known by the rows around them.
  auto damaged = [&](std::size_t i) {
    return i < segments_.size()
           && gaps_.within(segments_[i].first(), segments_[i].end().previous());
  };
  auto result = std::vector<rewrite_candidate>{};
  for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
    const auto& x = segments_[i];
    if (!x.empty() && x.end().previous() <= up_to && !damaged(i)
        && !damaged(i + 1) && (i == 0 || !damaged(i - 1)))
      result.push_back(
        {x.number(), i, x.row_bytes(), live[i], x.blocks().size()});
  }
  return result;
}

// When its last row came nobody knows, but that the next segment began later.
retained_rows log_index::retained(const retention_budget& budget,
                                  std::chrono::seconds now) const {
  if (budget.age.count() == 0)
    return {timestamp::max(), {}};
  auto result = retained_rows{};
  auto bytes = std::uint64_t{0};
  auto ended = now;
  for (auto x = segments_.rbegin(); x != segments_.rend(); ++x) {
    if (!x->empty() && (bytes >= budget.bytes || now - ended >= budget.age)) {
      result.floor = x->blocks().back().last.commit_ts;
      break;
    }
    if (x != segments_.rbegin())
      result.next = budget.age - (now - ended);
    bytes += x->row_bytes();
    if (x->begun().count() != 0)
      ended = std::min(ended, x->begun());
  }
  return result;
}

std::chrono::seconds log_index::begun(std::uint64_t segment) const {
  for (const auto& x : segments_)
    if (x.number() == segment)
      return x.begun();
  return {};
}

std::vector<block_to_rewrite>
log_index::blocks_of(const std::vector<std::uint64_t>& segments) const {
  auto result = std::vector<block_to_rewrite>{};
  for (const auto& x : segments_)
    if (std::find(segments.begin(), segments.end(), x.number())
        != segments.end())
      for (const auto& block : x.blocks())
        result.push_back({block.first, block.index, block.at, block.resolved});
  return result;
}

std::vector<block_to_rewrite>
log_index::blocks_behind(block_index after) const {
  auto result = std::vector<block_to_rewrite>{};
  for (const auto& x : segments_)
    for (const auto& block : x.blocks())
      if (block.index > after)
        result.push_back({block.first, block.index, block.at, block.resolved});
  return result;
}

void log_index::move_behind(block_index after,
                            const std::vector<block_location>& to,
                            std::chrono::seconds begun) {
  auto next = segment_index{to.front().segment, after.next(), begun};
  auto at = to.begin();
  for (auto& x : segments_) {
    for (const auto& block : x.blocks())
      if (block.index > after) {
        auto moved = block;
        moved.at = *at++;
        next.add(std::move(moved));
      }
    x.cut(after);
  }
  std::erase_if(segments_, [](const segment_index& x) { return x.empty(); });
  segments_.push_back(std::move(next));
}

bool log_index::has_neighbours(
  const std::vector<std::uint64_t>& segments) const {
  auto same = [](const segment_index& x, std::uint64_t number) {
    return x.number() == number;
  };
  return std::search(segments_.begin(), segments_.end(), segments.begin(),
                     segments.end(), same)
         != segments_.end();
}

void log_index::replace(const rewrite_result& x) {
  auto first = std::find_if(
    segments_.begin(), segments_.end(),
    [&](const segment_index& y) { return y.number() == x.segments.front(); });
  auto count = static_cast<std::ptrdiff_t>(x.segments.size());
  auto next = segment_index{x.into, first->first(), first->begun()};
  for (auto i = first; i != first + count; ++i)
    forget(*i);
  for (const auto& window : x.windows)
    add_window(next, window);
  next.discount(x.dead_bytes);
  stats_.blocks += next.blocks().size();
  *first = std::move(next);
  segments_.erase(first + 1, first + count);
}

} // namespace sluice
