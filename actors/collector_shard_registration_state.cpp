#include <algorithm>
#include <utility>

#include "actors/collector_shard_state.hpp"

/// How streams of a collector shard come into being, start anew and end.
namespace sluice {

namespace {

constexpr std::size_t answers_per_millisecond = 50;

} // namespace

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
  to.behind.insert(number);
  auto [i, added] = channels_.try_emplace(table.partition);
  if (added) {
    auto id = channel_numbers_.next();
    i->second.up = {id, table.partition, options_.credit_bytes};
  }
  ++i->second.streams;
  if (i->second.up.credit.add(to.record.id))
    share_credit();
  entries_[number].answer_wait = options_.answer_min;
  send_register(entries_[number], now);
}

// Very many answers take a while, and to ask again makes it no shorter.
void collector_shard_state::await_answer(stream_entry& x, time now) {
  auto more = time{unanswered_.size() / answers_per_millisecond};
  unanswered_[registrations_.at(x.stream.who().id)] = now + x.answer_wait
                                                      + more;
  x.answer_wait = std::min(x.answer_wait * 2, options_.answer_max);
}

void collector_shard_state::send_register(stream_entry& x, time now) {
  auto& on = channel_of(x);
  on.changed_at = on.up.last_sent();
  await_answer(x, now);
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
  send_remove(channel_of(x), {x.stream.who().id});
  renew(x, start, now);
}

void collector_shard_state::renew(stream_entry& x, timestamp start, time now) {
  auto number = registrations_.at(x.stream.who().id);
  registrations_.erase(x.stream.who().id);
  auto id = registration_numbers_.next();
  registrations_.emplace(id, number);
  // What the sink was handed is still under way there, so it is not taken
  // again; a sink that lost it has said so before.
  leave_cohort(x);
  x.stream.renew(id, start);
  x.progress.renew(start);
  feed_of(x).behind.insert(number);
  x.answer_wait = options_.answer_min;
  send_register(x, now);
}

void collector_shard_state::send_remove(channel_entry& on,
                                        std::vector<registration_id> ids) {
  on.changed_at = on.up.last_sent();
  out_.emplace_back(
    remove_dispatchers{on.up.channel(), on.up.partition(), std::move(ids)});
}

// -- from DISPATCHER_SHARD: registration --------------------------------------

collector_shard_state::effects
collector_shard_state::on_channel_lost(channel_id channel, time now) {
  auto* on = channel_of(channel);
  if (on == nullptr)
    return {};
  for (auto& x : entries_)
    if (!x.removed && x.table.partition == on->up.partition())
      leave_cohort(x);
  on->places.clear();
  on->barriers.clear();
  on->up.reopen(channel_numbers_.next());
  on->slots.clear();
  on->digest.clear();
  on->shard_known = false;
  on->changed_at = {};
  for (auto& x : entries_)
    if (!x.removed && x.table.partition == on->up.partition())
      renew(x, start_of(x), now);
  return take();
}

collector_shard_state::effects collector_shard_state::on_ready(const ready& x,
                                                               time now) {
  auto* opened = channel_of(x.channel);
  if (opened == nullptr)
    return {};
  auto& on = *opened;
  on.shard_known = true;
  auto* found = entry_of(x.registration);
  if (found == nullptr) { // its REMOVE got lost, or came before its REGISTER
    send_remove(on, {x.registration});
    return take();
  }
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
  auto* on = channel_of(x.channel);
  if (on == nullptr)
    return {};
  if (auto* found = entry_of(x.registration))
    register_anew(*found, start_of(*found), now);
  else // it is said until a REMOVE arrives
    send_remove(*on, {x.registration});
  return take();
}

void collector_shard_state::reset(stream_entry& x, time now) {
  auto number = registrations_.at(x.stream.who().id);
  await_answer(x, now);
  auto& of = feed_of(x);
  auto reset_ts = x.progress.report(of.low_stored,
                                    x.stream.accepted_to(resolved_of(x)));
  leave_cohort(x);
  auto request = x.stream.restart(reset_ts);
  of.behind.insert(number);
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

} // namespace sluice
