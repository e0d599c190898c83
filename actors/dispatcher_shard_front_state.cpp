#include <algorithm>
#include <utility>

#include "actors/dispatcher_shard_state.hpp"

/// DISPATCHER_SHARD's feeds: where the cohort of each is. When a feed's credit
/// ends it waits in front of a block; later it goes on in the window or, once
/// that has moved on, reads blocks from the log. So a sink that is slow costs
/// nothing per table.
namespace sluice {

namespace {

using scan_phase = dispatcher_state::scan_phase;

// A feed that wants so much of a block reads whole ones.
constexpr std::uint64_t read_whole_part = 4;

} // namespace

// -- where a feed stands ------------------------------------------------------

timestamp dispatcher_shard_state::promise() const {
  return std::max(resolved(), down_.resolved());
}

// Everything <= it is sent to the cohort, rows and DDL.
timestamp dispatcher_shard_state::promise_to(feed_id id) const {
  const auto& feed = feeds_.at(id);
  auto ts = promise();
  if (feed.reading) {
    ts = std::min(ts, feed.at.complete_to());
  } else if (feed.taken < last_) {
    auto first = window_[next_in_window(feed)].block->first_cursor();
    ts = std::min(ts, first.commit_ts.previous());
  }
  return std::max(ts, down_.resolved(id));
}

void dispatcher_shard_state::all_taken_up_to(block_index last) {
  last_ = last;
  for (auto& [id, feed] : feeds_)
    feed.taken = last;
}

// -- a block ------------------------------------------------------------------

void dispatcher_shard_state::deliver_block(const indexed_block& x) {
  if (const auto* all = table_of(all_tables))
    for (auto stream : all->streams)
      if (at(stream).joined && deliver_all_tables(stream, x.block) != sent::all)
        leave_fast_path(stream);
  auto parts = parts_of(*x.block);
  for (auto& [id, feed] : feeds_) {
    if (feed.reading || feed.taken.next() != x.index
        || !offer(id, feed, x.block, parts[feed.number]))
      continue;
    feed.taken = x.index;
    let_join(feed);
  }
}

// -- a feed that was late -----------------------------------------------------

// Its cohort takes from the window what it has not got.
void dispatcher_shard_state::catch_up(feed_id id, feed_on_channel& feed) {
  if (feed.taken < last_) {
    for (auto next = next_in_window(feed); next < window_.size(); ++next) {
      const auto& block = window_[next].block;
      if (!offer(id, feed, block, parts_of(*block)[feed.number]))
        return;
      feed.taken = window_[next].index;
    }
  }
  let_join(feed);
}

// A feed that is late would leave nothing for those of its streams that scan,
// so they take turns.
void dispatcher_shard_state::use_credit() {
  if (scans_first_)
    pump_scans();
  scans_first_ = !scans_first_;
  for (auto& [id, feed] : feeds_)
    if (!feed.reading)
      catch_up(id, feed);
  send_watermark();
  pump_scans();
}

// The window moves on behind a block. A feed that has not taken it, and wants
// much of it, reads on from there; else those streams scan.
void dispatcher_shard_state::pass_by(const indexed_block& x) {
  for (auto& [id, feed] : feeds_) {
    if (feed.reading || feed.taken >= x.index)
      continue;
    raise_place(feed);
    auto waiting = parts_of(*x.block)[feed.number].bytes;
    if (waiting > 0 && waiting >= x.block->bytes().size() / read_whole_part) {
      feed.reading = true;
      read_on(id, feed, scan_lane::memory);
      continue;
    }
    for (const auto& run : x.block->runs())
      if (run.last_cursor > feed.at)
        leave_cohort(id, run.table);
    feed.taken = x.index;
  }
}

// Its streams of that table go on by themselves.
void dispatcher_shard_state::leave_cohort(feed_id id, table_id table) {
  if (const auto* found = table_of(table))
    for (auto stream : found->streams)
      if (at(stream).joined && at(stream).who().feed == id)
        leave_fast_path(stream);
}

// -- blocks that a feed reads -------------------------------------------------

void dispatcher_shard_state::read_on(feed_id id, feed_on_channel& feed,
                                     scan_lane lane) {
  if (feed.scan != scan_phase::none)
    return;
  feed.scan = scan_phase::queued;
  lane_of(lane).feeds.push_back(id);
}

void dispatcher_shard_state::take_blocks(scan_lane lane, const scan_result& x) {
  auto found = feeds_.find(x.asked.feed);
  if (found == feeds_.end() || found->second.scan != scan_phase::asked
      || found->second.at != x.asked.after)
    return;
  auto id = found->first;
  auto& feed = found->second;
  feed.scan = scan_phase::none;
  if (x.failure != errc::none || feed.members == 0)
    return give_up_reading(feed);
  for (const auto& rows : x.rows) {
    const auto& block = rows.block;
    if (window_follows(block->first_cursor()))
      break;
    if (!offer(id, feed, block, parts_of(*block)[feed.number]))
      return; // goes on with more credit
  }
  auto first = window_.empty() ? last_.next() : window_.front().index;
  if (window_follows(feed.at)
      || (!x.on_disk && x.complete_to.next() >= first)) {
    feed.reading = false;
    feed.taken = first.previous();
    catch_up(id, feed);
  } else {
    read_on(id, feed, x.on_disk ? scan_lane::disk : lane);
  }
}

// Credit was kept for a scan. Of that a feed may wait, too, and nobody grants
// what nobody has spent.
void dispatcher_shard_state::resume_reading(
  const std::map<feed_id, std::int64_t>& kept) {
  for (const auto& [id, bytes] : kept)
    if (auto i = feeds_.find(id); i != feeds_.end() && i->second.reading)
      read_on(id, i->second, scan_lane::memory);
}

bool dispatcher_shard_state::window_follows(row_cursor at) const {
  return !window_.empty() && at >= window_.front().block->first_cursor();
}

// Each stream finds out by itself what it can't have.
void dispatcher_shard_state::give_up_reading(feed_on_channel& feed) {
  feed.streams.for_each([&](std::uint32_t x) {
    if (at(slot{x}).joined)
      leave_fast_path(slot{x});
  });
  feed.reading = false;
  feed.taken = last_;
  wake_ahead(feed);
}

} // namespace sluice
