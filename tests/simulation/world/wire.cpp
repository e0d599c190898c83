#include "tests/simulation/world/wire.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace sluice::simulation {

// -- down ---------------------------------------------------------------------

// A higher channel takes the place of the one before.
void wire::open(channel_id channel) {
  if (channel <= channel_)
    return;
  channel_ = channel;
  seq_ = {};
  // It may have been opened before the cut, unheard.
  missed_ = skip_ = std::exchange(cut_, false);
  promise_ = {};
  bulk_ = {};
  accounts_.clear();
  streams_.clear();
}

void wire::on_cut() {
  cut_ = missed_ = skip_ = true;
  streams_.clear();
}

// @returns Whether the message is of the present channel.
bool wire::enter(const channel_mark& mark, std::uint64_t rows) {
  open(mark.channel);
  if (mark.channel != channel_)
    return false;
  auto some_missed = std::exchange(skip_, false);
  auto due = some_missed ? mark.seq > seq_ : mark.seq == seq_.next();
  checks_.check(rule::i7, due, [&] {
    return fmt::format("message {} came down after {}", mark.seq.value,
                       seq_.value);
  });
  seq_ = mark.seq;
  if (!some_missed)
    check_sent(mark.sent, rows);
  for (const auto& x : mark.sent)
    accounts_[x.feed].sent = x.bytes;
  return true;
}

// The last grants may not have arrived: less would be wrong then, too.
void wire::check_sent(const std::vector<feed_total>& sent, std::uint64_t rows) {
  for (const auto& x : sent) {
    const auto& of = accounts_[x.feed];
    auto before = of.sent;
    if (x.bytes == before)
      continue;
    auto covered = x.bytes <= of.granted;
    auto alone = rows == 1 && before <= of.granted
                 && of.granted - before >= of.limit;
    checks_.check(rule::i18g, covered || alone, [&] {
      return fmt::format("{}: {} bytes were sent after {}, {} were granted",
                         to_string(x.feed), x.bytes, before, of.granted);
    });
  }
}

void wire::on_down(const ready& x) {
  open(x.channel);
  streams_[x.stream].registration = x.registration;
}

void wire::on_down(const handshake& x) {
  if (!enter(x.mark))
    return;
  auto& of = streams_[x.stream];
  auto first = x.stream_epoch > of.now;
  checks_.check(rule::i6, first, [&] {
    return fmt::format("handshake of epoch {} in epoch {}",
                       x.stream_epoch.value, of.now.value);
  });
  checks_.check(rule::i25, x.stream_epoch && (of.registration || missed_),
                [] { return "handshake before READY and RESET"; });
  if (!of.registration) {
    streams_.erase(x.stream);
    return;
  }
  const auto& life = lives_[of.registration];
  auto most = std::max({life.own, life.reported, life.who.start_ts, bulk_});
  if (x.stream_epoch == life.asked)
    checks_.check(rule::i15,
                  x.lower_bound >= life.reset_ts && x.lower_bound <= most, [&] {
                    return fmt::format("L is {}, asked was {}, reported {}",
                                       x.lower_bound.value, life.reset_ts.value,
                                       most.value);
                  });
  of = {of.registration,
        x.stream_epoch,
        x.lower_bound,
        {1},
        x.lower_bound,
        false,
        {},
        {},
        {}};
  of.cut = row_cursor::end_of(x.lower_bound);
}

void wire::on_down(const refused& x) {
  on_removed({x.registration});
  checks_.check(rule::i3, x.reason != errc::lost_by_retention, [&] {
    return fmt::format("rows after {} are refused, there are those > {}",
                       x.asked.value, x.lower.value);
  });
}

void wire::on_down(const delivery& x) {
  auto rows = std::uint64_t{0};
  for (const auto& item : x.items)
    rows += item.count;
  for (const auto& part : x.cohort)
    for_each_run(part, [&](const block_run& run) { rows += run.count; });
  if (!enter(x.mark, rows))
    return;
  for (const auto& item : x.items)
    take_item(item);
  for (const auto& part : x.cohort)
    take_cohort(x.feed, part);
}

void wire::on_down(const schema_change& x) {
  if (!enter(x.mark))
    return;
  auto* of = current(x.stream, x.stream_epoch, "DDL");
  if (of == nullptr)
    return;
  checks_.check(rule::i7, x.seq == of->seq.next(), [&] {
    return fmt::format("DDL {} after {}", x.seq.value, of->seq.value);
  });
  of->seq = x.seq;
  checks_.check(rule::i5, x.event.ts > promised(*of), [&] {
    return fmt::format("DDL at {} after {} was promised", x.event.ts.value,
                       promised(*of).value);
  });
  auto table = x.event.schema.table.value;
  auto due = truth_.up_to(table, x.event.ts);
  checks_.check(rule::ss11, next(*of, table) == due, [&] {
    return fmt::format("DDL of table {} at {} after {} rows of {}", table,
                       x.event.ts.value, next(*of, table), due);
  });
}

void wire::on_down(const watermark& x) {
  if (!enter(x.mark))
    return;
  auto change = [&](const cohort_change& to, bool in_sync) {
    auto* of = current(to.stream, to.stream_epoch, "a change of cohort");
    if (of == nullptr)
      return;
    checks_.check(
      rule::i7, to.seq == of->seq.next() && of->in_sync != in_sync, [&] {
        return fmt::format("change {} after {}", to.seq.value, of->seq.value);
      });
    of->seq = to.seq;
    of->complete = promised(*of);
    of->in_sync = in_sync;
  };
  for (const auto& to : x.behind)
    change(to, false);
  check_not_less(x.promise);
  promise_ = x.promise;
  for (const auto& to : x.in_sync)
    change(to, true);
  for (const auto& [at, of] : streams_)
    if (of.in_sync)
      check_promise(of);
}

timestamp wire::promised(const stream& x) const {
  auto life = lives_.find(x.registration);
  if (!x.in_sync || life == lives_.end())
    return x.complete;
  return std::max(x.complete, promise_.to(life->second.who.feed));
}

void wire::check_not_less(const channel_promise& x) {
  auto check = [&](timestamp before, timestamp now, const std::string& who) {
    checks_.check(rule::i5, now >= before, [&] {
      return fmt::format("{}: resolved went from {} to {}", who, before.value,
                         now.value);
    });
  };
  check(promise_.resolved, x.resolved, "channel");
  for (const auto& [id, life] : lives_)
    if (auto feed = life.who.feed; !life.removed)
      check(promise_.to(feed), x.to(feed), to_string(feed));
  if (!x.late.empty())
    checks_.probe("a feed is late");
}

// What is said of an epoch that is over has no effect.
wire::stream* wire::current(slot of, epoch in, const char* what) {
  auto found = streams_.find(of);
  auto begun = found != streams_.end() && found->second.now;
  checks_.check(rule::i25, begun || missed_,
                [&] { return fmt::format("{} before a handshake", what); });
  if (!begun || found->second.now != in)
    return nullptr;
  return &found->second;
}

void wire::take_item(const delivery_item& x) {
  auto* of = current(x.stream, x.stream_epoch, "rows");
  if (of == nullptr)
    return;
  auto due = of->seq.next();
  if (x.count > 1 && checks_.plants(planted::sequence_is_skipped))
    due = due.next();
  checks_.check(rule::i7, x.first_seq == due, [&] {
    return fmt::format("item {} after {}", x.first_seq.value, of->seq.value);
  });
  of->seq.value += x.count;
  for (std::uint32_t i = 0; i < x.count; ++i)
    take_row(*of, x.block->grouped(x.first + i));
  if (x.end != item_end::open)
    of->cut = std::max(of->cut, of->highest);
  of->complete = std::max(of->complete, x.complete_to);
  check_promise(*of);
}

// Of a feed's streams in sync, and of nobody else. A REMOVE that the shard does
// not know yet, or that got lost, leaves one there that has no collector.
void wire::take_cohort(feed_id feed, const cohort_rows& x) {
  for_each_run(x, [&](const block_run& run) {
    auto known = missed_;
    for (auto& [at, of] : streams_) {
      const auto& life = lives_[of.registration];
      if (!of.in_sync || life.who.feed != feed || life.who.table != run.table)
        continue;
      known = true;
      for (std::uint32_t i = 0; i < run.count; ++i)
        if (auto row = x.block->grouped(run.first + i);
            !life.removed || is_next(of, row)) // or it is gone
          take_row(of, row);
    }
    checks_.check(rule::i7, known, [&] {
      return fmt::format("rows of table {} for nobody", run.table.value);
    });
  });
  for (auto& [at, of] : streams_)
    if (of.in_sync)
      of.cut = std::max(of.cut, of.highest);
}

row_cursor wire::due(const stream& of, std::uint64_t table) const {
  auto number = next(of, table);
  auto there = number < truth_.of(table).size();
  return there ? truth_.of(table, number).cursor : row_cursor{};
}

bool wire::is_next(const stream& of, const row_view& row) const {
  return row.cursor() == due(of, row.table().value);
}

void wire::take_row(stream& of, const row_view& row) {
  auto table = row.table().value;
  auto number = next(of, table);
  checks_.check(rule::i8, is_next(of, row) && row.cursor() > of.cut, [&] {
    return fmt::format("table {}: {} was sent, {} was the next", table,
                       to_string(row.cursor()), to_string(due(of, table)));
  });
  checks_.check(rule::i5, row.commit_ts() > promised(of), [&] {
    return fmt::format("table {}: {} was sent after {} was promised", table,
                       to_string(row.cursor()), promised(of).value);
  });
  of.next[table] = number + 1;
  of.highest = std::max(of.highest, row.cursor());
}

// Nothing <= it is missing.
void wire::check_promise(const stream& of) {
  auto ts = promised(of);
  const auto& life = lives_[of.registration];
  if (life.removed)
    return;
  auto check = [&](std::uint64_t table) {
    auto due = truth_.up_to(table, ts);
    checks_.check(rule::i5, next(of, table) >= due, [&] {
      return fmt::format("{} is promised of table {}, {} of {} rows were sent",
                         ts.value, table, next(of, table), due);
    });
  };
  if (life.who.table != all_tables)
    check(life.who.table.value);
  else
    for (std::uint64_t table = 1; table <= truth_.tables(); ++table)
      check(table);
}

std::size_t wire::next(const stream& of, std::uint64_t table) const {
  auto found = of.next.find(table);
  return found == of.next.end() ? truth_.up_to(table, of.lower) : found->second;
}

void wire::on_removed(const std::vector<registration_id>& ids) {
  for (auto id : ids)
    lives_[id].removed = true;
}

void wire::on_registered(const register_dispatchers& x) {
  for (const auto& who : x.entries)
    for (auto& [id, life] : lives_)
      if (id < who.id && life.who.dispatcher == who.dispatcher)
        life.removed = true;
}

// -- up -----------------------------------------------------------------------

void wire::on_up(const register_dispatchers& x) {
  for (const auto& who : x.entries)
    lives_[who.id].who = who;
}

void wire::on_up(const reset_streams& x) {
  for (const auto& entry : x.entries) {
    auto& life = lives_[entry.registration];
    checks_.check(rule::i11, entry.stream_epoch > life.asked, [&] {
      return fmt::format("epoch {} is asked for after {}",
                         entry.stream_epoch.value, life.asked.value);
    });
    checks_.check(rule::i14, entry.reset_ts >= life.reported, [&] {
      return fmt::format("reset at {}, reported was {}", entry.reset_ts.value,
                         life.reported.value);
    });
    life.asked = entry.stream_epoch;
    life.reset_ts = entry.reset_ts;
    life.own = std::max(life.own, entry.reset_ts);
  }
}

void wire::on_up(const credit& x) {
  if (x.channel == channel_)
    take_grants(x.granted);
}

void wire::take_grants(const std::vector<feed_grant>& granted) {
  for (const auto& x : granted) {
    auto& of = accounts_[x.feed];
    of.granted = std::max(of.granted, x.total);
    of.limit = std::min(of.limit, x.limit);
  }
}

void wire::on_up(const heartbeat& x) {
  if (x.channel != channel_)
    return;
  take_grants(x.granted);
  for (const auto& feed : x.feeds) {
    bulk_ = std::max(bulk_, feed.checkpoint);
    auto resolved = promise_.to(feed.feed);
    checks_.check(rule::i12, feed.checkpoint <= resolved, [&] {
      return fmt::format("bulk checkpoint {}, the channel's resolved is {}",
                         feed.checkpoint.value, resolved.value);
    });
    for (const auto& one : feed.exceptions) {
      auto found = streams_.find(one.stream);
      if (found == streams_.end())
        continue;
      auto& of = found->second;
      auto& life = lives_[of.registration];
      checks_.check(rule::i13, one.checkpoint >= life.reported, [&] {
        return fmt::format("{} is reported after {}", one.checkpoint.value,
                           life.reported.value);
      });
      life.reported = std::max(life.reported, one.checkpoint);
      if (of.now != one.stream_epoch)
        continue;
      auto most = std::max(
        {of.lower, life.own, promised(of), of.highest.commit_ts});
      checks_.check(rule::i12, one.checkpoint <= most, [&] {
        return fmt::format("{} is reported, {} was sent in epoch {}",
                           one.checkpoint.value, most.value, of.now.value);
      });
    }
  }
}

} // namespace sluice::simulation
