#include <algorithm>
#include <utility>

#include "actors/dispatcher_shard_state.hpp"

/// Scans of a dispatcher shard: who wants one, what comes of it, and how a
/// dispatcher joins the fast path when it is complete.
namespace sluice {

namespace {

constexpr std::size_t scan_entries_max = 128;
constexpr std::uint64_t scan_bytes_min = 64 << 10;

using scan_phase = dispatcher_state::scan_phase;

} // namespace

void dispatcher_shard_state::want_scan(slot stream, scan_lane lane) {
  if (at(stream).scan != scan_phase::none)
    return;
  at(stream).scan = scan_phase::queued;
  lane_of(lane).wanted.push_back(stream);
}

void dispatcher_shard_state::forget_scans() {
  lanes_ = {};
  starved_.clear();
}

void dispatcher_shard_state::pump_scans() {
  if (disk_first_)
    pump(scan_lane::disk);
  pump(scan_lane::memory);
  pump(scan_lane::disk);
  disk_first_ = !disk_first_;
}

// What the other lane has asked for comes, too. The disk's takes at most half,
// or those who only read from memory would wait for it.
std::int64_t dispatcher_shard_state::credit_for(scan_lane which, feed_id feed) {
  auto result = down_.credit.allowed(feed) - asked_for(feed);
  return which == scan_lane::disk ? (result + 1) / 2 : result;
}

std::int64_t dispatcher_shard_state::asked_for(feed_id feed) const {
  auto result = std::int64_t{0};
  for (const auto& lane : lanes_)
    if (auto asked = lane.asked.find(feed); asked != lane.asked.end())
      result += asked->second;
  return result;
}

void dispatcher_shard_state::pump(scan_lane which) {
  auto& lane = lane_of(which);
  if (lane.outstanding || !store_ || !down_.open()
      || (lane.wanted.empty() && lane.feeds.empty()))
    return;
  lane.asked.clear();
  auto asking = scan_asking{{scan_.next(), store_, last_, {}, which}, {}};
  ask_for_feeds(asking);
  ask_for_streams(asking);
  if (asking.request.entries.empty())
    return;
  scan_ = asking.request.scan;
  lane.outstanding = asking.request.scan;
  lane.to = last_;
  lane.resolved = resolved();
  out_.emplace_back(std::move(asking.request));
}

void dispatcher_shard_state::ask_for_feeds(scan_asking& to) {
  auto& wanted = lane_of(to.request.lane).feeds;
  for (auto n = wanted.size(); n > 0; --n) {
    auto id = wanted.front();
    wanted.pop_front();
    auto found = feeds_.find(id);
    if (found == feeds_.end() || found->second.scan != scan_phase::queued)
      continue;
    auto bytes = take_credit(to, id, options_.scan_bytes_per_request);
    if (bytes == 0) {
      wanted.push_back(id);
      continue;
    }
    found->second.scan = scan_phase::asked;
    to.request.entries.push_back(
      {{}, {}, {}, all_tables, found->second.at, {}, bytes, id});
  }
}

void dispatcher_shard_state::ask_for_streams(scan_asking& to) {
  auto& wanted = lane_of(to.request.lane).wanted;
  if (wanted.empty())
    return;
  auto each = std::min(
    options_.scan_bytes_per_dispatcher,
    std::max(options_.scan_bytes_per_request / wanted.size(), scan_bytes_min));
  for (auto n = wanted.size();
       n > 0 && to.request.entries.size() < scan_entries_max; --n) {
    auto stream = wanted.front();
    wanted.pop_front();
    auto& dispatcher = at(stream);
    if (!dispatcher.streaming() || dispatcher.joined) {
      dispatcher.scan = scan_phase::none;
      continue;
    }
    auto feed = dispatcher.who().feed;
    auto bytes = take_credit(to, feed, each);
    if (bytes == 0) { // waits, keeps its place among the waiting
      wanted.push_back(stream);
      continue;
    }
    dispatcher.scan = scan_phase::asked;
    to.request.entries.push_back({dispatcher.who().id,
                                  dispatcher.stream_epoch(), stream,
                                  dispatcher.who().table, dispatcher.cursor(),
                                  dispatcher.checkpoint(), bytes, feed});
  }
}

// @returns How many bytes may be asked for: `most`, or what is left; 0: none.
std::uint64_t dispatcher_shard_state::take_credit(scan_asking& of, feed_id feed,
                                                  std::uint64_t most) {
  auto lane = of.request.lane;
  auto [left, first] = of.credit.try_emplace(feed, 0);
  if (first)
    left->second = credit_for(lane, feed);
  if (left->second <= 0)
    return 0;
  auto bytes = std::min(most, static_cast<std::uint64_t>(left->second));
  left->second -= static_cast<std::int64_t>(bytes);
  lane_of(lane).asked[feed] += static_cast<std::int64_t>(bytes);
  return bytes;
}

void dispatcher_shard_state::wait_for(slot stream, sent what) {
  if (what == sent::no_schema) {
    retry_scans_.push_back(stream);
  } else if (at(stream).scan == scan_phase::none) {
    at(stream).scan = scan_phase::queued;
    starved_.push_back(stream);
  }
}

void dispatcher_shard_state::wake_starved() {
  auto& wanted = lane_of(scan_lane::memory).wanted;
  wanted.insert(wanted.end(), starved_.begin(), starved_.end());
  starved_.clear();
  for (auto& [id, feed] : feeds_)
    if (feed.reading)
      read_on(id, feed, scan_lane::memory);
}

void dispatcher_shard_state::take_scan_result(scan_lane lane,
                                              const scan_result& x) {
  if (!x.asked.registration)
    return take_blocks(lane, x);
  auto stream = x.asked.stream;
  auto* dispatcher = current(x.asked.registration, stream);
  if (dispatcher == nullptr
      || dispatcher->stream_epoch() != x.asked.stream_epoch)
    return; // an old epoch: nothing of it counts
  dispatcher->scan = scan_phase::none;
  if (x.failure == errc::out_of_range) {
    refuse(stream, {errc::lost_by_retention, ""}, x.asked.after.commit_ts,
           x.lower);
    return;
  }
  if (x.failure == errc::log_corrupt) {
    if (pass_damage(stream, x))
      want_scan(stream, lane);
    else
      refuse(stream, {x.failure, x.detail}, x.asked.after.commit_ts, {});
    return;
  }
  if (x.failure != errc::none) {
    retry_scans_.push_back(stream);
    return;
  }
  for (const auto& rows : x.rows) {
    last_row_ = std::max(last_row_, rows.block->last_cursor());
    auto what = dispatcher->has_all_tables()
                  ? deliver_all_tables(stream, rows.block)
                  : deliver_run(stream, rows.block, rows.first, rows.count);
    if (what != sent::all) {
      wait_for(stream, what);
      return;
    }
  }
  if (x.on_disk)
    want_scan(stream, scan_lane::disk);
  else if (x.complete_to < lane_of(lane).to)
    want_scan(stream, lane); // cut by the byte limit
  else
    complete_scan(stream, x.complete_to, lane_of(lane).resolved);
}

// Damaged is a block of which the log knows that none of its rows is wanted:
// nothing is missed. DDL may change what is wanted, so it stays in its place.
bool dispatcher_shard_state::pass_damage(slot stream, const scan_result& x) {
  auto wants = [&](table_id table) {
    return at(stream).version_of(table) != schema_version{};
  };
  if (!at(stream).has_all_tables() || x.damaged_tables.empty())
    return false;
  for (;;) {
    if (std::any_of(x.damaged_tables.begin(), x.damaged_tables.end(), wants))
      return false;
    const auto* ddl = at(stream).next_ddl();
    if (ddl == nullptr || row_cursor::end_of(ddl->ts) >= x.damaged_to)
      break;
    at(stream).skip_to(row_cursor::end_of(ddl->ts));
    send_ddl(stream);
  }
  at(stream).skip_to(x.damaged_to);
  return true;
}

void dispatcher_shard_state::complete_scan(slot stream, block_index complete_to,
                                           timestamp resolved_there) {
  auto& dispatcher = at(stream);
  // Every row <= resolved_there is sent, so DDL up to there is due.
  send_due_ddl(stream, resolved_there);
  auto news = dispatcher.complete(resolved_there);
  // A cut that joining tore has the news; a promise would end it.
  if (!join(stream, complete_to) && news && !dispatcher.torn())
    parcels_[dispatcher.who().feed].items.push_back(
      dispatcher.send_promise(stream));
}

bool dispatcher_shard_state::join(slot stream, block_index complete_to) {
  auto first = window_.empty() ? last_.next() : window_.front().index;
  if (complete_to.next() < first) {
    want_scan(stream); // the window has moved on
    return false;
  }
  auto& dispatcher = at(stream);
  if (!dispatcher.has_all_tables()) {
    if (!come_to_cohort(stream, complete_to))
      return false;
  } else if (!deliver_window(stream, complete_to, last_)) {
    return false;
  }
  dispatcher.joined = true;
  if (dispatcher.next_ddl() != nullptr)
    with_ddl_.insert(stream);
  joined_now_.insert(stream);
  return true;
}

// @returns Whether it has exactly what its cohort has.
bool dispatcher_shard_state::come_to_cohort(slot stream,
                                            block_index complete_to) {
  auto& dispatcher = at(stream);
  auto& feed = feeds_.at(dispatcher.who().feed);
  if (feed.members == 0) { // they begin where it is
    feed.reading = false;
    feed.scan = scan_phase::none;
    feed.taken = last_;
    feed.at = {};
  }
  if (feed.reading || complete_to > feed.taken) {
    feed.ahead[stream] = complete_to; // the others come
    return false;
  }
  if (!deliver_window(stream, complete_to, feed.taken))
    return false;
  if (feed.taken < last_) { // its cohort may be inside of the next block
    const auto& begun = window_[next_in_window(feed)].block;
    if (auto what = deliver_own(stream, begun, feed.at); what != sent::all) {
      wait_for(stream, what);
      return false;
    }
  }
  raise_place(feed);
  // A row of a former store's log may be missing in this one's.
  if (feed.taken == last_ && !dispatcher.last_sent().is_end())
    feed.at = std::max(feed.at, std::min(dispatcher.last_sent(), last_row_));
  if (dispatcher.cursor() > feed.at || feed.at > log_end()) {
    feed.ahead[stream] = feed.taken;
    return false;
  }
  join_cohort(stream, feed);
  return true;
}

// Its rows of the blocks behind the first one, up to the other.
bool dispatcher_shard_state::deliver_window(slot stream, block_index from,
                                            block_index to) {
  for (auto i = from.next(); i <= to; i = i.next()) {
    const auto& x = window_[i.value - window_.front().index.value];
    if (auto what = deliver_own(stream, x.block); what != sent::all) {
      wait_for(stream, what);
      return false;
    }
  }
  return true;
}

} // namespace sluice
