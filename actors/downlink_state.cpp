#include "actors/downlink_state.hpp"

#include <algorithm>

namespace sluice {

namespace {

constexpr std::size_t promises_max = 1'024;

} // namespace

channel_mark downlink_state::next() {
  last_ = last_.next();
  up_told_ = up_seen_;
  return {channel_, last_, up_seen_, credit.sent()};
}

// Of a collector that says nothing for long the last ones become one.
void downlink_state::promised(channel_promise what) {
  if (promises_.size() == promises_max)
    promises_.pop_back();
  promises_.emplace_back(last_, std::move(what));
}

const channel_promise& downlink_state::promise() const {
  return promises_.empty() ? acked_promise_ : promises_.back().second;
}

bool downlink_state::on_up(channel_seq up_seq) {
  if (up_seq <= up_seen_)
    return false;
  up_seen_ = up_seq;
  return true;
}

void downlink_state::on_acknowledged(channel_seq acked) {
  acked_ = std::max(acked_, std::min(acked, last_));
  while (!promises_.empty() && promises_.front().first <= acked_) {
    acked_promise_ = std::move(promises_.front().second);
    promises_.pop_front();
  }
}

bool bulk_checkpoint::on_heartbeat(
  channel_seq acked, timestamp value,
  const std::vector<stream_checkpoint>& exceptions) {
  auto next = std::map<slot, stream_checkpoint>{};
  for (const auto& x : exceptions)
    next.emplace(x.stream, x);
  auto news = value != value_ || next != exceptions_;
  acked_ = std::max(acked_, acked);
  value_ = value; // lower: the sink was restored from an older copy
  exceptions_ = std::move(next);
  return news;
}

} // namespace sluice
