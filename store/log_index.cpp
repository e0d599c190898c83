#include "store/log_index.hpp"

#include <algorithm>
#include <utility>

#include "store/known_floors.hpp"

namespace sluice {

namespace {

void append_tables(std::vector<table_id>& to, const segment_index& from) {
  (void) from.tables().all_of([&](table_id table, std::uint64_t) {
    to.push_back(table);
    return true;
  });
}

std::vector<table_id> sorted(std::vector<table_id> tables) {
  std::sort(tables.begin(), tables.end());
  tables.erase(std::unique(tables.begin(), tables.end()), tables.end());
  return tables;
}

} // namespace

// -- growing ------------------------------------------------------------------

void log_index::begin_segment(std::uint64_t number, block_index first,
                              std::chrono::seconds begun) {
  // An empty one has nothing to say but its number.
  if (!segments_.empty() && segments_.back().empty())
    segments_.pop_back();
  segments_.emplace_back(number, first, begun);
  if (segments_.size() > 1)
    segments_.back().expect_tables_of(*std::prev(segments_.end(), 2));
}

void log_index::add(block_ptr block, const block_location& at,
                    timestamp resolved) {
  auto& segment = segments_.back();
  auto index = segment.end();
  auto summary = outline(*block);
  stats_.memory_bytes += block->footprint();
  if (stats_.memory_bytes == block->footprint())
    oldest_held_ = index;
  auto shares = shares_of(block->runs());
  segment.add({index, index, std::move(block), at, resolved, summary.last,
               false, std::move(shares)});
  note_added(summary, index, resolved);
  let_go_of_old();
}

void log_index::add(const block_summary& summary, const block_location& at,
                    timestamp resolved) {
  auto& segment = segments_.back();
  auto index = segment.end();
  segment.add({index, index, nullptr, at, resolved, summary.last, false,
               shares_of(summary.tables)});
  note_added(summary, index, resolved);
}

void log_index::note_added(const block_summary& x, block_index index,
                           timestamp resolved) {
  gaps_.on_row(x.first);
  ++stats_.blocks;
  last_cursor_ = x.last;
  if (x.complete > 0) {
    state_.complete_to = x.complete_to;
    marked_ = index;
    marked_rows_ = x.complete;
  }
  if (x.closed())
    state_.last_closed = index;
  note_resolved(resolved);
}

// They keep their indices. A window may have stood for any number of them.
void log_index::add_gap(block_index to, std::string why) {
  auto& segment = segments_.back();
  auto first = segment.end();
  gaps_.add(first, to, last_cursor_, std::move(why));
  segment.add({first, to, nullptr, {}, {}, last_cursor_});
  stats_.blocks += segment.blocks().back().blocks();
}

void log_index::note_resolved(timestamp resolved) {
  pending_resolved_ = std::max(pending_resolved_, resolved);
  if (!open())
    state_.resolved = std::max(state_.resolved, pending_resolved_);
}

void log_index::restore(const log_state& state) {
  gaps_.on_state(state.last_closed, state.complete_to);
  // An end mark that only `state` tells of stood in a gap. Rows behind it there
  // may be open.
  if (state.complete_to > state_.complete_to)
    if (const auto* gap = gaps_.with_end(state.complete_to))
      state_.last_closed = std::max(state_.last_closed, gap->first.previous());
  state_.last_closed = std::max(state_.last_closed, state.last_closed);
  state_.complete_to = std::max(state_.complete_to, state.complete_to);
  state_.resolved = std::max(state_.resolved, state.resolved);
  last_cursor_ = std::max(last_cursor_, state_.complete_to);
}

status log_index::settle_gaps() {
  gaps_.on_end(state_.complete_to);
  for (const auto& gap : gaps_.all()) {
    // Behind it a transaction may have ended within a block.
    auto closed = std::max(state_.last_closed, keep_to());
    if (gap.last <= closed || !gap.counts())
      continue;
    if (gap.first != state_.last_closed.next())
      return fail(errc::log_corrupt,
                  gap.why
                    + ", and nothing says whether the transaction before "
                      "it is complete");
    state_.last_closed = gap.last;
  }
  return {};
}

void log_index::let_go_of_old() {
  while (stats_.memory_bytes > memory_bytes_max_) {
    // Released segments leave gaps between the indices.
    auto segment = std::upper_bound(
      segments_.begin(), segments_.end(), oldest_held_,
      [](block_index i, const auto& x) { return i < x.end(); });
    auto held = std::partition_point(
      segment->blocks().begin(), segment->blocks().end(),
      [&](const held_block& x) { return x.index < oldest_held_; });
    forget_held(*held);
    held->block.reset();
    oldest_held_ = held->index.next();
  }
}

void log_index::forget_held(const held_block& block) noexcept {
  if (block.block != nullptr)
    stats_.memory_bytes -= block.block->footprint();
}

// -- the open tail ------------------------------------------------------------

std::optional<log_index::partial_block> log_index::partial() const noexcept {
  if (marked_ > state_.last_closed)
    return partial_block{marked_, marked_rows_};
  return {};
}

block_index log_index::keep_to() const noexcept {
  auto result = partial() ? marked_.previous() : state_.last_closed;
  const auto* next = find(result.next());
  auto inside = next != nullptr && next->window && next->first <= result;
  return inside ? next->first.previous() : result;
}

template <class Visit>
void log_index::visit_behind(block_index cut, Visit visit) const {
  for (auto x = segments_.rbegin();
       x != segments_.rend() && x->end() > cut.next(); ++x)
    for (const auto& block : x->blocks())
      if (block.index > cut)
        visit(block);
}

std::uint64_t log_index::bytes_behind(block_index cut) const {
  auto result = std::uint64_t{0};
  visit_behind(cut, [&](const held_block& x) { result += x.at.size; });
  return result;
}

void log_index::cut_open(std::uint64_t next_segment,
                         std::chrono::seconds begun) {
  auto cut = keep_to();
  while (!segments_.empty() && segments_.back().end() > cut.next()) {
    auto& segment = segments_.back();
    for (const auto& block : segment.blocks()) {
      if (block.first > cut) {
        forget_held(block);
        stats_.blocks -= block.blocks();
      } else if (block.index > cut) { // of a gap a part stays
        stats_.blocks -= block.index.value - cut.value;
      }
    }
    segment.cut(cut);
    if (!segment.empty())
      break;
    segments_.pop_back();
  }
  state_.last_closed = std::min(state_.last_closed, cut);
  // Blocks that stay but are not closed yet still promise what they said.
  pending_resolved_ = state_.resolved;
  visit_behind(state_.last_closed, [&](const held_block& x) {
    pending_resolved_ = std::max(pending_resolved_, x.resolved);
  });
  begin_segment(next_segment, cut.next(), begun);
  gaps_.cut(cut);
  last_cursor_ = state_.complete_to;
  marked_ = {};
  marked_rows_ = 0;
}

// -- reading ------------------------------------------------------------------

block_index log_index::last() const noexcept {
  return segments_.empty() ? block_index{} : segments_.back().end().previous();
}

row_cursor log_index::appended_to() const noexcept {
  return raised_to(state_.complete_to, state_.resolved);
}

log_index::segment_list::const_iterator
log_index::segment_of(block_index index) const {
  auto after = std::upper_bound(
    segments_.begin(), segments_.end(), index,
    [](block_index i, const segment_index& x) { return i < x.first(); });
  if (after == segments_.begin() || index >= std::prev(after)->end())
    return segments_.end();
  return std::prev(after);
}

// Null if it is not live.
const held_block* log_index::find(block_index index) const {
  auto segment = segment_of(index);
  return segment == segments_.end() ? nullptr : &segment->at(index);
}

scan_block log_index::block(block_index index) const {
  const auto* held = find(index);
  if (held == nullptr)
    return {index, {}, {}};
  return {index, held->block, held->at, {}, held->last};
}

std::vector<table_id> log_index::tables() const {
  auto result = std::vector<table_id>{};
  for (const auto& x : segments_)
    append_tables(result, x);
  return sorted(std::move(result));
}

std::vector<segment_range> log_index::segments() const {
  auto result = std::vector<segment_range>{};
  for (const auto& x : segments_)
    result.push_back({x.number(), x.first(), x.end().previous()});
  return result;
}

// -- shrinking ----------------------------------------------------------------

std::vector<std::uint64_t>
log_index::releasable(const std::function<timestamp(table_id)>& floor_of,
                      block_index up_to) const {
  auto floors = known_floors{floor_of};
  auto may_go = [&](const segment_index& x) {
    // Rows of any table may be lost there.
    auto lost = gaps_.highest(x.first(), x.end().previous());
    return (!lost || lost <= floor_of(all_tables))
           && x.tables().all_of([&](table_id table, std::uint64_t newest) {
                return x.share(newest).last.commit_ts <= floors(table);
              });
  };
  auto result = std::vector<std::uint64_t>{};
  auto behind_gap = false; // that stays: where it ends is known by what follows
  for (const auto& x : segments_) {
    auto goes = x.number() != segments_.back().number()
                && x.end().previous() <= up_to && !behind_gap && may_go(x);
    if (goes)
      result.push_back(x.number());
    behind_gap = !goes && x.ends_lost();
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<table_id>
log_index::tables_of(const std::vector<std::uint64_t>& segments) const {
  auto result = std::vector<table_id>{};
  for (const auto& x : segments_)
    if (std::binary_search(segments.begin(), segments.end(), x.number())) {
      append_tables(result, x);
      if (gaps_.highest(x.first(), x.end().previous()))
        result.push_back(all_tables);
    }
  return sorted(std::move(result));
}

void log_index::release(const std::vector<std::uint64_t>& segments) {
  auto kept = segment_list{};
  for (auto& x : segments_) {
    if (!std::binary_search(segments.begin(), segments.end(), x.number())) {
      kept.push_back(std::move(x));
      continue;
    }
    forget(x);
    gaps_.forget(x.first(), x.end().previous());
  }
  segments_ = std::move(kept);
}

void log_index::forget(const segment_index& from) {
  for (const auto& block : from.blocks()) {
    forget_held(block);
    stats_.blocks -= block.blocks();
  }
  ++stats_.segments_removed;
}

log_stats log_index::stats() const {
  auto result = stats_;
  result.segments = segments_.size();
  return result;
}

expected<block_ptr> complete_part(const log_index& index, log_disk& disk) {
  auto partial = index.partial();
  if (!partial)
    return block_ptr{};
  auto found = index.block(partial->index);
  if (found.block == nullptr) {
    auto read = disk.read(found.location);
    if (!read)
      return read;
    found.block = std::move(*read);
  }
  return slice(found.block, 0, partial->rows);
}

} // namespace sluice
