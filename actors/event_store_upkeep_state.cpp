#include <algorithm>
#include <utility>

#include "actors/event_store_state.hpp"

/// The part of EVENT_STORE that is not on an event's way: floors, syncs, time.
namespace sluice {

// -- floors -------------------------------------------------------------------

event_store_state::effects
event_store_state::on_floor_report(const floor_report& report,
                                   milliseconds now) {
  retention_.on_floor_report(report);
  return with_schedule({}, now);
}

event_store_state::effects
event_store_state::on_feeds_loaded(const feeds_loaded& message,
                                   milliseconds now) {
  retention_.on_feeds_loaded(message);
  return with_schedule({}, now);
}

event_store_state::effects
event_store_state::on_feed_removed(feed_id feed, milliseconds now) {
  retention_.on_feed_removed(feed);
  return with_schedule({}, now);
}

event_store_state::effects
event_store_state::on_retained(const retained_rows& rows, milliseconds now) {
  // What nobody was told of is not past anything.
  retention_.on_retained(std::min(rows.floor, announced_resolved_));
  auto out = effects{call_releasable{}};
  if (rows.next) {
    auto until = std::max<milliseconds>(*rows.next, options_.release_interval);
    retained_until_ = now + until;
    out.push_back(wake_store{until});
  }
  return out;
}

event_store_state::effects
event_store_state::on_releasable(const std::vector<table_id>& tables) {
  auto lost = retention_.unnoted(tables);
  if (lost.empty())
    return {call_release{}};
  return {note_lost{std::move(lost)}};
}

event_store_state::effects
event_store_state::on_lost_noted(const lost_noted& message, milliseconds now) {
  auto order = std::optional<rewrite_order>{};
  if (message.rewrite)
    order = std::exchange(unnoted_rewrite_, {});
  if (!message.failure) {
    retention_.on_noted(message.lost);
    return order ? start_rewrite(std::move(*order)) : effects{call_release{}};
  }
  retention_.on_more_to_release();
  auto out = with_schedule({}, now);
  if (order)
    rewrite_later(out, now);
  return out;
}

event_store_state::effects
event_store_state::on_released(std::vector<std::uint64_t> segments) {
  auto out = effects{};
  if (!segments.empty())
    out.push_back(remove_segments{std::move(segments)});
  plan_rewrite(out);
  return out;
}

// -- rewrites -----------------------------------------------------------------

// A shard may scan up to the last block that it has heard of, and a rewritten
// one counts as a whole: it must not reach beyond that.
block_index event_store_state::taken_by_all() const {
  auto result = announced_;
  for (const auto& x : shards_)
    if (x.attached)
      result = std::min(result, x.taken);
  return result;
}

void event_store_state::plan_rewrite(effects& out) {
  if (!rewrites() && !rewrite_at_ && !failure_)
    out.push_back(call_plan_rewrite{taken_by_all()});
}

void event_store_state::rewrite_later(effects& out, milliseconds now) {
  rewrite_at_ = now + options_.rewrite_retry;
  out.push_back(wake_store{options_.rewrite_retry});
}

event_store_state::effects
event_store_state::on_rewrite_planned(std::optional<rewrite_order> order) {
  if (!order)
    return {};
  auto tables = std::vector<table_id>{};
  for (const auto& x : order->floors)
    tables.push_back(x.table);
  auto lost = retention_.unnoted(tables);
  if (lost.empty())
    return start_rewrite(std::move(*order));
  unnoted_rewrite_ = std::move(order);
  return {note_lost{std::move(lost), true}};
}

event_store_state::effects
event_store_state::start_rewrite(rewrite_order order) {
  for (auto& x : order.floors)
    x.floor = std::min(x.floor, retention_.release_floor(x.table));
  rewriting_ = order.bytes;
  return {std::move(order)};
}

event_store_state::effects
event_store_state::on_log_rewritten(const log_rewritten& message,
                                    milliseconds now) {
  rewrite_failure_ = message.failure;
  if (!message.failure)
    return {call_rewritten{message.result}};
  rewriting_.reset();
  auto out = effects{call_rewrite_failed{message.failure, message.at_fault}};
  if (message.at_fault != 0)
    plan_rewrite(out); // without it
  else
    rewrite_later(out, now);
  return out;
}

// Whatever it is that a rewrite cannot better must not be tried at full speed.
event_store_state::effects
event_store_state::on_rewritten(const rewrite_result& result,
                                std::vector<std::uint64_t> gone,
                                milliseconds now) {
  auto before = *std::exchange(rewriting_, {});
  auto out = effects{};
  auto in_vain = gone.empty() || gone.front() == result.into;
  if (in_vain || result.bytes > before / 4 * 3)
    rewrite_later(out, now);
  if (!gone.empty())
    out.push_back(remove_segments{std::move(gone)});
  plan_rewrite(out);
  return out;
}

// -- syncs --------------------------------------------------------------------

void event_store_state::begin_sync(effects& out) {
  if (syncing_ || failure_ || log_.last <= log_.synced)
    return;
  syncing_ = true;
  unsynced_bytes_ = 0;
  out.push_back(call_begin_sync{});
}

event_store_state::effects event_store_state::on_sync_begun(sync_order order) {
  if (order.segments.empty())
    return {call_synced{std::move(order)}};
  return {sync_log{std::move(order)}};
}

event_store_state::effects
event_store_state::on_log_synced(const log_synced& message) {
  if (!message.failure)
    return {call_synced{message.order}};
  // It proves nothing when it is repeated: what the operating system held may
  // be gone.
  ++syncs_failed_;
  sync_failure_ = message.failure;
  return {call_renew{}};
}

event_store_state::effects
event_store_state::on_renewed(const error& failure, const log_position& log,
                              milliseconds now) {
  if (!failure)
    return on_synced(log, now);
  // Nothing more is taken.
  syncing_ = false;
  failure_ = sync_failure_;
  auto out = effects{};
  if (attaching_ || !waiting_.empty()) {
    auto number = attaching_ ? 0 : waiting_.front().number;
    out.push_back(append_failed{options_.partition, number, failure_});
  }
  give_up_waiting();
  return out;
}

event_store_state::effects event_store_state::on_synced(const log_position& log,
                                                        milliseconds now) {
  syncing_ = false;
  log_ = log;
  if (full_)
    retention_.on_more_to_release(); // only what is durable may go
  auto out = effects{};
  advance(out);
  confirm(out);
  if (unsynced_bytes_ >= options_.sync_bytes)
    begin_sync(out);
  schedule(out, now);
  return out;
}

// What the writer should know by now. It may have heard of more already, before
// a feed came that holds it back.
source_confirmed event_store_state::confirmable() {
  auto result = confirmed_;
  if (!writer_)
    return result;
  auto limit = retention_.confirm_limit();
  result.ts = std::max(result.ts, std::min(durable_resolved_, limit.ts));
  result.held_by = limit.ts < durable_resolved_ ? limit.held_by : feed_id{};
  return result;
}

void event_store_state::confirm(effects& out) {
  auto next = confirmable();
  if (next == confirmed_)
    return;
  confirmed_ = next;
  out.push_back(next);
}

// -- time ---------------------------------------------------------------------

// An idle store arms no timer at all.
void event_store_state::schedule(effects& out, milliseconds now) {
  auto to_sync = log_.last > log_.synced && !syncing_ && !failure_;
  auto to_confirm = confirmable() != confirmed_;
  if ((to_sync || to_confirm) && !sync_at_) {
    sync_at_ = now + options_.sync_interval;
    out.push_back(wake_store{options_.sync_interval});
  }
  if ((retention_.may_release() || retention_.floors_unstored())
      && !release_at_) {
    release_at_ = now + options_.release_interval;
    out.push_back(wake_store{options_.release_interval});
  }
}

event_store_state::effects event_store_state::on_tick(milliseconds now) {
  auto out = effects{};
  if (sync_at_ && now >= *sync_at_) {
    sync_at_.reset();
    confirm(out);
    begin_sync(out);
  }
  if (retained_until_ && now >= *retained_until_) {
    retained_until_.reset();
    retention_.on_more_to_release();
  }
  if (release_at_ && now >= *release_at_) {
    release_at_.reset();
    for (auto& floor : retention_.take_unstored())
      out.push_back(store_floor{std::move(floor)});
    // What a rewrite reads stays, or it would be in vain.
    if (retention_.may_release() && !rewrites()) {
      retention_.on_release_begun();
      out.push_back(call_retained{options_.retention});
    }
  }
  if (rewrite_at_ && now >= *rewrite_at_) {
    rewrite_at_.reset();
    plan_rewrite(out);
  }
  if (append_at_ && now >= *append_at_)
    append_again(out, now);
  schedule(out, now);
  return out;
}

} // namespace sluice
