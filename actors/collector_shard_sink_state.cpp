#include <algorithm>
#include <utility>

#include "actors/collector_shard_state.hpp"

/// COLLECTOR_SHARD's other half: sinks, timers, heartbeats.
namespace sluice {

// -- from SINK ----------------------------------------------------------------

collector_shard_state::effects
collector_shard_state::on_sink_opened(feed_id feed, const sink_opened& x,
                                      time now) {
  auto i = feeds_.find(feed);
  if (i == feeds_.end() || i->second.phase == sink_phase::stopped)
    return {};
  auto& of = i->second;
  drop_batches(of);
  of.phase = sink_phase::open;
  of.writer = x.writer;
  of.last_batch = 0;
  of.handed_to = {};
  of.torn = false;
  of.low_stored = x.low_watermark;
  of.low_asked = x.low_watermark;
  of.schemas.clear(); // each stream tells its own anew
  of.positions.clear();
  for (const auto& position : x.positions)
    of.positions.emplace(position.table, position);
  reopen_streams(of, now);
  for (const auto& table : std::exchange(of.waiting, {}))
    add_table(of, table, now);
  return take();
}

void collector_shard_state::reopen_streams(feed_entry& of, time now) {
  for (const auto& [table, number] : of.streams) {
    auto& stream = entries_[number];
    auto stored = of.position_of(table);
    stream.progress.on_sink_opened(stored);
    of.busy.erase(number);
    stream.told = {};
    auto start = std::max(
      {stored.checkpoint, of.low_stored, stream.table.created});
    of.behind.insert(number);
    if (start < stream.progress.latched())
      register_anew(stream, start, now); // it lost data: it is believed
    else if (stream.stream.ready())
      reset(stream, now);
    stream.stream.set_barrier(stored.cursor);
  }
}

collector_shard_state::effects
collector_shard_state::on_released(feed_id feed, const rows_released& x) {
  auto i = feeds_.find(feed);
  if (i == feeds_.end() || i->second.writer != x.writer)
    return {};
  for (auto& [number, batch] : i->second.batches) {
    if (number > x.batch)
      break;
    if (std::exchange(batch.released, true))
      continue;
    auto& on = channels_.at(batch.partition);
    on.up.credit.release(feed, batch.charge);
    send_credit(on);
  }
  return take();
}

collector_shard_state::effects
collector_shard_state::on_durable(feed_id feed, const rows_durable& x) {
  auto i = feeds_.find(feed);
  if (i == feeds_.end() || i->second.writer != x.writer)
    return {};
  auto& of = i->second;
  of.retry_wait = {}; // It works; to have opened says little.
  while (!of.batches.empty() && of.batches.begin()->first <= x.batch) {
    auto& batch = of.batches.begin()->second;
    auto& on = channels_.at(batch.partition);
    if (!batch.released) {
      on.up.credit.release(feed, batch.charge);
      send_credit(on);
    }
    for (const auto& rows : batch.handed) {
      auto& progress = entries_[rows.stream].progress;
      progress.on_durable(rows.rows, rows.after);
      if (progress.idle())
        of.busy.erase(rows.stream);
      of.counts.rows_durable += rows.rows;
      durable_since_heartbeat_ += rows.rows;
    }
    of.counts.rows_durable += batch.cohort_rows;
    durable_since_heartbeat_ += batch.cohort_rows;
    of.batches.erase(of.batches.begin());
  }
  of.low_stored = std::max(of.low_stored, x.low_watermark);
  if (durable_since_heartbeat_ >= options_.heartbeat_rows) {
    durable_since_heartbeat_ = 0;
    for (auto& [partition, on] : channels_)
      send_heartbeat(on, false);
  }
  return take();
}

collector_shard_state::effects
collector_shard_state::on_sink_failed(feed_id feed, const sink_failed& x,
                                      time now) {
  auto i = feeds_.find(feed);
  if (i == feeds_.end() || i->second.phase == sink_phase::stopped)
    return {};
  auto& of = i->second;
  if (x.writer && x.writer != of.writer)
    return {};
  if (x.final) {
    stop_feed(of, x.reason);
    return take();
  }
  of.phase = sink_phase::failed;
  of.counts.failure = x.reason;
  of.writer = {};
  of.retry_wait = of.retry_wait.count() == 0
                    ? options_.sink_retry_min
                    : std::min(of.retry_wait * 2, options_.sink_retry_max);
  of.retry_due = now + of.retry_wait;
  // What comes until then is taken by nobody, so it must not count: the
  // streams leave their epoch.
  for (const auto& [table, number] : of.streams)
    if (entries_[number].stream.ready())
      reset(entries_[number], now);
  return take();
}

void collector_shard_state::drop_batches(feed_entry& of) {
  for (auto& [number, batch] : std::exchange(of.batches, {}))
    if (!batch.released)
      of.held.emplace_back(batch.partition, batch.charge);
  for (const auto& [partition, charge] : std::exchange(of.held, {})) {
    auto& on = channels_.at(partition);
    on.up.credit.release(of.record.id, charge);
    send_credit(on);
  }
  if (of.phase != sink_phase::stopped)
    of.counts.failure = {};
}

void collector_shard_state::stop_feed(feed_entry& of, error reason) {
  of.phase = sink_phase::stopped;
  of.counts.stopped = true;
  of.counts.failure = std::move(reason);
  drop_batches(of);
  for (const auto& [table, number] : of.streams) {
    drop_stream(of, number);
    channel_of(entries_[number]).up.credit.remove(of.record.id);
  }
  of.streams.clear();
  of.behind.clear();
  of.busy.clear();
  share_credit();
}

void collector_shard_state::drop_stream(feed_entry& of, index number) {
  auto& stream = entries_[number];
  auto& on = channel_of(stream);
  auto id = stream.stream.who().id;
  send_remove(on, {id});
  --on.streams;
  registrations_.erase(id);
  unanswered_.erase(number);
  of.behind.erase(number);
  of.busy.erase(number);
  stream.removed = true;
  if (stream.stream.ready())
    on.slots[stream.stream.stream().value] = UINT32_MAX;
}

// -- timers -------------------------------------------------------------------

collector_shard_state::effects collector_shard_state::on_tick(time now) {
  auto due = std::vector<index>{};
  for (const auto& [number, when] : unanswered_)
    if (now >= when)
      due.push_back(number);
  for (auto number : due) {
    auto& stream = entries_[number];
    if (stream.stream.ready())
      reset(stream, now); // with a new epoch: the old one may still come
    else
      send_register(stream, now);
  }
  for (auto& [id, of] : feeds_) {
    if (of.phase == sink_phase::failed && now >= of.retry_due) {
      of.phase = sink_phase::opening;
      out_.emplace_back(to_sink{id, open_sink{of.record}});
    }
  }
  if (now >= next_heartbeat_) {
    next_heartbeat_ = now + options_.heartbeat_interval;
    for (auto& [id, of] : feeds_)
      ask_watermark(of);
    for (auto& [partition, on] : channels_) {
      if (on.up.in_doubt())
        out_.emplace_back(digest_request{on.up.channel()});
      send_heartbeat(on, true);
    }
  }
  return take();
}

void collector_shard_state::ask_watermark(feed_entry& of) {
  if (of.phase != sink_phase::open)
    return;
  auto low = low_watermark(of);
  if (low <= of.low_asked)
    return;
  of.low_asked = low;
  out_.emplace_back(to_sink{of.record.id, store_watermark{of.writer, low}});
}

// Everything <= it was handed to the sink, or is there.
timestamp collector_shard_state::low_watermark(const feed_entry& of) const {
  if (of.streams.empty())
    return {};
  auto result = timestamp::max();
  for (const auto& [partition, on] : channels_)
    if (on.streams > 0 && on.up.credit.has(of.record.id))
      result = std::min(result, on.up.resolved(of.record.id));
  of.behind.for_each([&](index number) {
    result = std::min(result, effective(entries_[number]));
  });
  return result;
}

void collector_shard_state::send_heartbeat(channel_entry& on, bool repeat) {
  if (!on.shard_known)
    return;
  auto feeds = std::vector<feed_checkpoint>{};
  for (auto& [id, of] : feeds_)
    if (of.phase != sink_phase::stopped)
      feeds.push_back(checkpoint_of(of, on));
  if (on.up.worth_sending(feeds, repeat))
    out_.emplace_back(on.up.make_heartbeat(std::move(feeds)));
}

// Of who is behind at its shard, too, nothing is said but what is durable of
// the present epoch.
feed_checkpoint collector_shard_state::checkpoint_of(feed_entry& of,
                                                     const channel_entry& on) {
  auto resolved = on.up.resolved(of.record.id);
  auto result = feed_checkpoint{
    of.record.id, std::min(resolved, of.low_stored), {}};
  of.behind.for_each([&](index number) {
    auto& x = entries_[number];
    if (x.table.partition != on.up.partition())
      return;
    if (!x.stream.ready()) { // the shard may not know of it
      result.checkpoint = std::min(result.checkpoint, x.progress.latched());
      return;
    }
    auto reported = x.progress.report(of.low_stored,
                                      x.stream.accepted_to(resolved));
    auto begun = x.stream.begun_at();
    if (x.stream.may_be_in_sync() || (begun && reported > begun))
      result.exceptions.push_back(
        {x.stream.stream(), x.stream.stream_epoch(), reported});
  });
  return result;
}

void collector_shard_state::send_credit(channel_entry& on) {
  if (on.shard_known && on.up.credit.worth_telling())
    out_.emplace_back(on.up.make_credit());
}

// A feed came or went: they have the same memory, in other shares.
void collector_shard_state::share_credit() {
  auto shares = std::size_t{0};
  for (const auto& [partition, on] : channels_)
    shares += on.up.credit.feeds();
  auto each = options_.credit_bytes_all / std::max(shares, std::size_t{1});
  each = std::max(each, options_.credit_bytes_min);
  for (auto& [partition, on] : channels_) {
    on.up.credit.set_limit(std::min(each, options_.credit_bytes));
    send_credit(on);
  }
}

} // namespace sluice
