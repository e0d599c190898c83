#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "messages/partitioning.hpp"
#include "tests/simulation/world/world.hpp"

/// What must hold, seen from outside.
namespace sluice::simulation {

// -- look-ups -----------------------------------------------------------------

bool world::whole(std::size_t feed) const {
  return records_[feed].rules.order == feed_order::transaction;
}

const stream_state* world::stream_of(std::size_t feed,
                                     std::uint64_t table) const {
  return collecting_->find(records_[feed].id,
                           whole(feed) ? all_tables : table_id{table});
}

const partition& world::partition_with(std::uint64_t table) const {
  return partitions_[partition_of({table}, partitions_.size())];
}

// -- what is on its way into a state ------------------------------------------

void world::before_step(const arrival& x, caf::actor_id who) {
  if (const auto* opened = x.as<sink_opened>())
    for (auto& target : targets_)
      target->on_told(opened->writer);
  for (auto& p : partitions_) {
    if (who == p.shard_id) {
      look_at_shard(p, x);
    } else if (who == p.disk_id) {
      if (const auto* note = x.as<note_lost>())
        for (const auto& lost : note->lost)
          p.lost[lost.table] = std::max(p.lost[lost.table], lost.floor);
    } else if (who == p.store_id) {
      if (const auto* done = x.as<log_rewritten>())
        checks_.probe(done->failure ? "rewrite of segments that failed"
                                    : "segments rewritten");
      if (const auto* report = x.as<floor_report>())
        p.reported = *report;
      if (const auto* scan = x.as<scan_request>()) {
        // Of what is read for a feed as a whole, the feed.
        auto streams = std::set<std::pair<registration_id, feed_id>>{};
        for (const auto& entry : scan->entries)
          checks_.check(
            rule::i23, streams.insert({entry.registration, entry.feed}).second,
            [&] {
              return fmt::format("scan {} names {} twice", scan->scan.value,
                                 to_string(entry.registration));
            });
      }
    }
  }
}

// Registrations that believe what their target has lost. A feed that was left
// has some until that has got about.
void world::note_restored() {
  for (std::size_t feed = 0; feed < feeds; ++feed) {
    if (!targets_[feed]->restored())
      continue;
    for (std::uint64_t t = 1; t <= truth_.tables(); ++t)
      if (const auto* stream = stream_of(feed, t))
        before_restore_.insert(stream->who().id);
  }
}

void world::look_at_shard(partition& p, const arrival& x) {
  if (const auto* resets = x.as<reset_streams>()) {
    for (const auto& entry : resets->entries) {
      const auto* found = p.serving->find(entry.registration);
      if (found == nullptr)
        continue;
      if (found->scan == dispatcher_state::scan_phase::asked)
        checks_.probe("reset while a scan is in flight");
      if (found->scan == dispatcher_state::scan_phase::queued)
        checks_.probe("reset while a scan is queued");
      if (!p.looking_up.insert(entry.registration).second)
        checks_.probe("second reset while a look-up is out");
      if (entry.reset_ts < found->checkpoint())
        checks_.probe("reset below the checkpoint");
      if (found->torn())
        checks_.probe("reset inside of a transaction");
    }
  } else if (x.as<heartbeat>() != nullptr) {
    if (!p.looking_up.empty())
      checks_.probe("heartbeat while a look-up is out");
  } else if (x.as<progress>() != nullptr) {
    if (!p.looking_up.empty())
      checks_.probe("notification while a look-up is out");
  } else if (const auto* come = x.as<register_dispatchers>()) {
    p.ear->on_registered(*come);
  } else if (const auto* gone = x.as<remove_dispatchers>()) {
    p.ear->on_removed(gone->registrations);
    if (!p.looking_up.empty())
      checks_.probe("remove while a look-up is out");
  } else if (x.as<digest_request>() != nullptr) {
    checks_.probe("digest asked for");
  } else if (const auto* answer = x.as<schema_answer>()) {
    p.looking_up.erase(answer->query.registration);
    const auto* found = p.serving->find(answer->query.registration);
    if (found != nullptr && found->checkpoint() > answer->query.at)
      checks_.probe("look-up overtaken by a heartbeat");
  } else if (const auto* scan = x.as<scan_answer>()) {
    look_at_scan(p, *scan);
  }
}

void world::look_at_scan(const partition& p, const scan_answer& x) {
  for (const auto& result : x.results) {
    checks_.check(rule::i3, result.failure != errc::out_of_range, [&] {
      return fmt::format("scan of table {} after {}, the store has rows > {}",
                         result.asked.table.value,
                         to_string(result.asked.after), result.lower.value);
    });
    const auto* found = p.serving->find(result.asked.registration);
    if (found == nullptr || found->stream_epoch() != result.asked.stream_epoch)
      checks_.probe("scan answer of an epoch that is over");
    if (result.complete_to < p.serving->last())
      checks_.probe("scan answer that the log has left behind");
    if (!result.asked.after.is_end() && result.asked.after.commit_ts)
      checks_.probe("scan from inside of a commit_ts");
  }
}

// -- a dispatcher shard -------------------------------------------------------

void world::check_shard(partition& p) {
  for (auto feed : subscribed_)
    for (std::uint64_t t = 1; t <= truth_.tables(); ++t)
      if (targets_[feed]->wants(t) && &partition_with(t) == &p
          && (t == 1 || !whole(feed)))
        check_stream(feed, t, p);
  check_resets(p);
}

void world::check_stream(std::size_t feed, std::uint64_t table,
                         const partition& p) {
  const auto* stream = stream_of(feed, table);
  if (stream == nullptr || p.serving->find(stream->who().id) == nullptr)
    return;
  auto id = stream->who().id;
  auto& target = *targets_[feed];
  auto checkpoint = p.serving->checkpoint_of(id);
  auto& before = checkpoints_[id];
  if (before && checks_.plants(planted::checkpoint_goes_back))
    checkpoint = before.previous();
  checks_.check(rule::i1, checkpoint >= before, [&] {
    return fmt::format("{}: checkpoint went from {} to {}", records_[feed].name,
                       before.value, checkpoint.value);
  });
  if (checkpoint == before)
    return;
  before = checkpoint;
  if (before_restore_.contains(id))
    return;
  for (auto t = whole(feed) ? std::uint64_t{1} : table;
       t <= (whole(feed) ? truth_.tables() : table); ++t)
    checks_.check(rule::i12d, target.rows(t) >= truth_.up_to(t, checkpoint),
                  [&] {
                    return fmt::format(
                      "{}: table {}: checkpoint {} is ahead of the target's {} "
                      "rows",
                      records_[feed].name, t, checkpoint.value, target.rows(t));
                  });
}

void world::check_resets(partition& p) {
  const auto& all = p.serving->resets(); // oldest first, the last 256
  auto number_of = [](const reset_record& x) {
    return std::pair{x.registration, x.new_epoch};
  };
  auto first = all.end();
  while (first != all.begin() && number_of(*(first - 1)) != p.last_reset)
    --first;
  for (auto i = first; i != all.end(); ++i) {
    const auto& x = *i;
    p.last_reset = number_of(x);
    checks_.probe("reset");
    auto lower = std::max(x.requested, x.checkpoint_before);
    checks_.check(rule::i4,
                  x.lower_bound == lower && x.checkpoint_after == lower,
                  [&] { return to_string(x); });
    checks_.check(rule::i11, x.new_epoch > x.old_epoch,
                  [&] { return to_string(x); });
  }
}

// -- an event store -----------------------------------------------------------

// A restored target names a floor that is lower: from now on that is kept.
void world::check_floors(partition& p) {
  auto report = std::exchange(p.reported, {});
  if (!report)
    return;
  for (const auto& x : report->exceptions) {
    auto kept = p.keeping->floor_of(report->feed, x.table);
    checks_.check(rule::es18, kept <= x.floor, [&] {
      return fmt::format("table {}: {} needs rows > {}, those > {} are kept",
                         x.table.value, to_string(report->feed), x.floor.value,
                         kept.value);
    });
  }
}

// What it may let go of must be at every target that wants it.
void world::check_store(partition& p) {
  check_floors(p);
  for (std::uint64_t t = 1; t <= truth_.tables(); ++t) {
    if (&partition_with(t) != &p)
      continue;
    auto floor = p.keeping->release_floor({t});
    if (floor == std::exchange(p.floors[t], floor))
      continue; // Targets only go on, as long as rows may go at all.
    auto gone = truth_.up_to(t, floor);
    if (gone > 0)
      checks_.probe("rows may be released");
    for (const auto& target : targets_)
      checks_.check(
        rule::es18, !target->wants(t) || target->rows(t) >= gone, [&] {
          return fmt::format("table {}: {} rows may go, {} has only {}", t,
                             gone, target->feed().name, target->rows(t));
        });
    checks_.check(rule::es18, !how_.keeps_all || gone == 0, [&] {
      return fmt::format("table {}: {} rows may go, one feed keeps all", t,
                         gone);
    });
  }
}

// -- the source ---------------------------------------------------------------

// What may be forgotten upstream must be at each target that demands that.
void world::check_confirmed(timestamp ts) {
  for (const auto& target : targets_) {
    if (target->feed().rules.confirm != confirm_level::sinks)
      continue;
    for (std::uint64_t t = 1; t <= truth_.tables(); ++t)
      if (auto wanted = truth_.up_to(t, ts); target->wants(t))
        checks_.check(rule::c1, target->rows(t) >= wanted, [&] {
          return fmt::format("table {}: {} is confirmed, {} has {} of {} rows",
                             t, ts.value, target->feed().name, target->rows(t),
                             wanted);
        });
  }
}

// -- the end ------------------------------------------------------------------

// All rows are there, and everybody on the way back knows.
bool world::converged() const {
  for (auto feed : subscribed_)
    for (std::uint64_t t = 1; t <= truth_.tables(); ++t) {
      if (!targets_[feed]->wants(t))
        continue;
      if (targets_[feed]->rows(t) != truth_.of(t).size())
        return false;
      const auto& serving = *partition_with(t).serving;
      const auto* stream = stream_of(feed, t);
      if (stream == nullptr || serving.find(stream->who().id) == nullptr
          || serving.checkpoint_of(stream->who().id) < truth_.settled())
        return false;
    }
  return true;
}

std::size_t world::registered_here() const {
  auto result = std::size_t{0};
  for (auto feed : subscribed_)
    for (std::uint64_t t = 1; t <= truth_.tables(); ++t)
      if (targets_[feed]->wants(t) && (t == 1 || !whole(feed)))
        ++result;
  return result;
}

std::size_t world::registered_there() const {
  auto result = std::size_t{0};
  for (const auto& p : partitions_)
    result += p.serving->size();
  return result;
}

// Nothing is left over.
bool world::even() const {
  return collecting_->pinned_bytes() == 0
         && registered_here() == registered_there();
}

void world::check_rest() {
  checks_.check(rule::i18, collecting_->pinned_bytes() == 0, [&] {
    return fmt::format("{} bytes are pinned", collecting_->pinned_bytes());
  });
  checks_.check(rule::i30, registered_here() == registered_there(), [&] {
    return fmt::format("{} registrations here, {} there", registered_here(),
                       registered_there());
  });
}

std::string world::why_not() const {
  auto result = std::string{"after the faults: "};
  for (auto feed : subscribed_) {
    auto& target = *targets_[feed];
    for (std::uint64_t t = 1; t <= truth_.tables(); ++t)
      if (target.wants(t))
        result += fmt::format("{}, table {}: {} of {} rows; ",
                              records_[feed].name, t, target.rows(t),
                              truth_.of(t).size());
    auto failure = collecting_->status(records_[feed].id).failure;
    if (failure)
      result += to_string(failure) + "; ";
  }
  return result;
}

} // namespace sluice::simulation
