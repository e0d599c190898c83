#include "actors/collector_shard_state.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

collector_shard_state::collector_shard_state(collector_shard_options options)
  : options_{options}, channel_numbers_{options.origin},
    registration_numbers_{options.origin}, dispatcher_numbers_{options.origin} {
  // nop
}

// -- from COLLECTOR -----------------------------------------------------------

collector_shard_state::effects
collector_shard_state::on_subscribe(const subscribe_feed& x) {
  auto [i, added] = feeds_.try_emplace(x.feed.id);
  if (added) {
    i->second.record = x.feed;
    i->second.counts.feed = x.feed.id;
    out_.emplace_back(to_sink{x.feed.id, open_sink{x.feed}});
  }
  return take();
}

collector_shard_state::effects
collector_shard_state::on_tables(const add_tables& x, time now) {
  auto i = feeds_.find(x.feed);
  if (i == feeds_.end())
    return {};
  auto& of = i->second;
  for (const auto& table : x.tables) {
    // Its start is the target's position, so the sink must be open first.
    // Until the stream is there no low watermark is asked for.
    if (of.phase == sink_phase::open)
      add_table(of, table, now);
    else
      of.waiting.push_back(table);
  }
  return take();
}

void collector_shard_state::add_table(feed_entry& to, const table_info& table,
                                      time now) {
  // One stream has them all, also those that come later.
  auto whole = table_info{all_tables, "all tables", table.partition, {}};
  const auto& of_stream = to.record.rules.order == feed_order::transaction
                            ? whole
                            : table;
  if (!to.streams.contains(of_stream.table))
    add_stream(to, of_stream, now);
}

collector_shard_state::effects
collector_shard_state::on_unsubscribe(const unsubscribe_feed& x) {
  auto i = feeds_.find(x.feed);
  if (i == feeds_.end())
    return {};
  stop_feed(i->second, {});
  feeds_.erase(i);
  return take();
}

void collector_shard_state::add_stream(feed_entry& to, const table_info& table,
                                       time now) {
  auto stored = to.position_of(table.table);
  auto start = std::max({stored.checkpoint, to.low_stored, table.created});
  auto number = static_cast<index>(entries_.size());
  auto who = registration{registration_numbers_.next(),
                          dispatcher_numbers_.next(), to.record.id, table.table,
                          start};
  entries_.push_back({stream_state{who, stored.cursor},
                      progress_state{stored, start},
                      table,
                      {},
                      {},
                      false});
  registrations_.emplace(who.id, number);
  to.streams.emplace(table.table, number);
  to.busy.insert(number);
  auto [i, added] = channels_.try_emplace(table.partition);
  if (added) {
    auto id = channel_numbers_.next();
    i->second.up = {id, table.partition, options_.credit_bytes};
    out_.emplace_back(open_channel{id, table.partition});
  }
  if (i->second.up.credit.add(to.record.id))
    share_credit();
  entries_[number].answer_wait = options_.answer_min;
  send_register(entries_[number], now);
}

void collector_shard_state::send_register(stream_entry& x, time now) {
  auto& on = channel_of(x);
  auto number = registrations_.at(x.stream.who().id);
  unanswered_[number] = now + x.answer_wait;
  x.answer_wait = std::min(x.answer_wait * 2, options_.answer_max);
  // Streams that start in one step share a message.
  auto* message = out_.empty()
                    ? nullptr
                    : std::get_if<register_dispatchers>(&out_.back());
  if (message == nullptr || message->channel != on.up.channel())
    message = &std::get<register_dispatchers>(out_.emplace_back(
      register_dispatchers{on.up.channel(), on.up.partition(), {}, {}}));
  message->entries.push_back(x.stream.who());
  if (x.stream.has_all_tables()) {
    const auto& feed = feed_of(x).record;
    message->spans.push_back({feed.id, feed.rules});
  }
}

void collector_shard_state::register_anew(stream_entry& x, timestamp start,
                                          time now) {
  auto old = x.stream.who().id;
  auto number = registrations_.at(old);
  auto& on = channel_of(x);
  out_.emplace_back(
    remove_dispatchers{on.up.channel(), on.up.partition(), {old}});
  registrations_.erase(old);
  auto id = registration_numbers_.next();
  registrations_.emplace(id, number);
  x.stream.renew(id, start, x.progress.stored().cursor);
  x.progress = progress_state{x.progress.stored(), start};
  feed_of(x).busy.insert(number);
  x.answer_wait = options_.answer_min;
  send_register(x, now);
}

// -- from DISPATCHER_SHARD: registration --------------------------------------

collector_shard_state::effects collector_shard_state::on_ready(const ready& x,
                                                               time now) {
  auto* found = entry_of(x.registration);
  if (found == nullptr || channel_of(*found).up.channel() != x.channel)
    return {};
  auto& on = channel_of(*found);
  on.shard_known = true;
  if (on.slots.size() <= x.stream.value)
    on.slots.resize(x.stream.value + 1, UINT32_MAX);
  on.slots[x.stream.value] = registrations_.at(x.registration);
  auto waiting = !found->stream.ready()
                 || found->stream.handshake_outstanding();
  found->stream.on_ready(x.stream);
  send_credit(on);
  if (waiting) {
    found->answer_wait = options_.answer_min;
    reset(*found, now);
  }
  return take();
}

collector_shard_state::effects
collector_shard_state::on_refused(const refused& x, time now) {
  auto* found = entry_of(x.registration);
  if (found == nullptr)
    return {};
  if (x.reason == errc::stopped) // its broker comes back
    return take();
  auto& of = feed_of(*found);
  if (x.reason == errc::table_deleted) { // it has no more rows; others have
    of.streams.erase(found->table.table);
    drop_stream(of, registrations_.at(x.registration));
    return take();
  }
  auto detail = "feed \"" + of.record.name + "\", table " + found->table.name
                + ": asked for rows after " + std::to_string(x.asked.value)
                + ", "
                + (x.reason == errc::lost_by_retention
                     ? "the log begins after " + std::to_string(x.lower.value)
                     : x.detail);
  stop_feed(of, {x.reason, std::move(detail)});
  (void) now;
  return take();
}

collector_shard_state::effects
collector_shard_state::on_unknown(const unknown_registration& x, time now) {
  auto* found = entry_of(x.registration);
  if (found == nullptr || channel_of(*found).up.channel() != x.channel)
    return {};
  auto start = std::max(found->progress.durable(feed_of(*found).low_stored),
                        found->stream.who().start_ts);
  register_anew(*found, start, now);
  return take();
}

void collector_shard_state::reset(stream_entry& x, time now) {
  auto number = registrations_.at(x.stream.who().id);
  unanswered_[number] = now + x.answer_wait;
  x.answer_wait = std::min(x.answer_wait * 2, options_.answer_max);
  auto& of = feed_of(x);
  auto reset_ts = x.progress.report(
    of.low_stored, x.stream.accepted_to(channel_of(x).up.resolved()));
  auto request = x.stream.restart(reset_ts);
  of.busy.insert(number);
  if (of.phase != sink_phase::open) { // it is reset once the sink is back
    unanswered_.erase(number);
    return;
  }
  ++of.counts.resets;
  auto& on = channel_of(x);
  if (!out_.empty())
    if (auto* last = std::get_if<reset_streams>(&out_.back());
        last != nullptr && last->channel == on.up.channel()) {
      last->entries.push_back(request);
      return;
    }
  out_.emplace_back(reset_streams{on.up.channel(), {request}});
}

// -- from DISPATCHER_SHARD: the channel ---------------------------------------

collector_shard_state::effects
collector_shard_state::on_handshake(const handshake& x, time now) {
  auto* on = channel_of(x.mark);
  if (on == nullptr || !arrived(*on, x.mark))
    return take();
  if (auto* found = entry_of(*on, x.stream)) {
    auto verdict = found->stream.on_handshake(x, found->progress.latched());
    if (verdict == stream_state::verdict::accepted) {
      unanswered_.erase(registrations_.at(found->stream.who().id));
      found->answer_wait = options_.answer_min;
    } else if (verdict == stream_state::verdict::gap) {
      register_anew(*found, found->progress.durable(feed_of(*found).low_stored),
                    now);
    }
  }
  return take();
}

collector_shard_state::effects
collector_shard_state::on_delivery(const delivery& x, time now) {
  auto* on = channel_of(x.mark);
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
    // Taken by nobody; the credit stays away so that the shard waits, too.
    of.held.emplace_back(on->up.partition(), x.charge);
    return take();
  }
  auto rows = write_rows{of.writer, of.last_batch + 1, {}, false};
  auto was_torn = of.torn;
  auto written = std::vector<index>{};
  for (const auto& item : x.items)
    take_item(of, *on, item, now, rows, written);
  rows.torn = of.torn;
  if (rows.items.empty() && rows.torn == was_torn) {
    on->up.credit.release(x.feed, x.charge);
    send_credit(*on);
    return take();
  }
  of.last_batch = rows.batch;
  of.batches.emplace(rows.batch, pinned_batch{on->up.partition(), x.charge,
                                              false, std::move(written)});
  out_.emplace_back(to_sink{x.feed, std::move(rows)});
  return take();
}

void collector_shard_state::take_item(feed_entry& of, channel_entry& on,
                                      const delivery_item& x, time now,
                                      write_rows& to,
                                      std::vector<index>& written) {
  auto* found = entry_of(on, x.stream);
  if (found == nullptr)
    return;
  auto complete = effective(*found);
  auto fresh = std::uint32_t{0};
  auto verdict = found->stream.on_item(x, fresh);
  on_verdict(*found, verdict, now);
  if (verdict != stream_state::verdict::accepted)
    return;
  auto all = found->stream.has_all_tables();
  // After a reset the sink may have rows behind this cut.
  if (all && x.end != item_end::open
      && found->stream.cursor() >= of.handed_to) {
    of.handed_to = found->stream.cursor();
    of.torn = x.end == item_end::cut;
  }
  if (fresh == 0)
    return;
  auto rows = x;
  rows.first += x.count - fresh;
  rows.count = fresh;
  auto first = rows.block->grouped(rows.first);
  // Of all tables, the next item may have lower rows.
  if (!all)
    complete = first.commit_ts().previous();
  auto after = table_position{found->table.table, found->stream.barrier(),
                              x.complete_to};
  of.counts.rows_below_checkpoint += found->progress.on_accepted(
    to.batch, rows, after, complete);
  of.counts.rows_accepted += fresh;
  to.items.push_back({found->stream.schema(first.table()), rows.block,
                      rows.first, rows.count, after});
  auto number = registrations_.at(found->stream.who().id);
  of.busy.insert(number);
  written.push_back(number);
}

collector_shard_state::effects
collector_shard_state::on_schema_change(const schema_change& x, time now) {
  auto* on = channel_of(x.mark);
  if (on == nullptr || !arrived(*on, x.mark))
    return take();
  if (auto* found = entry_of(*on, x.stream))
    on_verdict(*found, found->stream.on_schema_change(x), now);
  return take();
}

collector_shard_state::effects
collector_shard_state::on_watermark(const watermark& x, time now) {
  auto* on = channel_of(x.mark);
  if (on == nullptr || !arrived(*on, x.mark) || on->up.in_doubt())
    return take();
  for (const auto& ref : x.behind) {
    if (auto* found = entry_of(*on, ref.stream)) {
      found->stream.on_behind(ref.stream_epoch, on->up.resolved());
      settle(*found);
    }
  }
  on->up.on_resolved(x.resolved);
  for (const auto& ref : x.in_sync) {
    if (auto* found = entry_of(*on, ref.stream)) {
      on_verdict(*found, found->stream.on_caught_up(ref), now);
      settle(*found);
    }
  }
  return take();
}

collector_shard_state::effects collector_shard_state::on_digest(const digest& x,
                                                                time now) {
  auto* on = channel_of(x.mark);
  if (on == nullptr || !arrived(*on, x.mark))
    return take();
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
    on_verdict(*found, found->stream.on_digest(line), now);
    settle(*found);
  }
  if (!strangers.empty())
    out_.emplace_back(remove_dispatchers{on->up.channel(), on->up.partition(),
                                         std::move(strangers)});
  for (auto& found : entries_)
    if (!found.removed && found.table.partition == on->up.partition()
        && found.stream.ready() && !known.contains(found.stream.who().id))
      register_anew(found, found.progress.durable(feed_of(found).low_stored),
                    now);
  on->up.on_digest(x.mark);
  return take();
}

collector_shard_state::effects
collector_shard_state::on_syncpoint(const syncpoint& x) {
  // Barriers come later; the message has its place in the channel's order.
  if (auto* on = channel_of(x.mark))
    (void) arrived(*on, x.mark);
  return take();
}

bool collector_shard_state::arrived(channel_entry& on,
                                    const channel_mark& mark) {
  auto what = on.up.on_mark(mark);
  if (what == uplink_state::arrival::gap)
    out_.emplace_back(digest_request{on.up.channel()});
  return what != uplink_state::arrival::old;
}

void collector_shard_state::on_verdict(stream_entry& x,
                                       stream_state::verdict verdict,
                                       time now) {
  if (verdict == stream_state::verdict::gap)
    reset(x, now);
}

// -- look-ups -----------------------------------------------------------------

collector_shard_state::channel_entry*
collector_shard_state::channel_of(const channel_mark& mark) {
  for (auto& [partition, on] : channels_)
    if (on.up.channel() == mark.channel)
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

collector_shard_state::stream_entry*
collector_shard_state::entry_of(registration_id id) {
  auto i = registrations_.find(id);
  return i == registrations_.end() ? nullptr : &entries_[i->second];
}

void collector_shard_state::settle(stream_entry& x) {
  auto& busy = feed_of(x).busy;
  auto number = registrations_.at(x.stream.who().id);
  if (x.stream.behind() || !x.progress.idle())
    busy.insert(number);
  else
    busy.erase(number);
}

timestamp collector_shard_state::effective(const stream_entry& x) const {
  return x.stream.effective_resolved(
    channels_.at(x.table.partition).up.resolved());
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
  for (const auto& [table, number] : of.streams)
    result.tables += table == all_tables ? entries_[number].stream.tables() : 1;
  for (const auto& table : of.waiting)
    result.unflushed.push_back(
      {table.table, of.position_of(table.table).checkpoint, {}, 0});
  if (of.streams.empty())
    return result;
  auto resolved = timestamp::max();
  for (const auto& [table, number] : of.streams)
    resolved = std::min(
      resolved, channels_.at(entries_[number].table.partition).up.resolved());
  for (auto number : of.busy) {
    const auto& x = entries_[number];
    resolved = std::min(resolved, effective(x));
    result.unflushed.push_back({x.table.table,
                                x.progress.durable(of.low_stored), effective(x),
                                x.progress.rows_in_flight()});
  }
  result.resolved = resolved;
  return result;
}

collector_shard_state::effects collector_shard_state::take() {
  return std::exchange(out_, {});
}

} // namespace sluice
