#include "tests/simulation/exhaust/shard_watch.hpp"

#include <algorithm>
#include <utility>

namespace sluice::exploration {

// -- a message is about to be handled -----------------------------------------

void shard_watch::before(const progress& x) {
  if (scanning_)
    rules_.reach(probe::progress_in_scan);
  store_resolved_ = std::max(store_resolved_, x.resolved);
}

void shard_watch::before(const scan_answer& x) {
  step_.scan = true;
  if (scanning_ == x.scan)
    scanning_.reset();
  for (const auto& result : x.results) {
    rules_.check(rule::i32, result.failure == errc::none);
    auto i = streams_.find(result.asked.registration);
    if (i == streams_.end() || result.asked.stream_epoch == i->second.of)
      continue;
    step_.stale.insert(i->first);
    rules_.reach(probe::scan_overtaken);
  }
}

void shard_watch::before(const schema_resolved& x) {
  schema_resolved_ = std::max(schema_resolved_, x.resolved);
}

void shard_watch::before(const schema_answer& x) {
  step_.answer = x;
  auto* s = live(x.query.registration);
  if (s == nullptr)
    return;
  if (!s->asked.empty() && s->asked.rbegin()->first != x.query.stream_epoch)
    rules_.reach(probe::look_up_overtaken);
  if (s->look_up == x.query)
    s->look_up.reset();
}

void shard_watch::before(const register_dispatchers& x) {
  for (const auto& entry : x.entries) {
    if (streams_.contains(entry.id)) {
      rules_.reach(probe::register_repeated);
      continue;
    }
    if (ended_.contains(entry.id)) {
      rules_.reach(probe::remove_before_register);
      continue;
    }
    for (const auto& [id, s] : streams_)
      if (s.who.dispatcher == entry.dispatcher && ended_.insert(id).second)
        rules_.reach(probe::taken_over);
    auto& s = streams_[entry.id];
    s.who = entry;
    s.checkpoint = s.reported = s.promised = entry.start_ts;
  }
}

void shard_watch::before(const reset_streams& x) {
  for (const auto& entry : x.entries) {
    auto* s = live(entry.registration);
    if (s == nullptr)
      continue;
    auto newest = s->asked.empty() ? epoch{} : s->asked.rbegin()->first;
    if (entry.stream_epoch <= newest)
      step_.old.insert(entry.registration);
    else
      s->asked[entry.stream_epoch] = entry.reset_ts;
  }
}

// What was asked for the former channel may be answered still.
void shard_watch::before_reconnect() {
  if (std::exchange(scanning_, {}))
    rules_.reach(probe::channel_ends_in_scan);
  for (const auto& entry : streams_)
    ended_.insert(entry.first);
  slots_.clear();
}

void shard_watch::before(const remove_dispatchers& x) {
  ended_.insert(x.registrations.begin(), x.registrations.end());
}

void shard_watch::before(const heartbeat& x) {
  for (auto& [id, s] : streams_) {
    if (ended_.contains(id))
      continue;
    if (s.look_up)
      rules_.reach(probe::heartbeat_in_look_up);
    for (const auto& part : x.feeds)
      if (part.feed == s.who.feed)
        hear(s, part, x.acked);
  }
}

void shard_watch::hear(stream& s, const feed_checkpoint& part,
                       channel_seq acked) {
  auto found = std::find_if(part.exceptions.begin(), part.exceptions.end(),
                            [&](const auto& x) { return x.stream == s.at; });
  if (found == part.exceptions.end()) {
    if (!s.of)
      rules_.reach(probe::heartbeat_before_epoch);
    else if (s.of > epoch{1} && !s.since && acked)
      rules_.reach(probe::old_ack_in_new_epoch);
    s.reported = std::max(s.reported, part.checkpoint);
  } else if (found->stream_epoch == s.of) {
    s.reported = std::max(s.reported, found->checkpoint);
  } else {
    rules_.reach(found->stream_epoch < s.of ? probe::heartbeat_of_old_epoch
                                            : probe::heartbeat_of_next_epoch);
    step_.foreign.insert(s.who.id);
  }
}

void shard_watch::before(const credit&) {
  if (scanning_) {
    rules_.reach(probe::credit_in_scan);
    return;
  }
  for (const auto& [id, s] : streams_)
    if (s.of && s.scanned && !s.in_sync && !s.look_up && !ended_.contains(id))
      rules_.reach(probe::starved);
}

// -- it was -------------------------------------------------------------------

void shard_watch::after(const dispatcher_shard_state::effects& out,
                        const dispatcher_shard_state& shard) {
  for (const auto& x : out)
    std::visit([&](const auto& m) { see(m, shard); }, x);
  for (auto& [id, s] : streams_) {
    // Its collector is told when it is heard of again.
    if (step_.tick && s.of && shard.find(id) == nullptr
        && ended_.insert(id).second)
      rules_.reach(probe::swept);
    if (ended_.contains(id)) {
      rules_.check(rule::i24, shard.find(id) == nullptr);
      rules_.check(rule::i30, shard.find(id) == nullptr);
      continue;
    }
    if (rules_.check(rule::i24, shard.find(id) != nullptr))
      check_stream(s, shard);
    s.checkpoint = shard.checkpoint_of(id);
  }
  step_ = {};
}

void shard_watch::check_stream(const stream& s,
                               const dispatcher_shard_state& shard) {
  auto now = shard.checkpoint_of(s.who.id);
  rules_.check(rule::i1, now >= s.checkpoint);
  rules_.check(rule::i2, now <= s.promised);
  if (step_.foreign.contains(s.who.id))
    rules_.check(rule::i10, now == s.checkpoint);
}

void shard_watch::see(const ready& x, const dispatcher_shard_state&) {
  auto* s = live(x.registration);
  if (!rules_.check(rule::i24, s != nullptr))
    return;
  rules_.check(rule::i25, !s->of && (!s->at || s->at == x.stream));
  s->at = x.stream;
  slots_[x.stream] = x.registration;
}

void shard_watch::see(const refused& x, const dispatcher_shard_state&) {
  rules_.check(rule::i32, x.reason != errc::lost_by_retention);
  ended_.insert(x.registration);
}

void shard_watch::see(const unknown_registration& x,
                      const dispatcher_shard_state&) {
  ended_.insert(x.registration);
}

void shard_watch::see(const handshake& x, const dispatcher_shard_state& shard) {
  auto* s = live(x.stream);
  if (!rules_.check(rule::i24, s != nullptr))
    return;
  rules_.check(rule::i6, x.stream_epoch > s->of);
  rules_.check(rule::i11, x.stream_epoch > s->of);
  auto asked = s->asked[x.stream_epoch];
  auto lower = std::max(asked, s->checkpoint);
  const auto& record = shard.resets().back();
  rules_.check(rule::i4, x.lower_bound == lower);
  rules_.check(rule::i4,
               record.new_epoch == x.stream_epoch && record.old_epoch == s->of
                 && record.requested == asked && record.lower_bound == lower
                 && record.checkpoint_before == s->checkpoint
                 && record.checkpoint_after == lower
                 && record.last_seq == s->seq);
  rules_.check(rule::i4,
               step_.answer && step_.answer->query.at == lower
                 && step_.answer->query.stream_epoch == x.stream_epoch);
  auto version = truth_->version_at(s->who.table, lower);
  rules_.check(rule::i4,
               x.schemas.size() == 1 && x.schemas[0].version == version);
  rules_.check(rule::i15,
               asked <= lower && lower <= std::max(asked, s->reported));
  s->of = x.stream_epoch;
  s->lower = s->promised = lower;
  s->seq = {1};
  s->next_row = truth_->rows_to(s->who.table, lower);
  s->version = version;
  s->in_sync = s->scanned = false;
  s->since = {};
  s->look_up.reset();
}

void shard_watch::see(const delivery& x, const dispatcher_shard_state&) {
  for (const auto& item : x.items) {
    auto* s = live(item.stream);
    if (!rules_.check(rule::i24, s != nullptr))
      continue;
    rules_.check(rule::i18, !step_.stale.contains(s->who.id));
    take_item(*s, item);
  }
  for (const auto& part : x.cohort)
    for_each_run(part, [&](const block_run& run) {
      auto* s = in_cohort(x.feed, run.table);
      if (rules_.check(rule::i7, s != nullptr))
        take_rows(*s, *part.block, run.first, run.count);
    });
}

void shard_watch::take_item(stream& s, const delivery_item& x) {
  rules_.check(rule::i6, x.stream_epoch == s.of);
  rules_.check(rule::i7, x.first_seq == s.seq.next());
  s.seq.value += x.count;
  if (x.count > 0)
    take_rows(s, *x.block, x.first, x.count);
  promise(s, x.complete_to);
}

void shard_watch::take_rows(stream& s, const row_block& block,
                            std::uint32_t first, std::uint32_t count) {
  const auto& rows = truth_->rows(s.who.table);
  auto& sent = step_.sent[s.who.id];
  for (std::uint32_t i = 0; i < count; ++i) {
    auto row = block.grouped(first + i);
    if (step_.scan && i == 0 && sent.contains(row.commit_ts()))
      rules_.reach(probe::joined_in_commit);
    sent.insert(row.commit_ts());
    rules_.check(rule::i5, row.commit_ts() > s.promised);
    rules_.check(rule::i17, row.schema() == s.version);
    if (rules_.check(rule::i8, s.next_row < rows.size()
                                 && row.cursor() == rows[s.next_row]))
      ++s.next_row;
  }
}

shard_watch::stream* shard_watch::in_cohort(feed_id feed, table_id table) {
  for (auto& [id, s] : streams_)
    if (s.in_sync && !ended_.contains(id) && s.who.feed == feed
        && s.who.table == table)
      return &s;
  return nullptr;
}

void shard_watch::see(const schema_change& x, const dispatcher_shard_state&) {
  auto* s = live(x.stream);
  if (!rules_.check(rule::i24, s != nullptr))
    return;
  rules_.check(rule::i7, x.seq == s->seq.next() && x.stream_epoch == s->of);
  s->seq = x.seq;
  rules_.check(rule::i17,
               x.event.schema.version == s->version.next()
                 && s->promised < x.event.ts
                 && s->next_row == truth_->rows_to(s->who.table, x.event.ts));
  s->version = x.event.schema.version;
  if (s->in_sync && step_.sent[s->who.id].empty())
    rules_.reach(probe::ddl_while_idle);
}

void shard_watch::see(const watermark& x, const dispatcher_shard_state&) {
  for (const auto& ref : x.behind) {
    auto* s = live(ref.stream);
    rules_.check(rule::i24, s != nullptr);
    if (s == nullptr || s->of != ref.stream_epoch)
      continue;
    rules_.check(rule::i7, s->in_sync && ref.seq == s->seq.next());
    rules_.reach(probe::became_behind);
    s->seq = ref.seq;
    s->in_sync = false;
    s->since = {};
  }
  for (const auto& ref : x.in_sync) {
    auto* s = live(ref.stream);
    if (!rules_.check(rule::i24, s != nullptr))
      continue;
    rules_.check(rule::i7, ref.stream_epoch == s->of && !s->in_sync
                             && ref.seq == s->seq.next());
    s->seq = ref.seq;
    rules_.reach(probe::joined);
    s->in_sync = true;
    s->since = x.mark.seq;
  }
  rules_.check(rule::i16, x.promise.resolved
                            <= std::min(store_resolved_, schema_resolved_));
  if (!x.promise.late.empty())
    rules_.reach(probe::feed_late);
  promise_all(x.promise);
}

void shard_watch::see(const digest& x, const dispatcher_shard_state&) {
  for (const auto& entry : x.entries) {
    auto* s = live(entry.registration);
    if (!rules_.check(rule::i24, s != nullptr) || !s->of)
      continue;
    rules_.check(rule::i7,
                 entry.stream_epoch == s->of && entry.last_seq == s->seq);
    promise(*s, entry.own);
  }
}

void shard_watch::see(const scan_request& x,
                      const dispatcher_shard_state& shard) {
  rules_.check(rule::i23, !std::exchange(scanning_, x.scan));
  auto asked = std::set<registration_id>{};
  for (const auto& entry : x.entries) {
    rules_.check(rule::i23, asked.insert(entry.registration).second);
    if (!entry.registration) { // for all joined streams of a feed
      rules_.reach(probe::blocks_read);
      continue;
    }
    auto* s = live(entry.registration);
    if (!rules_.check(rule::i24, s != nullptr))
      continue;
    auto checkpoint = shard.checkpoint_of(entry.registration);
    rules_.check(rule::i3, entry.after >= row_cursor::end_of(checkpoint));
    if (!std::exchange(s->scanned, true))
      rules_.check(rule::i4, entry.after == row_cursor::end_of(s->lower));
  }
}

void shard_watch::see(const schema_query& x,
                      const dispatcher_shard_state& shard) {
  auto* s = live(x.registration);
  if (!rules_.check(rule::i24, s != nullptr))
    return;
  rules_.check(rule::i11, !step_.old.contains(x.registration));
  auto lower = std::max(s->asked[x.stream_epoch],
                        shard.checkpoint_of(x.registration));
  rules_.check(rule::i4, x.at == lower);
  if (step_.answer && step_.answer->query.stream_epoch == x.stream_epoch)
    rules_.reach(probe::look_up_repeated);
  s->look_up = x;
}

// -- promises -----------------------------------------------------------------

void shard_watch::promise(stream& s, timestamp ts) {
  rules_.check(rule::i5, ts >= s.lower);
  rules_.check(rule::i5, truth_->rows_to(s.who.table, ts) <= s.next_row);
  // A row that is sent says that nothing before it follows.
  auto sent = s.next_row == 0
                ? timestamp{}
                : truth_->rows(s.who.table)[s.next_row - 1].commit_ts;
  auto resolved = std::min(store_resolved_, schema_resolved_);
  rules_.check(rule::i16, ts <= std::max({s.lower, resolved, sent.previous()}));
  rules_.check(rule::i17, truth_->version_at(s.who.table, ts) <= s.version);
  s.promised = std::max(s.promised, ts);
}

void shard_watch::promise_all(const channel_promise& x) {
  for (auto& [id, s] : streams_)
    if (s.in_sync && !ended_.contains(id))
      promise(s, std::max(s.promised, x.to(s.who.feed)));
}

// -- look-ups -----------------------------------------------------------------

shard_watch::stream* shard_watch::live(registration_id id) {
  auto i = streams_.find(id);
  return i == streams_.end() || ended_.contains(id) ? nullptr : &i->second;
}

shard_watch::stream* shard_watch::live(slot at) {
  auto i = slots_.find(at);
  return i == slots_.end() ? nullptr : live(registration_id{i->second});
}

slot shard_watch::slot_of(registration_id id) const {
  auto i = streams_.find(id);
  return i == streams_.end() ? slot{} : i->second.at;
}

bool shard_watch::complete(const dispatcher_shard_state& shard) const {
  return std::all_of(streams_.begin(), streams_.end(), [&](const auto& x) {
    const auto& s = x.second;
    return ended_.contains(x.first)
           || (s.next_row == truth_->rows(s.who.table).size()
               && s.promised >= truth_->end() && s.in_sync
               && s.version == truth_->ddl(s.who.table).back().schema.version
               && shard.checkpoint_of(x.first) >= truth_->end());
  });
}

} // namespace sluice::exploration
