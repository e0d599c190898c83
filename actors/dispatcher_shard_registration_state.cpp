#include <utility>

#include "actors/dispatcher_shard_state.hpp"

/// How dispatchers of a shard come into being and end.
namespace sluice {

// -- from COLLECTOR_SHARD -----------------------------------------------------

// A channel that is higher than the present one takes its place: the collector
// has started again, or the link between us was cut.
bool dispatcher_shard_state::enter(channel_id channel) {
  if (channel <= down_.channel())
    return channel == down_.channel();
  dispatchers_.clear();
  slots_.clear();
  registrations_.clear();
  table_places_ = {};
  tables_.clear();
  unanswered_.clear();
  feeds_.clear();
  feed_numbers_ = 0;
  spans_.clear();
  behind_now_.clear();
  joined_now_.clear();
  with_ddl_.clear();
  forget_scans();
  retry_scans_.clear();
  forgotten_.clear();
  heard_ = true;
  down_ = downlink_state{channel};
  return true;
}

dispatcher_shard_state::effects
dispatcher_shard_state::on_register(const register_dispatchers& x, time now) {
  if (enter(x.channel)) {
    for (const auto& span : x.spans)
      spans_[span.feed] = span.rules;
    for (const auto& entry : x.entries)
      register_one(entry, now);
  }
  return take();
}

void dispatcher_shard_state::register_one(const registration& entry, time now) {
  if (auto i = removed_.find(entry.id); i != removed_.end()) {
    if (!i->second)
      out_.emplace_back(unknown_registration{down_.channel(), entry.id});
    else
      out_.emplace_back(refused{down_.channel(),
                                entry.id,
                                i->second.code,
                                entry.start_ts,
                                {},
                                i->second.detail});
    return;
  }
  if (auto i = slots_.find(entry.id); i != slots_.end()) {
    if (!at(i->second).streaming())
      send_ready(i->second);
    return;
  }
  if (auto i = registrations_.find(entry.dispatcher); i != registrations_.end())
    remove_one(registration_id{i->second}); // taken over
  auto stream = slot{static_cast<std::uint32_t>(dispatchers_.size())};
  dispatchers_.emplace_back(entry);
  slots_.emplace(entry.id, stream);
  registrations_[entry.dispatcher] = entry.id;
  add_table(entry.table).streams.push_back(stream);
  auto [known, is_new] = feeds_.try_emplace(entry.feed);
  auto& feed = known->second;
  if (is_new) {
    feed.number = feed_numbers_++;
    feed.taken = last_;
  }
  feed.streams.insert(stream.value);
  uncover(stream);
  unanswered_[stream] = {now + options_.ready_repeat_min,
                         options_.ready_repeat_min};
  send_ready(stream);
}

void dispatcher_shard_state::send_ready(slot stream) {
  out_.emplace_back(
    ready{down_.channel(), at(stream).who().id, stream, store_resolved_});
}

dispatcher_shard_state::effects
dispatcher_shard_state::on_remove(const remove_dispatchers& x) {
  if (enter(x.channel))
    for (const auto& id : x.registrations) {
      forgotten_.erase(id);
      remove_one(id);
    }
  report_floors();
  return take();
}

// -- dispatchers --------------------------------------------------------------

dispatcher_state* dispatcher_shard_state::current(registration_id id,
                                                  slot stream) {
  if (stream.value >= dispatchers_.size())
    return nullptr;
  auto& result = dispatchers_[stream.value];
  return id && result.who().id == id ? &result : nullptr;
}

void dispatcher_shard_state::remove_one(registration_id id) {
  if (removed_.emplace(id, error{}).second)
    removed_order_.push_back(id);
  if (removed_order_.size() > options_.removed_remembered_max) {
    removed_.erase(removed_order_.front());
    removed_order_.pop_front();
  }
  if (auto i = slots_.find(id); i != slots_.end())
    forget(i->second);
}

void dispatcher_shard_state::forget(slot stream) {
  const auto who = at(stream).who();
  slots_.erase(who.id);
  if (registrations_[who.dispatcher] == who.id)
    registrations_.erase(who.dispatcher);
  quit_cohort(stream);
  std::erase(add_table(who.table).streams, stream);
  unanswered_.erase(stream);
  behind_now_.erase(stream);
  joined_now_.erase(stream);
  with_ddl_.erase(stream);
  auto& feed = feeds_[who.feed];
  feed.streams.erase(stream.value);
  feed.floors_moved |= feed.uncovered.erase(stream.value);
  if (feed.streams.empty())
    feeds_.erase(who.feed); // the store keeps what it reported last
  at(stream) = {};
}

// One without handshake is not forgotten: its collector may be slow to start.
void dispatcher_shard_state::forget_streaming() {
  auto streaming = std::vector<registration_id>{};
  for (const auto& [id, stream] : slots_)
    if (at(stream).streaming()) {
      streaming.push_back(id);
      mark_behind(stream);
    }
  send_watermark(); // the last that may speak for them
  for (auto id : streaming)
    remove_one(id);
  forgotten_.insert(streaming.begin(), streaming.end());
}

// Again and again, as it may get lost: who hears of it answers with REMOVE.
void dispatcher_shard_state::tell_forgotten() {
  for (auto id : forgotten_)
    out_.emplace_back(unknown_registration{down_.channel(), id});
}

void dispatcher_shard_state::refuse(slot stream, error reason, timestamp asked,
                                    timestamp lower) {
  auto id = at(stream).who().id;
  out_.emplace_back(
    refused{down_.channel(), id, reason.code, asked, lower, reason.detail});
  remove_one(id);
  removed_[id] = std::move(reason);
  forgotten_.insert(id);
}

} // namespace sluice
