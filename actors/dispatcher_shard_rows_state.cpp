#include <algorithm>
#include <utility>

#include "actors/dispatcher_shard_state.hpp"
#include "messages/block_ranges.hpp"

/// DISPATCHER_SHARD's rows: packed within the credit, with DDL in its place,
/// and who is behind.
namespace sluice {

namespace {

// The runs of one table in a block stand together.
std::pair<std::size_t, std::size_t> runs_of(const row_block& block,
                                            table_id table) {
  const auto& runs = block.runs();
  auto less = [](const block_run& x, table_id y) { return x.table < y; };
  auto first = std::lower_bound(runs.begin(), runs.end(), table, less);
  auto last = first;
  while (last != runs.end() && last->table == table)
    ++last;
  return {static_cast<std::size_t>(first - runs.begin()),
          static_cast<std::size_t>(last - runs.begin())};
}

} // namespace

// -- rows of one dispatcher ---------------------------------------------------

dispatcher_shard_state::sent
dispatcher_shard_state::deliver_run(slot stream, const block_ptr& block,
                                    std::uint32_t first, std::uint32_t count) {
  auto& dispatcher = at(stream);
  auto skip = dispatcher.rows_sent(*block, first, count);
  first += skip;
  count -= skip;
  if (count == 0)
    return sent::all;
  auto row = block->grouped(first);
  if (!pass_ddl(stream, row.table(), row.schema()))
    return sent::no_schema;
  auto feed = dispatcher.who().feed;
  auto shares = std::vector<share>{
    {stream, first, count, bytes_of(*block, first, count)}};
  if (down_.credit.covers(feed, shares[0].bytes, parcels_[feed].charge)) {
    pack(parcels_[feed], block, shares);
    return sent::all;
  }
  // As many rows as the credit covers.
  auto taken = share{stream, first, 0, 0};
  while (taken.count < count) {
    auto size = block->grouped(first + taken.count).size_bytes();
    auto packed = parcels_[feed].charge + taken.bytes;
    if (!down_.credit.covers_row(feed, size, packed))
      break;
    taken.bytes += size;
    ++taken.count;
    if (down_.credit.allowed(feed)
        < static_cast<std::int64_t>(parcels_[feed].charge + taken.bytes))
      break; // the one oversized row
  }
  if (taken.count > 0) {
    shares[0] = taken;
    pack(parcels_[feed], block, shares);
  }
  return taken.count == count ? sent::all : sent::no_credit;
}

// All that a block has for a dispatcher, up to there.
dispatcher_shard_state::sent
dispatcher_shard_state::deliver_own(slot stream, const block_ptr& block,
                                    row_cursor to) {
  if (at(stream).has_all_tables())
    return deliver_all_tables(stream, block);
  auto [run, end] = runs_of(*block, at(stream).who().table);
  for (; run < end; ++run) {
    const auto& rows = block->runs()[run];
    auto count = rows_up_to(*block, rows.first, rows.count, to);
    auto what = deliver_run(stream, block, rows.first, count);
    if (what != sent::all)
      return what;
  }
  return sent::all;
}

void dispatcher_shard_state::pack(parcel& to, const block_ptr& block,
                                  const std::vector<share>& shares,
                                  const cut* how) {
  std::uint64_t used = 0;
  for (const auto& x : shares)
    used += x.bytes;
  auto send = [&](const share& x, const block_ptr& from, std::uint32_t first) {
    auto& dispatcher = at(x.stream);
    to.items.push_back(
      how == nullptr ? dispatcher.send_rows(x.stream, from, first, x.count)
                     : dispatcher.send_part(x.stream, from, first, x.count));
  };
  to.items.reserve(to.items.size() + shares.size());
  // By reference if the credit covers the whole block.
  auto feed = at(shares.front().stream).who().feed;
  if (worth_pinning(*block, used)
      && down_.credit.covers(feed, block->footprint(), to.charge)) {
    to.charge += block->footprint();
    for (const auto& x : shares)
      send(x, block, x.first);
  } else {
    auto builder = row_block_builder{};
    for (const auto& x : shares)
      for (std::uint32_t i = 0; i < x.count; ++i)
        builder.add(block->grouped(x.first + i));
    auto copy = builder.finish();
    to.charge += used;
    for (const auto& x : shares) {
      auto row = block->grouped(x.first);
      auto [run, end] = runs_of(*copy, row.table());
      while (copy->runs()[run].schema != row.schema())
        ++run;
      send(x, copy, copy->runs()[run].first);
    }
  }
  if (how != nullptr)
    at(shares.back().stream).end_cut(to.items.back(), how->to, how->end);
}

void dispatcher_shard_state::flush(feed_id feed) {
  auto i = parcels_.find(feed);
  if (i == parcels_.end())
    return;
  auto rows = std::move(i->second);
  parcels_.erase(i);
  if (rows.items.empty() && rows.cohort.empty())
    return;
  if (auto of = feeds_.find(feed); of != feeds_.end() && !rows.cohort.empty())
    of->second.told = rows.cohort.back().to;
  down_.credit.spend(feed, rows.charge); // the mark includes it
  out_.emplace_back(delivery{down_.next(), feed, rows.charge,
                             std::move(rows.items), std::move(rows.cohort)});
}

void dispatcher_shard_state::flush_all() {
  while (!parcels_.empty())
    flush(feed_id{parcels_.begin()->first});
}

// -- DDL ----------------------------------------------------------------------

void dispatcher_shard_state::send_ddl(slot stream) {
  flush(at(stream).who().feed);
  auto change = at(stream).send_ddl(stream);
  change.mark = down_.next();
  out_.emplace_back(std::move(change));
}

bool dispatcher_shard_state::pass_ddl(slot stream, table_id table,
                                      schema_version version) {
  auto& dispatcher = at(stream);
  while (dispatcher.waits_for_ddl(table, version)
         && dispatcher.next_ddl() != nullptr)
    send_ddl(stream);
  if (dispatcher.next_ddl() == nullptr)
    with_ddl_.erase(stream);
  return !dispatcher.waits_for_ddl(table, version);
}

void dispatcher_shard_state::send_due_ddl(slot stream, timestamp due) {
  const auto& dispatcher = at(stream);
  while (dispatcher.next_ddl() != nullptr && dispatcher.next_ddl()->ts <= due)
    send_ddl(stream);
}

// -- who is behind ------------------------------------------------------------

void dispatcher_shard_state::materialise(slot stream) {
  if (stream.value >= dispatchers_.size())
    return;
  auto& dispatcher = at(stream);
  auto feed = feeds_.find(dispatcher.who().feed);
  if (feed == feeds_.end() || !feed->second.streams.contains(stream.value)
      || !feed->second.bulk.covers(stream, dispatcher.in_sync_since))
    return;
  auto value = feed->second.bulk.value();
  dispatcher.on_checkpoint(dispatcher.stream_epoch(), value, value);
}

void dispatcher_shard_state::mark_behind(slot stream) {
  joined_now_.erase(stream);
  if (!at(stream).in_sync_since)
    return;
  materialise(stream);
  at(stream).in_sync_since = {};
  uncover(stream);
  behind_now_.insert(stream);
}

void dispatcher_shard_state::leave_fast_path(slot stream) {
  auto& dispatcher = at(stream);
  if (dispatcher.in_sync_since) // the last watermark spoke for it
    dispatcher.complete(down_.resolved(dispatcher.who().feed));
  mark_behind(stream);
  take_place_along(stream);
  quit_cohort(stream);
  with_ddl_.erase(stream);
  want_scan(stream);
}

// A cohort goes on where it is, by its cursor.
void dispatcher_shard_state::drop_store() {
  for (auto& [id, feed] : feeds_)
    raise_place(feed);
  window_.clear();
  window_size_ = 0;
  forget_scans();
  for (auto& [id, feed] : feeds_) {
    feed.scan = dispatcher_state::scan_phase::none;
    feed.ahead.clear();
    feed.reading = feed.members > 0;
    if (feed.reading)
      read_on(id, feed, scan_lane::memory);
  }
  for (std::uint32_t i = 0; i < dispatchers_.size(); ++i) {
    auto& dispatcher = dispatchers_[i];
    dispatcher.scan = dispatcher_state::scan_phase::none;
    if (dispatcher.joined && dispatcher.has_all_tables())
      leave_fast_path(slot{i});
    else if (dispatcher.streaming() && !dispatcher.joined)
      want_scan(slot{i});
  }
}

void dispatcher_shard_state::send_watermark() {
  if (!down_.open())
    return;
  auto due = std::vector<slot>(with_ddl_.begin(), with_ddl_.end());
  for (auto stream : due)
    send_due_ddl(stream, promise_to(at(stream).who().feed));
  std::erase_if(with_ddl_, [&](slot x) { return at(x).next_ddl() == nullptr; });
  flush_all();
  auto what = channel_promise{promise(), {}};
  for (const auto& [id, feed] : feeds_)
    if (auto ts = promise_to(id); ts < what.resolved)
      what.late.push_back({id, ts});
  if (what == down_.promise() && behind_now_.empty() && joined_now_.empty()
      && !tell_)
    return;
  tell_ = false;
  auto message = watermark{down_.next(), what, {}, {}, slots_.size()};
  for (auto stream : behind_now_)
    message.behind.push_back(at(stream).send_change(stream));
  for (auto stream : joined_now_) {
    at(stream).in_sync_since = message.mark.seq;
    feeds_.at(at(stream).who().feed)
      .joining.emplace_back(message.mark.seq, stream);
    message.in_sync.push_back(at(stream).send_change(stream));
  }
  behind_now_.clear();
  joined_now_.clear();
  down_.promised(std::move(what));
  out_.emplace_back(std::move(message));
}

} // namespace sluice
