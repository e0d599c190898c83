#include <algorithm>

#include "actors/source_state.hpp"

/// The part of SOURCE that is about what its upstream may forget.
namespace sluice {

source_state::effects
source_state::on_source_confirmed(const source_confirmed& message,
                                  milliseconds now) {
  auto out = effects{};
  auto place = place_of(message.partition);
  if (place == partitions_.size())
    return out;
  partitions_[place].confirmed = message.ts;
  partitions_[place].held_by = message.held_by;
  auto low = timestamp::max();
  for (const auto& x : partitions_)
    low = std::min(low, x.confirmed);
  confirm_to_ = std::max(confirm_to_, low);
  confirm_if_due(out, now);
  return out;
}

// Rides on what happens anyway: every read, append and sync comes by here.
void source_state::confirm_if_due(effects& out, milliseconds now) {
  if (phase_ != phase::reading || (confirm_to_ <= confirmed_ && !confirm_more_)
      || (last_confirm_ && now < *last_confirm_ + options_.confirm_interval))
    return;
  last_confirm_ = now;
  confirm_more_ = false;
  confirming_ = confirm_to_;
  // The log itself tells after a restart what it has, with one partition: but
  // of a promise behind its last row it knows nothing then.
  noting_ = confirming_ > noted_
            && (partitions_.size() > 1 || confirming_ > last_row_);
  out.push_back(call_confirm{confirming_, noting_});
}

void source_state::on_confirmed(bool more, const error& failure) {
  // Forgetting upstream is not what the source is for: it goes on reading, and
  // a source that is gone says so at the next read.
  confirm_more_ = more || failure;
  if (failure)
    return;
  confirmed_ = std::max(confirmed_, confirming_);
  if (noting_)
    noted_ = std::max(noted_, confirming_);
}

// Of the partitions that are lowest: the others hold nothing back.
feed_id source_state::held_by() const {
  auto low = timestamp::max();
  auto result = feed_id{};
  for (const auto& x : partitions_) {
    if (x.confirmed < low || (x.confirmed == low && !result))
      result = x.held_by;
    low = std::min(low, x.confirmed);
  }
  return result;
}

} // namespace sluice
