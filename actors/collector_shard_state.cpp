#include "actors/collector_shard_state.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

collector_shard_state::collector_shard_state(collector_shard_options options)
  : options_{options}, channel_numbers_{options.origin},
    registration_numbers_{options.origin}, dispatcher_numbers_{options.origin} {
  // nop
}

// -- from DISPATCHER_SHARD: the channel ---------------------------------------

collector_shard_state::effects
collector_shard_state::on_handshake(const handshake& x, time now) {
  auto* on = channel_of(x.mark.channel);
  if (on == nullptr || !arrived(*on, x.mark))
    return take();
  if (auto* found = entry_of(*on, x.stream)) {
    auto verdict = found->stream.on_handshake(x, found->progress.latched());
    if (verdict == stream_state::verdict::accepted) {
      unanswered_.erase(registrations_.at(found->stream.who().id));
      tell_schema(*found);
      found->answer_wait = options_.answer_min;
    } else if (verdict == stream_state::verdict::gap) {
      register_anew(*found, start_of(*found), now);
    }
  }
  return take();
}

collector_shard_state::effects collector_shard_state::on_delivery(delivery x,
                                                                  time now) {
  auto* on = channel_of(x.mark.channel);
  if (on == nullptr || !arrived(*on, x.mark))
    return take();
  auto i = feeds_.find(x.feed);
  if (i == feeds_.end()) { // nobody holds it: credit is back at once
    send_credit(*on);
    return take();
  }
  auto& of = i->second;
  on->up.credit.pin(x.feed, x.charge);
  if (of.phase != sink_phase::open) {
    // Taken by nobody: all streams are behind, and of no cohort. The credit
    // stays away so that the shard waits, too.
    if (!x.cohort.empty() && !on->up.in_doubt())
      on->places[x.feed] = x.cohort.back().to;
    of.held.emplace_back(on->up.partition(), x.charge);
    return take();
  }
  auto rows = write_rows{of.writer, of.last_batch + 1, {}, false};
  auto was_torn = of.torn;
  auto handed = std::vector<handed_rows>{};
  rows.items.reserve(x.items.size());
  handed.reserve(x.items.size());
  for (auto& item : x.items)
    take_item(of, *on, item, now, rows, handed);
  rows.torn = of.torn;
  auto of_cohort = std::uint64_t{0};
  for (auto& part : x.cohort)
    of_cohort += take_cohort(of, *on, part, rows, handed);
  if (rows.items.empty() && rows.cohort.empty() && rows.torn == was_torn) {
    on->up.credit.release(x.feed, x.charge);
    send_credit(*on);
    return take();
  }
  rows.schemas = std::exchange(of.schemas, {});
  of.last_batch = rows.batch;
  of.batches.emplace(rows.batch,
                     pinned_batch{on->up.partition(), x.charge, false,
                                  std::move(handed), of_cohort});
  out_.emplace_back(to_sink{x.feed, std::move(rows)});
  return take();
}

void collector_shard_state::take_item(feed_entry& of, channel_entry& on,
                                      delivery_item& x, time now,
                                      write_rows& to,
                                      std::vector<handed_rows>& handed) {
  auto* found = entry_of(on, x.stream);
  if (found == nullptr)
    return;
  auto fresh = std::uint32_t{0};
  auto verdict = found->stream.on_item(x, fresh);
  on_verdict(*found, verdict, now);
  if (verdict != stream_state::verdict::accepted)
    return;
  // After a reset the sink may have rows behind this cut.
  if (found->stream.has_all_tables() && x.end != item_end::open
      && found->stream.cursor() >= of.handed_to) {
    of.handed_to = found->stream.cursor();
    of.torn = x.end == item_end::cut;
  }
  if (fresh == 0)
    return;
  auto first = x.first + x.count - fresh;
  auto after = table_position{found->table.table, found->stream.barrier(),
                              x.complete_to};
  of.counts.rows_below_checkpoint += found->progress.on_handed(*x.block, first,
                                                               fresh);
  of.counts.rows_accepted += fresh;
  auto table = x.block->grouped(first).table();
  to.items.push_back(
    {found->stream.schema(table), std::move(x.block), first, fresh, after});
  auto number = static_cast<index>(found - entries_.data());
  of.busy.insert(number);
  handed.push_back({number, fresh, after});
}

collector_shard_state::effects
collector_shard_state::on_schema_change(const schema_change& x, time now) {
  auto* on = channel_of(x.mark.channel);
  if (on == nullptr || !arrived(*on, x.mark))
    return take();
  if (auto* found = entry_of(*on, x.stream)) {
    auto verdict = found->stream.on_schema_change(x);
    on_verdict(*found, verdict, now);
    if (verdict == stream_state::verdict::accepted)
      tell_schema(*found);
  }
  return take();
}

collector_shard_state::effects
collector_shard_state::on_watermark(const watermark& x, time now) {
  auto* on = channel_of(x.mark.channel);
  if (on == nullptr || !arrived(*on, x.mark))
    return take();
  check_count(*on, x);
  if (on->up.in_doubt())
    return take();
  for (const auto& change : x.behind) {
    if (auto* found = entry_of(*on, change.stream)) {
      auto verdict = found->stream.on_behind(
        change, resolved_of(*found), on->places[found->stream.who().feed]);
      on_verdict(*found, verdict, now);
      settle(*found);
    }
  }
  on->up.on_promise(x.promise);
  for (const auto& change : x.in_sync) {
    if (auto* found = entry_of(*on, change.stream)) {
      on_verdict(*found, found->stream.on_in_sync(change), now);
      auto& barrier = on->barriers[found->stream.who().feed];
      barrier = std::max(barrier, found->stream.barrier());
      settle(*found);
    }
  }
  return take();
}

collector_shard_state::effects collector_shard_state::on_digest(const digest& x,
                                                                time now) {
  auto* on = channel_of(x.mark.channel);
  if (on == nullptr || !arrived(*on, x.mark))
    return take();
  if (x.mark.seq != on->digest_to.next()) // of another digest
    on->digest.clear();
  on->digest_to = x.mark.seq;
  on->digest.insert(on->digest.end(), x.entries.begin(), x.entries.end());
  if (!x.last)
    return take();
  auto known = std::set<registration_id>{};
  auto strangers = std::vector<registration_id>{};
  for (const auto& line : std::exchange(on->digest, {})) {
    known.insert(line.registration);
    auto* found = entry_of(line.registration);
    if (found == nullptr) {
      strangers.push_back(line.registration);
      continue;
    }
    auto verdict = found->stream.on_digest(line);
    // The end of its transaction, if it had no rows there, took no sequence.
    if (verdict == stream_state::verdict::accepted && feed_of(*found).torn)
      verdict = stream_state::verdict::gap;
    on_verdict(*found, verdict, now);
    settle(*found);
  }
  check_places(*on, x, now);
  if (!strangers.empty())
    send_remove(*on, std::move(strangers));
  for (auto& found : entries_)
    if (!found.removed && found.table.partition == on->up.partition()
        && found.stream.ready() && !known.contains(found.stream.who().id))
      register_anew(found, start_of(found), now);
  on->up.on_digest(x.mark);
  return take();
}

collector_shard_state::effects
collector_shard_state::on_syncpoint(const syncpoint& x) {
  // Barriers come later; the message has its place in the channel's order.
  if (auto* on = channel_of(x.mark.channel))
    (void) arrived(*on, x.mark);
  return take();
}

bool collector_shard_state::arrived(channel_entry& on,
                                    const channel_mark& mark) {
  // Before READY nobody hears of the shard's end: the next one on this channel
  // counts from 1 again, and has promised nothing.
  if (!on.shard_known)
    return false;
  auto what = on.up.on_mark(mark);
  if (what == uplink_state::arrival::gap)
    out_.emplace_back(digest_request{on.up.channel()});
  return what != uplink_state::arrival::old;
}

// A REMOVE that got lost leaves no gap, and a stream that was idle before it
// says nothing: the number of streams does.
void collector_shard_state::check_count(channel_entry& on, const watermark& x) {
  if (on.up.in_doubt() || !unanswered_.empty()
      || x.mark.acked_up <= on.changed_at || x.streams == on.streams)
    return;
  on.up.doubt();
  out_.emplace_back(digest_request{on.up.channel()});
}

void collector_shard_state::on_verdict(stream_entry& x,
                                       stream_state::verdict verdict,
                                       time now) {
  if (verdict == stream_state::verdict::gap)
    reset(x, now);
}

// -- look-ups -----------------------------------------------------------------

collector_shard_state::channel_entry*
collector_shard_state::channel_of(channel_id channel) {
  for (auto& [partition, on] : channels_)
    if (on.up.channel() == channel)
      return &on;
  return nullptr;
}

collector_shard_state::stream_entry*
collector_shard_state::entry_of(channel_entry& of, slot stream) {
  if (stream.value >= of.slots.size()
      || of.slots[stream.value] >= entries_.size())
    return nullptr;
  auto& result = entries_[of.slots[stream.value]];
  // A slot stands for one registration; a renewed stream has another one.
  return result.stream.stream() == stream ? &result : nullptr;
}

timestamp collector_shard_state::start_of(const stream_entry& x) {
  return std::max(x.progress.durable(feed_of(x).low_stored), x.table.created);
}

collector_shard_state::stream_entry*
collector_shard_state::entry_of(registration_id id) {
  auto i = registrations_.find(id);
  return i == registrations_.end() ? nullptr : &entries_[i->second];
}

void collector_shard_state::settle(const stream_entry& x) {
  auto& behind = feed_of(x).behind;
  auto number = static_cast<index>(&x - entries_.data());
  if (x.stream.behind())
    behind.insert(number);
  else
    behind.erase(number);
}

timestamp collector_shard_state::resolved_of(const stream_entry& x) const {
  return channels_.at(x.table.partition).up.resolved(x.stream.who().feed);
}

timestamp collector_shard_state::effective(const stream_entry& x) const {
  return x.stream.effective_resolved(resolved_of(x));
}

const stream_state* collector_shard_state::find(feed_id feed,
                                                table_id table) const {
  auto i = feeds_.find(feed);
  if (i == feeds_.end())
    return nullptr;
  auto k = i->second.streams.find(table);
  return k == i->second.streams.end() ? nullptr : &entries_[k->second].stream;
}

timestamp collector_shard_state::effective_resolved(feed_id feed,
                                                    table_id table) const {
  auto i = feeds_.find(feed);
  if (i == feeds_.end() || !i->second.streams.contains(table))
    return {};
  return effective(entries_[i->second.streams.at(table)]);
}

std::uint64_t collector_shard_state::pinned_bytes() const {
  std::uint64_t result = 0;
  for (const auto& [partition, on] : channels_)
    result += on.up.credit.pinned();
  return result;
}

feed_status collector_shard_state::status(feed_id feed) const {
  auto i = feeds_.find(feed);
  if (i == feeds_.end()) {
    auto result = feed_status{};
    result.feed = feed;
    result.failure = {errc::unknown_feed, to_string(feed)};
    return result;
  }
  const auto& of = i->second;
  auto result = of.counts;
  result.checkpoint = of.low_stored;
  result.tables = of.waiting.size();
  result.tables += of.streams.size();
  if (auto whole = of.streams.find(all_tables); whole != of.streams.end())
    result.tables += entries_[whole->second].stream.tables() - 1;
  for (const auto& table : of.waiting)
    result.unflushed.push_back(
      {table.table, of.position_of(table.table).checkpoint, {}, 0});
  auto of_cohorts = std::uint64_t{0};
  for (const auto& [number, batch] : of.batches)
    of_cohorts += batch.cohort_rows;
  if (of.streams.empty())
    return result;
  auto undone = of.busy;
  of.behind.for_each([&](index number) { undone.insert(number); });
  auto resolved = timestamp::max(); // of those who are in sync
  for (const auto& [partition, on] : channels_)
    if (on.streams > 0 && on.up.credit.has(feed))
      resolved = std::min(resolved, on.up.resolved(feed));
  undone.for_each([&](index number) {
    const auto& x = entries_[number];
    resolved = std::min(resolved, effective(x));
    result.unflushed.push_back({x.stream.who().table,
                                x.progress.durable(of.low_stored), effective(x),
                                x.progress.rows_in_flight()});
  });
  if (of_cohorts > 0)
    result.unflushed.push_back(
      {all_tables, of.low_stored, resolved, of_cohorts});
  // A new channel has not said anything yet.
  result.resolved = std::max(resolved, result.checkpoint);
  return result;
}

collector_shard_state::effects collector_shard_state::take() {
  return std::exchange(out_, {});
}

} // namespace sluice
