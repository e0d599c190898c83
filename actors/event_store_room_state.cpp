#include <algorithm>
#include <utility>

#include "actors/event_store_state.hpp"

/// The part of EVENT_STORE that waits for room on its disk, and its status.
namespace sluice {

bool event_store_state::waits_after(const error& failure) const {
  return failure.code == errc::disk_full
         && options_.when_full == full_disk::wait;
}

// Nobody is told: its source sends no more than its window holds.
event_store_state::effects
event_store_state::wait_for_room(const error& failure, milliseconds now) {
  if (!full_) {
    full_ = failure;
    full_since_ = now;
  }
  append_at_ = now + options_.append_retry;
  retention_.on_more_to_release(); // what the log has closed may go
  auto out = effects{wake_store{options_.append_retry}};
  schedule(out, now);
  return out;
}

void event_store_state::append_again(effects& out, milliseconds now) {
  append_at_.reset();
  if (full_ && undeleted_)
    out.push_back(remove_segments{});
  if (attaching_) {
    out.push_back(call_abandon{});
  } else if (!waiting_.empty()) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    for (auto& x : take(next, now))
      out.push_back(std::move(x));
  }
}

void event_store_state::queue(const append_rows& message) {
  if (message.block != nullptr && !message.block->empty())
    return waiting_.push_back(message);
  auto& before = waiting_.back();
  before.number = message.number;
  before.resolved = std::max(before.resolved, message.resolved);
}

void event_store_state::give_up_waiting() {
  waiting_.clear();
  attaching_ = false;
  append_at_.reset();
  full_ = {};
}

event_store_state::effects
event_store_state::on_segments_removed(const segments_removed& message,
                                       milliseconds now) {
  undeleted_ = static_cast<bool>(message.failure);
  auto out = effects{};
  if (full_ && !undeleted_)
    append_again(out, now);
  return out;
}

store_status event_store_state::status(milliseconds now) const {
  auto result = store_status{};
  result.last = log_.last;
  result.announced = announced_;
  result.synced = log_.synced;
  result.resolved = announced_resolved_;
  result.rows_below_resolved = rows_below_resolved_;
  result.scans = scans_.scans();
  result.out_of_range = scans_.out_of_range();
  result.failure = failure_;
  result.rewrite_failure = rewrite_failure_;
  result.full = full_;
  if (full_)
    result.full_ms = static_cast<std::uint64_t>((now - full_since_).count());
  for (const auto& x : waiting_)
    result.waiting_bytes += x.block->bytes().size();
  result.syncs_failed = syncs_failed_;
  result.sync_failure = sync_failure_;
  return result;
}

} // namespace sluice
