#include "actors/dispatcher_shard_state.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

namespace {

constexpr std::size_t digest_chunk = 4'096;
// So many floors of single tables are told as they move.
constexpr std::size_t floors_max = 1'000;
constexpr auto floors_interval = std::chrono::seconds{1}; // of more

} // namespace

// -- from COLLECTOR_SHARD -----------------------------------------------------

dispatcher_shard_state::effects
dispatcher_shard_state::on_reset(const reset_streams& x) {
  if (x.channel != down_.channel())
    return {};
  for (const auto& entry : x.entries) {
    auto* dispatcher = current(entry.registration, entry.stream);
    if (dispatcher == nullptr) {
      out_.emplace_back(unknown_registration{x.channel, entry.registration});
      continue;
    }
    unanswered_.erase(entry.stream);
    materialise(entry.stream);
    if (auto query = dispatcher->on_reset(entry.stream_epoch, entry.reset_ts))
      look_up(entry.stream, std::move(*query));
  }
  return take();
}

void dispatcher_shard_state::look_up(slot stream, schema_query&& query) {
  if (at(stream).has_all_tables())
    query.span = spans_[at(stream).who().feed];
  out_.emplace_back(std::move(query));
}

dispatcher_shard_state::effects
dispatcher_shard_state::on_heartbeat(const heartbeat& x) {
  if (x.channel != down_.channel() || !down_.on_up(x.up_seq))
    return {};
  heard_ = true;
  tell_forgotten();
  // Without anything new it is a repetition: we owe it an answer.
  auto news = x.acked <= down_.acknowledged();
  // What the old bulk value gave stays with those it speaks for no more.
  for (const auto& part : x.feeds)
    for (const auto& exception : part.exceptions)
      materialise(exception.stream);
  down_.on_acknowledged(x.acked);
  for (const auto& part : x.feeds) {
    auto i = feeds_.find(part.feed);
    if (i == feeds_.end())
      continue;
    auto& feed = i->second;
    auto value = std::min(part.checkpoint,
                          down_.acknowledged_resolved(part.feed));
    if (value < feed.bulk.value()) // its sink is an older copy of itself
      feed.streams.for_each([&](std::uint32_t s) { materialise(slot{s}); });
    feed.floors_moved |= value != feed.bulk.value();
    auto before = feed.bulk.exceptions();
    news |= feed.bulk.on_heartbeat(x.acked, value, part.exceptions);
    for (const auto& exception : part.exceptions) {
      if (!feed.streams.contains(exception.stream.value))
        continue;
      auto& dispatcher = at(exception.stream);
      auto sent_to = dispatcher.complete_to();
      if (dispatcher.in_sync_since)
        sent_to = std::max(
          {sent_to, down_.resolved(part.feed), feed.at.complete_to()});
      dispatcher.on_checkpoint(exception.stream_epoch, exception.checkpoint,
                               sent_to);
      uncover(exception.stream);
    }
    note_acknowledged(feed, before);
  }
  if (down_.credit.on_granted(x.granted)) {
    news = true;
    wake_starved();
    use_credit();
  }
  if (news)
    down_.owe_acknowledgement();
  report_floors();
  pump_scans();
  return take();
}

// Of these streams the bulk value may speak from now on.
void dispatcher_shard_state::note_acknowledged(
  feed_on_channel& feed, const std::map<slot, stream_checkpoint>& before) {
  auto look_at = [&](slot stream) {
    if (feed.bulk.covers(stream, at(stream).in_sync_since))
      feed.floors_moved |= feed.uncovered.erase(stream.value);
  };
  for (const auto& [stream, checkpoint] : before)
    if (stream.value < dispatchers_.size())
      look_at(stream);
  auto& joining = feed.joining;
  for (; !joining.empty() && joining.front().first <= feed.bulk.acknowledged();
       joining.pop_front())
    look_at(joining.front().second);
}

void dispatcher_shard_state::uncover(slot stream) {
  auto& feed = feeds_.at(at(stream).who().feed);
  feed.uncovered.insert(stream.value);
  feed.floors_moved = true; // its checkpoint may be another one
}

dispatcher_shard_state::effects
dispatcher_shard_state::on_credit(const credit& x) {
  if (x.channel != down_.channel() || !down_.on_up(x.up_seq))
    return {};
  heard_ = true;
  tell_forgotten();
  if (down_.credit.on_granted(x.granted)) {
    down_.owe_acknowledgement();
    wake_starved();
    use_credit();
  }
  pump_scans();
  return take();
}

dispatcher_shard_state::effects
dispatcher_shard_state::on_digest_request(const digest_request& x) {
  if (x.channel != down_.channel())
    return {};
  auto answer = digest{};
  for (const auto& dispatcher : dispatchers_) {
    const auto& who = dispatcher.who();
    if (!who.id)
      continue;
    answer.entries.push_back({who.id, slots_.at(who.id),
                              dispatcher.stream_epoch(), dispatcher.last_seq(),
                              !dispatcher.in_sync_since,
                              dispatcher.complete_to()});
    if (answer.entries.size() == digest_chunk) {
      answer.last = false;
      answer.mark = down_.next();
      out_.emplace_back(std::move(answer));
      answer = {};
    }
  }
  answer.last = true;
  for (const auto& [id, feed] : feeds_)
    if (feed.told != row_cursor{})
      answer.cohorts.push_back({id, feed.told});
  answer.mark = down_.next();
  out_.emplace_back(std::move(answer));
  tell_ = true; // what was promised while the collector was in doubt
  send_watermark();
  return take();
}

// -- from EVENT_STORE and SCHEMA_STORE ----------------------------------------

dispatcher_shard_state::effects
dispatcher_shard_state::on_progress(const progress& x) {
  if (x.store != store_)
    drop_store();
  auto first = x.blocks.empty() ? x.last.next() : x.blocks.front().index;
  if (x.store != store_) {
    store_ = x.store;
    log_resolved_ = {};
    last_row_ = {};
    all_taken_up_to(first.previous());
  } else if (first != last_.next()) {
    drop_store(); // the store had to leave blocks out: they are read
    all_taken_up_to(first.previous());
  }
  for (const auto& block : x.blocks) {
    last_ = block.index;
    last_row_ = std::max(last_row_, block.block->last_cursor());
    window_.push_back(block);
    window_size_ += block.block->footprint();
    deliver_block(block);
  }
  while (window_size_ > options_.window_bytes) {
    pass_by(window_.front());
    window_size_ -= window_.front().block->footprint();
    window_.pop_front();
  }
  log_resolved_ = x.resolved;
  store_resolved_ = std::max(store_resolved_, x.resolved);
  for (auto& [id, feed] : feeds_)
    let_join(feed);
  send_watermark();
  out_.emplace_back(progress_taken{x.store, x.last});
  pump_scans();
  return take();
}

dispatcher_shard_state::effects
dispatcher_shard_state::on_scan_answer(const scan_answer& x) {
  for (auto which : {scan_lane::memory, scan_lane::disk}) {
    auto& lane = lane_of(which);
    if (x.store != store_ || x.scan != lane.outstanding)
      continue; // the other lane's, or of a former store or channel
    lane.outstanding.reset();
    resume_reading(std::exchange(lane.asked, {}));
    for (const auto& result : x.results)
      take_scan_result(which, result);
  }
  use_credit();
  return take();
}

dispatcher_shard_state::effects
dispatcher_shard_state::on_ddl(const ddl_notice& x) {
  const auto& schema = x.event.schema;
  note_version(schema.table, schema.version);
  auto note = [&](slot stream) {
    at(stream).on_ddl(x.event);
    if (at(stream).joined && at(stream).next_ddl() != nullptr)
      with_ddl_.insert(stream);
  };
  for (auto stream : table_of(schema.table)->streams)
    note(stream);
  if (const auto* all = table_of(all_tables))
    for (auto stream : all->streams)
      if (at(stream).version_of(schema.table)
          || spans_[at(stream).who().feed].matches(schema.name))
        note(stream);
  send_watermark();
  return take();
}

dispatcher_shard_state::effects
dispatcher_shard_state::on_schema_resolved(const schema_resolved& x) {
  schema_resolved_ = std::max(schema_resolved_, x.resolved);
  send_watermark();
  return take();
}

dispatcher_shard_state::effects
dispatcher_shard_state::on_schema_answer(const schema_answer& x) {
  auto i = slots_.find(x.query.registration);
  if (i == slots_.end())
    return {};
  auto stream = i->second;
  materialise(stream); // L must see every heartbeat until now
  for (const auto& schema : x.schemas)
    note_version(schema.table, schema.version);
  for (const auto& event : x.later)
    note_version(event.schema.table, event.schema.version);
  take_place_along(stream); // the record has it
  auto outcome = at(stream).on_schema(x);
  if (auto* query = std::get_if<schema_query>(&outcome))
    look_up(stream, std::move(*query));
  else if (auto* start = std::get_if<dispatcher_state::started>(&outcome))
    begin_epoch(stream, std::move(*start));
  else if (auto* reason = std::get_if<errc>(&outcome))
    out_.emplace_back(
      refused{down_.channel(), x.query.registration, *reason, x.query.at, {}});
  pump_scans();
  return take();
}

void dispatcher_shard_state::begin_epoch(slot stream,
                                         dispatcher_state::started&& start) {
  quit_cohort(stream);
  resets_.push_back(start.record);
  if (resets_.size() > options_.reset_records_max)
    resets_.pop_front();
  behind_now_.erase(stream); // the collector has it behind since its RESET
  joined_now_.erase(stream);
  with_ddl_.erase(stream);
  uncover(stream);
  out_.emplace_back(handshake{down_.next(), stream, start.record.new_epoch,
                              start.lower_bound, std::move(start.schemas)});
  want_scan(stream);
}

dispatcher_shard_state::effects dispatcher_shard_state::on_tick(time now) {
  for (auto& [stream, repeat] : unanswered_) {
    if (now < repeat.due)
      continue;
    repeat.interval = std::min(repeat.interval * 2, options_.ready_repeat_max);
    repeat.due = now + repeat.interval;
    send_ready(stream);
  }
  if (now >= next_retry_) {
    next_retry_ = now + options_.retry;
    auto again = std::exchange(retry_scans_, {});
    for (auto stream : again)
      if (at(stream).streaming() && !at(stream).joined)
        want_scan(stream);
  }
  pump_scans();
  if (down_.open() && down_.unacknowledged() && now >= next_repeat_) {
    next_repeat_ = now + options_.watermark_repeat;
    tell_ = true;
    send_watermark();
  }
  if (std::exchange(heard_, false) || !down_.unacknowledged())
    contact_ = now;
  else if (now >= contact_ + options_.silence_max)
    forget_streaming();
  report_floors();
  if (now >= next_floors_) {
    next_floors_ = now + floors_interval;
    for (auto& [id, feed] : feeds_)
      if (feed.floors_moved)
        report_floors_of(id, feed);
  }
  return take();
}

// -- for tests and people -----------------------------------------------------

const dispatcher_state* dispatcher_shard_state::find(registration_id id) const {
  auto i = slots_.find(id);
  return i == slots_.end() ? nullptr : &dispatchers_[i->second.value];
}

timestamp dispatcher_shard_state::checkpoint_of(registration_id id) const {
  const auto* dispatcher = find(id);
  if (dispatcher == nullptr)
    return {};
  const auto& bulk = feeds_.at(dispatcher->who().feed).bulk;
  if (!bulk.covers(slots_.at(id), dispatcher->in_sync_since))
    return dispatcher->checkpoint();
  return std::max(dispatcher->checkpoint(), bulk.value());
}

// -- floors -------------------------------------------------------------------

void dispatcher_shard_state::report_floors() {
  for (auto& [id, feed] : feeds_)
    if (feed.floors_moved && feed.uncovered.size() <= floors_max)
      report_floors_of(id, feed);
}

// Where very many streams are not covered, the lowest speaks for all.
void dispatcher_shard_state::report_floors_of(feed_id id,
                                              feed_on_channel& feed) {
  feed.floors_moved = false;
  auto report = floor_report{id, feed.bulk.value(), {}};
  auto each = feed.uncovered.size() <= floors_max;
  // A stream of all tables needs those, too, that are new behind it.
  auto whole = std::optional<timestamp>{};
  feed.uncovered.for_each([&](std::uint32_t x) {
    const auto& dispatcher = at(slot{x});
    auto checkpoint = dispatcher.checkpoint();
    if (dispatcher.has_all_tables())
      whole = std::min(whole.value_or(checkpoint), checkpoint);
    else if (each)
      report.exceptions.push_back({dispatcher.who().table, checkpoint});
    else
      report.floor = std::min(report.floor, checkpoint);
  });
  report.floor = whole.value_or(report.floor);
  if (report == feed.reported)
    return;
  feed.reported = report;
  out_.emplace_back(std::move(report));
}

dispatcher_shard_state::effects dispatcher_shard_state::take() {
  flush_all();
  return std::exchange(out_, {});
}

} // namespace sluice
