#include <algorithm>
#include <iterator>
#include <utility>

#include "store/log_index.hpp"

/// The part of the index that says what is live, and where: for retention and
/// rewrites.
namespace sluice {

void log_index::add(const rewritten_window& x) {
  auto& segment = segments_.back();
  gaps_.on_row(x.summary.first);
  add_tables(segment, x.last, x.summary.tables);
  ++stats_.blocks;
  segment.blocks.push_back({x.first, x.last, nullptr, x.at, x.resolved,
                            x.summary.last, tables_in(x.summary), true});
  last_cursor_ = x.summary.last;
  note_ends(x.summary, x.last);
  note_resolved(x.resolved);
}

// The entries of a table above its floor are its last ones.
template <class Visit>
void log_index::visit_live(const std::function<timestamp(table_id)>& floor_of,
                           Visit visit) const {
  for (const auto& entry : tables_) {
    auto floor = floor_of(entry.first);
    auto live = std::partition_point(
      entry.second.begin(), entry.second.end(),
      [&](const table_entry& x) { return x.last.commit_ts <= floor; });
    for (; live != entry.second.end(); ++live)
      visit(*live);
  }
}

std::uint64_t log_index::live_bytes(
  const std::function<timestamp(table_id)>& floor_of) const {
  auto result = std::uint64_t{0};
  visit_live(floor_of, [&](const table_entry& x) { result += x.bytes; });
  return result;
}

std::vector<rewrite_candidate>
log_index::rewritable(const std::function<timestamp(table_id)>& floor_of,
                      block_index up_to) const {
  auto live = std::vector<std::uint64_t>(segments_.size());
  visit_live(floor_of, [&](const table_entry& x) {
    auto place = segment_of(x.index) - segments_.begin();
    live[static_cast<std::size_t>(place)] += x.bytes;
  });
  // Where lost rows begin and end is known by the rows around them.
  auto damaged = [&](std::size_t i) {
    return i < segments_.size()
           && gaps_.within(segments_[i].first, segments_[i].end().previous());
  };
  auto result = std::vector<rewrite_candidate>{};
  for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
    const auto& x = segments_[i];
    if (!x.blocks.empty() && x.end().previous() <= up_to && !damaged(i)
        && !damaged(i + 1) && (i == 0 || !damaged(i - 1)))
      result.push_back({x.number, i, x.row_bytes, live[i], x.blocks.size()});
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
    if (!x->blocks.empty()
        && (bytes >= budget.bytes || now - ended >= budget.age)) {
      result.floor = x->blocks.back().last.commit_ts;
      break;
    }
    if (x != segments_.rbegin())
      result.next = budget.age - (now - ended);
    bytes += x->row_bytes;
    if (x->begun.count() != 0)
      ended = std::min(ended, x->begun);
  }
  return result;
}

std::chrono::seconds log_index::begun(std::uint64_t segment) const {
  for (const auto& x : segments_)
    if (x.number == segment)
      return x.begun;
  return {};
}

std::vector<block_to_rewrite>
log_index::blocks_of(const std::vector<std::uint64_t>& segments) const {
  auto result = std::vector<block_to_rewrite>{};
  for (const auto& x : segments_)
    if (std::find(segments.begin(), segments.end(), x.number) != segments.end())
      for (const auto& block : x.blocks)
        result.push_back({block.first, block.index, block.at, block.resolved});
  return result;
}

std::vector<block_to_rewrite>
log_index::blocks_behind(block_index after) const {
  auto result = std::vector<block_to_rewrite>{};
  for (const auto& x : segments_)
    for (const auto& block : x.blocks)
      if (block.index > after)
        result.push_back({block.first, block.index, block.at, block.resolved});
  return result;
}

void log_index::move_behind(block_index after,
                            const std::vector<block_location>& to) {
  auto next = segment_entry{to.front().segment, after.next(), {}, {}, 0};
  for (auto& x : segments_) {
    auto moved = std::partition_point(
      x.blocks.begin(), x.blocks.end(),
      [&](const held_block& y) { return y.index <= after; });
    std::move(moved, x.blocks.end(), std::back_inserter(next.blocks));
    if (moved == x.blocks.end())
      continue;
    x.blocks.erase(moved, x.blocks.end());
    count_rows(x);
  }
  std::erase_if(segments_,
                [](const segment_entry& x) { return x.blocks.empty(); });
  for (std::size_t i = 0; i < to.size(); ++i)
    next.blocks[i].at = to[i];
  count_rows(next);
  segments_.push_back(std::move(next));
}

void log_index::count_rows(segment_entry& of) {
  of.highest.clear();
  of.row_bytes = 0;
  for (const auto& block : of.blocks)
    for (auto table : block.tables) {
      const auto& entries = tables_[table];
      auto at = std::partition_point(
        entries.begin(), entries.end(),
        [&](const table_entry& x) { return x.index < block.index; });
      auto& highest = of.highest[table];
      highest = std::max(highest, at->last.commit_ts);
      of.row_bytes += at->bytes;
    }
}

bool log_index::has_neighbours(
  const std::vector<std::uint64_t>& segments) const {
  auto same = [](const segment_entry& x, std::uint64_t number) {
    return x.number == number;
  };
  return std::search(segments_.begin(), segments_.end(), segments.begin(),
                     segments.end(), same)
         != segments_.end();
}

void log_index::replace(const rewrite_result& x) {
  auto first = std::find_if(
    segments_.begin(), segments_.end(),
    [&](const segment_entry& y) { return y.number == x.segments.front(); });
  auto count = static_cast<std::ptrdiff_t>(x.segments.size());
  auto next = segment_entry{x.into, first->first, {}, {}, 0, first->begun};
  for (auto i = first; i != first + count; ++i)
    forget(*i);
  for (const auto& window : x.windows) {
    for (const auto& share : window.summary.tables) {
      auto& entries = tables_[share.table];
      auto at = std::partition_point(
        entries.begin(), entries.end(),
        [&](const table_entry& y) { return y.index < window.first; });
      entries.insert(at, {window.last, share.first, share.last, share.bytes});
      auto& highest = next.highest[share.table];
      highest = std::max(highest, share.last.commit_ts);
      next.row_bytes += share.bytes;
    }
    next.blocks.push_back({window.first, window.last, nullptr, window.at,
                           window.resolved, window.summary.last,
                           tables_in(window.summary), true});
  }
  // They stay, however often it is rewritten.
  next.row_bytes -= x.dead_bytes;
  stats_.blocks += next.blocks.size();
  *first = std::move(next);
  segments_.erase(first + 1, first + count);
}

} // namespace sluice
