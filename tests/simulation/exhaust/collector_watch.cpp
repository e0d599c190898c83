#include "tests/simulation/exhaust/collector_watch.hpp"

#include <algorithm>

#include "messages/schema_book.hpp"

namespace sluice::exploration {

namespace {

const stream_state* stream_at(slot at, const facts& truth,
                              const collector_shard_state& uut) {
  for (const auto& [table, versions] : truth.tables())
    if (const auto* found = uut.find(collector_watch::feed, table);
        found != nullptr && found->stream() == at)
      return found;
  return nullptr;
}

} // namespace

// -- a message is about to be handled -----------------------------------------

void collector_watch::before(const delivery& x,
                             const collector_shard_state& uut) {
  auto pinned = uut.pinned_bytes();
  rules_.check(rule::i18, pinned == 0 || pinned + x.charge <= credit_);
  out_of_place_ = x.cohort.empty();
  for (const auto& item : x.items) {
    const auto* found = stream_at(item.stream, *truth_, uut);
    if (found != nullptr && found->stream_epoch() == item.stream_epoch
        && found->last_seq().next() == item.first_seq)
      out_of_place_ = false;
    if (found != nullptr && found->stream_epoch() > item.stream_epoch)
      rules_.reach(probe::delivery_stale);
    if (found != nullptr && item.count > 0
        && item.block->grouped(item.first).cursor() <= found->barrier())
      rules_.reach(probe::rows_known);
  }
  for (const auto& part : x.cohort)
    for_each_run(part, [&](const block_run& run) {
      const auto* found = uut.find(feed, run.table);
      if (found != nullptr && found->behind()) // it waits for its handshake
        rules_.reach(probe::delivery_stale);
    });
}

void collector_watch::before(const rows_durable& x,
                             const collector_shard_state&) {
  while (!batches_.empty() && batches_.begin()->first <= x.batch) {
    for (const auto& [table, rows] : batches_.begin()->second)
      streams_[table].durable += rows;
    batches_.erase(batches_.begin());
  }
}

void collector_watch::before(const sink_opened& x,
                             const collector_shard_state&) {
  batches_.clear();
  for (const auto& [table, versions] : truth_->tables()) {
    auto& s = streams_[table];
    s.durable = truth_->rows_to(table, x.low_watermark);
    for (const auto& position : x.positions) {
      if (position.table != table)
        continue;
      const auto& rows = truth_->rows(table);
      auto end = std::upper_bound(rows.begin(), rows.end(), position.cursor);
      s.durable = std::max({s.durable,
                            static_cast<std::size_t>(end - rows.begin()),
                            truth_->rows_to(table, position.checkpoint)});
    }
    s.accepted = s.durable;
  }
}

// -- it was -------------------------------------------------------------------

void collector_watch::after(const collector_shard_state::effects& out,
                            const collector_shard_state& uut) {
  for (const auto& [table, versions] : truth_->tables())
    if (const auto* found = uut.find(feed, table))
      note(table, *found);
  for (const auto& x : out)
    std::visit([&](const auto& m) { see(m, uut); }, x);
  for (auto& [table, s] : streams_)
    look_at(table, s, uut);
  out_of_place_ = false;
}

collector_watch::stream& collector_watch::note(table_id table,
                                               const stream_state& found) {
  auto& s = streams_[table];
  if (s.id != found.who().id) {
    s.id = found.who().id;
    s.of = {};
    s.reported = found.who().start_ts;
    s.effective = {};
  }
  if (s.of != found.stream_epoch()) {
    rules_.check(rule::i11, found.stream_epoch() > s.of);
    s.of = found.stream_epoch();
    s.effective = {};
  }
  return s;
}

void collector_watch::look_at(table_id table, stream& s,
                              const collector_shard_state& uut) {
  if (uut.find(feed, table) == nullptr)
    return;
  auto effective = uut.effective_resolved(feed, table);
  rules_.check(rule::i5, effective >= s.effective);
  rules_.check(rule::i5, truth_->rows_to(table, effective) <= s.accepted);
  s.effective = effective;
}

void collector_watch::see(const collector_shard_state::to_sink& x,
                          const collector_shard_state&) {
  const auto* rows = std::get_if<write_rows>(&x.message);
  if (rows == nullptr)
    return;
  rules_.check(rule::i27, !out_of_place_);
  auto& to = batches_[rows->batch];
  for (const auto& item : rows->items) {
    for (std::uint32_t i = 0; i < item.count; ++i)
      take_row(item.after.table, item.block->grouped(item.first + i).cursor());
    to.emplace_back(item.after.table, item.count);
  }
  for (const auto& part : rows->cohort)
    for_each_run(part, [&](const block_run& run) {
      for (std::uint32_t i = 0; i < run.count; ++i)
        take_row(run.table, part.block->grouped(run.first + i).cursor());
      to.emplace_back(run.table, run.count);
    });
}

void collector_watch::take_row(table_id table, row_cursor cursor) {
  auto& s = streams_[table];
  const auto& rows = truth_->rows(table);
  if (!rules_.check(rule::i9,
                    s.accepted < rows.size() && rows[s.accepted] == cursor))
    return;
  if (++s.accepted <= s.seen)
    rules_.reach(probe::rows_taken_again);
  s.seen = std::max(s.seen, s.accepted);
}

void collector_watch::see(const digest_request&, const collector_shard_state&) {
  rules_.reach(probe::gap_seen);
}

void collector_watch::see(const reset_streams& x,
                          const collector_shard_state&) {
  for (const auto& entry : x.entries) {
    for (auto& [table, s] : streams_) {
      if (s.id != entry.registration)
        continue;
      rules_.check(rule::i14, entry.reset_ts >= s.reported);
      rules_.check(rule::i12,
                   truth_->rows_to(table, entry.reset_ts) <= s.durable);
      s.reported = std::max(s.reported, entry.reset_ts);
    }
  }
}

void collector_watch::see(const heartbeat& x,
                          const collector_shard_state& uut) {
  for (const auto& part : x.feeds) {
    auto excepted = std::set<table_id>{};
    for (const auto& entry : part.exceptions)
      if (const auto* found = stream_at(entry.stream, *truth_, uut)) {
        excepted.insert(found->who().table);
        report(found->who().table, entry.checkpoint, uut);
      }
    for (auto& [table, s] : streams_) {
      const auto* found = uut.find(feed, table);
      if (found == nullptr || !found->ready() || found->behind()
          || excepted.contains(table))
        continue;
      rules_.check(rule::i12,
                   truth_->rows_to(table, part.checkpoint) <= s.durable);
      s.reported = std::max(s.reported, part.checkpoint);
    }
  }
}

void collector_watch::report(table_id table, timestamp checkpoint,
                             const collector_shard_state& uut) {
  auto& s = streams_[table];
  rules_.check(rule::i13, checkpoint >= s.reported);
  if (checkpoint > s.reported) {
    // The channel's resolved counts as far as it is in the effective one.
    auto effective = uut.effective_resolved(feed, table);
    rules_.check(rule::i12,
                 checkpoint <= uut.find(feed, table)->accepted_to(effective));
  }
  rules_.check(rule::i12, truth_->rows_to(table, checkpoint) <= s.durable);
  s.reported = std::max(s.reported, checkpoint);
}

bool collector_watch::complete(const collector_shard_state& uut) const {
  for (const auto& [table, versions] : truth_->tables()) {
    auto i = streams_.find(table);
    if (i == streams_.end() || uut.find(feed, table) == nullptr
        || i->second.durable != truth_->rows(table).size()
        || uut.effective_resolved(feed, table) < truth_->end())
      return false;
  }
  return uut.pinned_bytes() == 0;
}

} // namespace sluice::exploration
