#include "store/log_index.hpp"

#include <algorithm>
#include <set>

namespace sluice {

namespace {

// A table with few rows in each block must not load the whole log at once.
constexpr std::uint64_t cold_bytes_max = 1 << 20;
// What it costs to read few rows of a window: its header and directory.
constexpr std::uint64_t window_bytes_min = 16 << 10;

} // namespace

// -- growing ------------------------------------------------------------------

void log_index::begin_segment(std::uint64_t number, block_index first,
                              std::chrono::seconds begun) {
  // An empty one has nothing to say but its number.
  if (!segments_.empty() && segments_.back().blocks.empty())
    segments_.pop_back();
  segments_.push_back({number, first, {}, {}, 0, begun});
}

void log_index::add(const block_summary& summary, block_ptr block,
                    const block_location& at, timestamp resolved) {
  auto& segment = segments_.back();
  auto index = segment.end();
  gaps_.on_row(summary.first);
  add_tables(segment, index, summary.tables);
  ++stats_.blocks;
  if (block != nullptr) {
    stats_.memory_bytes += block->footprint();
    if (stats_.memory_bytes == block->footprint())
      oldest_held_ = index;
  }
  segment.blocks.push_back({index, index, std::move(block), at, resolved,
                            summary.last, tables_in(summary), false});
  last_cursor_ = summary.last;
  note_ends(summary, index);
  note_resolved(resolved);
  let_go_of_old();
}

void log_index::add_tables(segment_entry& to, block_index index,
                           const std::vector<table_share>& tables) {
  for (const auto& share : tables) {
    tables_[share.table].push_back(
      {index, share.first, share.last, share.bytes});
    auto& highest = to.highest[share.table];
    highest = std::max(highest, share.last.commit_ts);
    to.row_bytes += share.bytes;
  }
}

void log_index::note_ends(const block_summary& summary, block_index index) {
  if (summary.complete > 0) {
    state_.complete_to = summary.complete_to;
    marked_ = index;
    marked_rows_ = summary.complete;
  }
  if (summary.closed())
    state_.last_closed = index;
}

// Its blocks keep their place, so that indices say where a block is.
void log_index::add_gap(block_index to, std::string why) {
  auto& segment = segments_.back();
  gaps_.add(segment.end(), to, last_cursor_, std::move(why));
  for (auto i = segment.end(); i <= to; i = i.next(), ++stats_.blocks)
    segment.blocks.push_back({i, i, nullptr, {}, {}, last_cursor_, {}, false});
}

void log_index::note_resolved(timestamp resolved) {
  pending_resolved_ = std::max(pending_resolved_, resolved);
  if (!open())
    state_.resolved = std::max(state_.resolved, pending_resolved_);
}

void log_index::restore(const log_state& state) {
  gaps_.on_state(state.last_closed, state.complete_to);
  // An end mark that only `state` tells of stood in a gap.
  if (state.complete_to > state_.complete_to)
    if (const auto* gap = gaps_.with_end(state.complete_to))
      state_.last_closed = std::max(state_.last_closed, gap->last);
  state_.last_closed = std::max(state_.last_closed, state.last_closed);
  state_.complete_to = std::max(state_.complete_to, state.complete_to);
  state_.resolved = std::max(state_.resolved, state.resolved);
  last_cursor_ = std::max(last_cursor_, state_.complete_to);
}

status log_index::settle_gaps() {
  for (const auto& gap : gaps_.all()) {
    if (gap.last <= state_.last_closed || !gap.counts())
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
      segment->blocks.begin(), segment->blocks.end(),
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
  return partial() ? marked_.previous() : state_.last_closed;
}

void log_index::cut_open(std::uint64_t next_segment,
                         std::chrono::seconds begun) {
  auto cut = keep_to();
  while (!segments_.empty() && segments_.back().end() > cut.next()) {
    auto& segment = segments_.back();
    auto kept = std::partition_point(
      segment.blocks.begin(), segment.blocks.end(),
      [&](const held_block& x) { return x.index <= cut; });
    auto keep = static_cast<std::size_t>(kept - segment.blocks.begin());
    for (auto i = keep; i < segment.blocks.size(); ++i) {
      forget_held(segment.blocks[i]);
      --stats_.blocks;
    }
    segment.blocks.resize(keep);
    cut_tables(segment, cut);
    if (keep > 0)
      break;
    segments_.pop_back();
  }
  // Blocks that stay but are not closed yet still promise what they said.
  pending_resolved_ = state_.resolved;
  for (auto i = state_.last_closed.next(); i <= cut; i = i.next())
    if (const auto* block = find(i))
      pending_resolved_ = std::max(pending_resolved_, block->resolved);
  begin_segment(next_segment, cut.next(), begun);
  gaps_.cut(cut);
  last_cursor_ = state_.complete_to;
  marked_ = {};
  marked_rows_ = 0;
}

void log_index::cut_tables(segment_entry& from, block_index cut) {
  for (auto i = from.highest.begin(); i != from.highest.end();) {
    auto& entries = tables_[i->first];
    while (!entries.empty() && entries.back().index > cut)
      entries.pop_back();
    if (!entries.empty() && entries.back().index >= from.first) {
      i->second = entries.back().last.commit_ts;
      ++i;
    } else {
      if (entries.empty())
        tables_.erase(i->first);
      i = from.highest.erase(i);
    }
  }
}

// -- reading ------------------------------------------------------------------

block_index log_index::last() const noexcept {
  return segments_.empty() ? block_index{} : segments_.back().end().previous();
}

row_cursor log_index::appended_to() const noexcept {
  return raised_to(state_.complete_to, state_.resolved);
}

scan_plan log_index::plan_scan(table_id table, row_cursor after, block_index to,
                               std::uint64_t bytes_max) const {
  const auto* gap = gaps_.behind(after);
  auto cut = gap != nullptr && gap->first <= to;
  if (cut)
    to = gap->first.previous();
  auto result = table == all_tables ? plan_whole(after, to, bytes_max)
                                    : plan_table(table, after, to, bytes_max);
  if (cut && result.pieces.empty())
    result.failure = {errc::log_corrupt, gap->why};
  return result;
}

scan_plan log_index::plan_table(table_id table, row_cursor after,
                                block_index to, std::uint64_t bytes_max) const {
  auto result = scan_plan{{}, std::min(to, last())};
  auto found = tables_.find(table);
  if (found == tables_.end())
    return result;
  const auto& entries = found->second;
  auto entry = std::partition_point(
    entries.begin(), entries.end(),
    [&](const table_entry& x) { return x.last <= after; });
  std::uint64_t bytes = 0;
  std::uint64_t cold = 0; // whole blocks to read, whoever's rows are in them
  auto cold_max = std::max(bytes_max, cold_bytes_max);
  for (; entry != entries.end(); ++entry) {
    const auto& held = *find(entry->index);
    if (held.first > to)
      break;
    auto next = scan_piece{held.first, held.block, held.at, {}, held.last};
    if (held.window)
      next.location.table = table;
    if (next.block == nullptr)
      cold += held.window ? std::max(entry->bytes, window_bytes_min)
                          : held.at.size;
    if (!result.pieces.empty()
        && (entry->bytes > bytes_max - bytes || cold > cold_max)) {
      result.complete_to = held.first.previous();
      break;
    }
    bytes = std::min(bytes_max, bytes + entry->bytes);
    result.complete_to = std::max(result.complete_to, held.index);
    result.pieces.push_back(std::move(next));
  }
  return result;
}

// Released segments leave gaps between the indices.
scan_plan log_index::plan_whole(row_cursor after, block_index to,
                                std::uint64_t bytes_max) const {
  auto result = scan_plan{{}, std::min(to, last())};
  auto behind = [&](const auto& x) { return x.last <= after; };
  auto segment = std::partition_point(
    segments_.begin(), segments_.end(), [&](const segment_entry& x) {
      return !x.blocks.empty() && behind(x.blocks.back());
    });
  auto bytes = std::uint64_t{0};
  for (; segment != segments_.end(); ++segment) {
    const auto& blocks = segment->blocks;
    auto block = std::partition_point(blocks.begin(), blocks.end(), behind);
    for (; block != blocks.end(); ++block) {
      if (block->first > to)
        return result;
      if (!result.pieces.empty() && bytes + block->at.size > bytes_max) {
        result.complete_to = block->first.previous();
        return result;
      }
      bytes += block->at.size;
      result.complete_to = std::max(result.complete_to, block->index);
      auto next = scan_piece{
        block->first, block->block, block->at, {}, block->last};
      if (next.block == nullptr)
        next.tables = block->tables;
      result.pieces.push_back(std::move(next));
    }
  }
  return result;
}

std::deque<log_index::segment_entry>::const_iterator
log_index::segment_of(block_index index) const {
  auto after = std::upper_bound(
    segments_.begin(), segments_.end(), index,
    [](block_index i, const segment_entry& x) { return i < x.first; });
  if (after == segments_.begin() || index >= std::prev(after)->end())
    return segments_.end();
  return std::prev(after);
}

// Null if it is not live.
const log_index::held_block* log_index::find(block_index index) const {
  auto segment = segment_of(index);
  if (segment == segments_.end())
    return nullptr;
  return &*std::partition_point(
    segment->blocks.begin(), segment->blocks.end(),
    [&](const held_block& x) { return x.index < index; });
}

scan_piece log_index::piece(block_index index) const {
  const auto* held = find(index);
  if (held == nullptr)
    return {index, {}, {}, {}, {}};
  return {index, held->block, held->at, {}, held->last};
}

std::vector<table_id> log_index::tables() const {
  auto result = std::vector<table_id>{};
  for (const auto& entry : tables_)
    result.push_back(entry.first);
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<segment_range> log_index::segments() const {
  auto result = std::vector<segment_range>{};
  for (const auto& x : segments_)
    result.push_back({x.number, x.first, x.end().previous()});
  return result;
}

// -- shrinking ----------------------------------------------------------------

std::vector<std::uint64_t>
log_index::releasable(const std::function<timestamp(table_id)>& floor_of,
                      block_index up_to) const {
  auto floors = std::unordered_map<table_id, timestamp>{};
  auto below_floor = [&](const auto& entry) {
    auto [i, is_new] = floors.try_emplace(entry.first);
    if (is_new)
      i->second = floor_of(entry.first);
    return entry.second <= i->second;
  };
  // Rows of any table may be lost there.
  auto lost_may_go = [&](const segment_entry& x) {
    auto lost = gaps_.highest(x.first, x.end().previous());
    return !lost || lost <= floor_of(all_tables);
  };
  auto result = std::vector<std::uint64_t>{};
  for (const auto& segment : segments_)
    if (segment.number != segments_.back().number
        && segment.end().previous() <= up_to && lost_may_go(segment)
        && std::all_of(segment.highest.begin(), segment.highest.end(),
                       below_floor))
      result.push_back(segment.number);
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<table_id>
log_index::tables_of(const std::vector<std::uint64_t>& segments) const {
  auto result = std::set<table_id>{};
  for (const auto& segment : segments_)
    if (std::binary_search(segments.begin(), segments.end(), segment.number)) {
      for (const auto& entry : segment.highest)
        result.insert(entry.first);
      if (gaps_.highest(segment.first, segment.end().previous()))
        result.insert(all_tables);
    }
  return {result.begin(), result.end()};
}

void log_index::release(const std::vector<std::uint64_t>& segments) {
  auto kept = std::deque<segment_entry>{};
  for (auto& segment : segments_) {
    if (!std::binary_search(segments.begin(), segments.end(), segment.number)) {
      kept.push_back(std::move(segment));
      continue;
    }
    forget(segment);
    gaps_.forget(segment.first, segment.end().previous());
  }
  segments_ = std::move(kept);
}

void log_index::forget(segment_entry& from) {
  forget_tables(from);
  for (const auto& block : from.blocks)
    forget_held(block);
  stats_.blocks -= from.blocks.size();
  ++stats_.segments_removed;
}

void log_index::forget_tables(const segment_entry& from) {
  auto before = [](const table_entry& x, block_index i) { return x.index < i; };
  for (const auto& entry : from.highest) {
    auto& entries = tables_[entry.first];
    auto first = std::lower_bound(entries.begin(), entries.end(), from.first,
                                  before);
    auto last = std::lower_bound(first, entries.end(), from.end(), before);
    entries.erase(first, last);
    if (entries.empty())
      tables_.erase(entry.first);
  }
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
  auto piece = index.piece(partial->index);
  if (piece.block == nullptr) {
    auto read = disk.read(piece.location);
    if (!read)
      return read;
    piece.block = std::move(*read);
  }
  return slice(piece.block, 0, partial->rows);
}

} // namespace sluice
