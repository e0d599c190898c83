#include <algorithm>
#include <utility>

#include "actors/dispatcher_shard_state.hpp"
#include "messages/block_ranges.hpp"

/// DISPATCHER_SHARD's feeds: their joined streams take blocks together. When a
/// feed's credit ends it waits, with all of them, in front of a block; later it
/// goes on in the window or, once that has moved on, reads blocks from the
/// log. So a sink that is slow costs nothing per table.
namespace sluice {

namespace {

using scan_phase = dispatcher_state::scan_phase;

// A feed that wants so much of a block reads whole ones.
constexpr std::uint64_t read_whole_part = 4;
// Of its credit; a larger share of a block does not wait for all of that.
constexpr std::uint64_t wait_part = 4;

} // namespace

// -- where a feed stands ------------------------------------------------------

timestamp dispatcher_shard_state::promise() const {
  return std::max(resolved(), down_.resolved());
}

// Everything <= it is sent to the joined streams, rows and DDL.
timestamp dispatcher_shard_state::promise_to(feed_id id) const {
  const auto& feed = feeds_.at(id);
  auto ts = promise();
  if (feed.reading) {
    ts = std::min(ts, feed.read_to.is_end()
                        ? feed.read_to.commit_ts
                        : feed.read_to.commit_ts.previous());
  } else if (feed.taken < last_) {
    auto at = feed.taken.value + 1 - window_.front().index.value;
    auto first = window_[at].block->first_cursor();
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
  if (auto all = by_table_.find(all_tables); all != by_table_.end())
    for (auto stream : all->second)
      if (at(stream).joined && deliver_all_tables(stream, x.block) != sent::all)
        leave_fast_path(stream);
  auto to = takers{};
  for (auto& [id, feed] : feeds_)
    if (!feed.reading && feed.taken.next() == x.index)
      to.emplace(id, taker{});
  offer(x.block, to);
  for (const auto& [id, one] : to)
    if (one.took_all)
      feeds_[id].taken = x.index;
}

bool dispatcher_shard_state::offer(const block_ptr& block, feed_id feed) {
  auto to = takers{{feed, taker{}}};
  offer(block, to);
  return to.at(feed).took_all;
}

// Rows that somebody has already are skipped, so that it may be offered again.
void dispatcher_shard_state::offer(const block_ptr& block, takers& to) {
  if (to.empty())
    return;
  for (const auto& run : block->runs()) {
    auto i = by_table_.find(run.table);
    if (i == by_table_.end())
      continue;
    for (auto stream : i->second) {
      if (!at(stream).joined)
        continue; // a scan brings it here
      auto feed = to.find(at(stream).who().feed);
      if (feed != to.end() && feed->second.took_all)
        add_share(stream, block, run, feed->second);
    }
  }
  for (auto& [feed, one] : to)
    one.took_all = one.took_all && deliver_shares(feed, block, one.shares);
}

void dispatcher_shard_state::add_share(slot stream, const block_ptr& block,
                                       const block_run& run, taker& to) {
  auto& dispatcher = at(stream);
  auto skip = dispatcher.rows_sent(*block, run.first, run.count);
  if (skip == run.count)
    return;
  if (dispatcher.waits_for_ddl(run.table, run.schema)) {
    // The rows before the DDL go first.
    to.took_all = deliver_shares(dispatcher.who().feed, block, to.shares);
    if (!to.took_all)
      return;
    if (!pass_ddl(stream, run.table, run.schema))
      return leave_fast_path(stream);
  }
  auto first = run.first + skip;
  auto count = run.count - skip;
  auto bytes = skip == 0 ? run.bytes : bytes_of(*block, first, count);
  to.shares.push_back({stream, first, count, bytes});
}

// @returns Whether the credit was enough.
bool dispatcher_shard_state::deliver_shares(feed_id feed,
                                            const block_ptr& block,
                                            std::vector<share>& shares) {
  std::uint64_t used = 0;
  for (const auto& x : shares)
    used += x.bytes;
  auto all = std::exchange(shares, {});
  if (all.empty())
    return true;
  auto& to = parcels_[feed];
  auto kept = static_cast<std::uint64_t>(asked_for(feed)); // for scans
  if (down_.credit.covers(feed, used, to.charge + kept)) {
    pack(to, block, all);
    return true;
  }
  if (used <= down_.credit.limit(feed) / wait_part)
    return false;
  return std::all_of(all.begin(), all.end(), [&](const share& x) {
    return deliver_run(x.stream, block, x.first, x.count) == sent::all;
  });
}

// -- a feed that was late -----------------------------------------------------

// Its joined streams take from the window what they have not got.
void dispatcher_shard_state::catch_up(feed_id id, feed_on_channel& feed) {
  if (feed.taken >= last_)
    return;
  auto next = feed.taken.value + 1 - window_.front().index.value;
  for (; next < window_.size(); ++next) {
    if (!offer(window_[next].block, id))
      return;
    feed.taken = window_[next].index;
  }
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
    auto waiting = who_waits(id, *x.block);
    if (waiting.bytes >= x.block->bytes().size() / read_whole_part) {
      feed.reading = true;
      feed.read_to = row_cursor::end_of(
        x.block->first_cursor().commit_ts.previous());
      read_on(id, feed, scan_lane::memory);
      continue;
    }
    feed.taken = x.index;
    for (auto stream : waiting.streams)
      leave_fast_path(stream);
  }
}

dispatcher_shard_state::waiting_streams
dispatcher_shard_state::who_waits(feed_id feed, const row_block& block) {
  auto result = waiting_streams{};
  for (const auto& run : block.runs()) {
    auto i = by_table_.find(run.table);
    if (i == by_table_.end())
      continue;
    for (auto stream : i->second) {
      const auto& dispatcher = at(stream);
      if (dispatcher.who().feed != feed || !dispatcher.joined
          || dispatcher.rows_sent(block, run.first, run.count) == run.count)
        continue;
      result.bytes += run.bytes;
      result.streams.push_back(stream);
    }
  }
  return result;
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
      || found->second.read_to != x.asked.after)
    return;
  auto id = found->first;
  auto& feed = found->second;
  feed.scan = scan_phase::none;
  if (x.failure != errc::none || !takes_blocks(feed))
    return give_up_reading(feed);
  for (const auto& rows : x.rows) {
    if (window_follows(rows.block->first_cursor()))
      break;
    if (!offer(rows.block, id))
      return; // goes on with more credit
    feed.read_to = rows.block->last_cursor();
  }
  auto first = window_.empty() ? last_.next() : window_.front().index;
  if (window_follows(feed.read_to)
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

// Some stream has joined; one with all tables takes blocks by itself.
bool dispatcher_shard_state::takes_blocks(const feed_on_channel& feed) {
  return std::any_of(feed.streams.begin(), feed.streams.end(), [&](slot x) {
    return at(x).joined && !at(x).has_all_tables();
  });
}

bool dispatcher_shard_state::window_follows(row_cursor at) const {
  return !window_.empty() && at >= window_.front().block->first_cursor();
}

// Each stream finds out by itself what it can't have.
void dispatcher_shard_state::give_up_reading(feed_on_channel& feed) {
  for (auto stream : feed.streams)
    if (at(stream).joined)
      leave_fast_path(stream);
  feed.reading = false;
  feed.taken = last_;
}

} // namespace sluice
