#include "actors/uplink_state.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

uplink_state::arrival uplink_state::on_mark(const channel_mark& mark) {
  if (mark.channel != channel_ || mark.seq <= highest_)
    return arrival::old;
  auto next = mark.seq == highest_.next();
  highest_ = mark.seq;
  up_acked_ = std::max(up_acked_, mark.acked_up);
  credit.on_sent(mark.sent);
  if (!next)
    in_doubt_ = true;
  if (!in_doubt_)
    acked_ = highest_;
  return next ? arrival::in_order : arrival::gap;
}

void uplink_state::on_digest(const channel_mark& mark) {
  // A further gap behind the digest keeps the doubt.
  in_doubt_ = mark.seq != highest_;
  acked_ = std::max(acked_, mark.seq);
}

// It only rises.
void uplink_state::on_promise(channel_promise x) {
  x.resolved = std::max(x.resolved, promise_.resolved);
  for (auto& of : x.late)
    of.resolved = std::max(of.resolved, promise_.to(of.feed));
  promise_ = std::move(x);
}

void uplink_state::reopen(channel_id channel) {
  auto kept = std::move(credit);
  kept.reopen();
  *this = uplink_state{channel, partition_, 0};
  credit = std::move(kept);
}

bool uplink_state::worth_sending(const std::vector<feed_checkpoint>& feeds,
                                 bool repeat) const {
  return acked_ > acked_told_ || feeds != told_ || credit.worth_telling()
         || (repeat && (up_acked_ < up_news_ || credit.changed()));
}

heartbeat uplink_state::make_heartbeat(std::vector<feed_checkpoint> feeds) {
  auto granted = credit.granted();
  auto news = feeds != told_ || credit.changed();
  up_ = up_.next();
  if (news)
    up_news_ = up_;
  acked_told_ = acked_;
  told_ = feeds;
  credit.told();
  return {channel_, up_, acked_, std::move(feeds), std::move(granted)};
}

sluice::credit uplink_state::make_credit() {
  up_ = up_.next();
  up_news_ = up_;
  credit.told();
  return {channel_, up_, credit.granted()};
}

} // namespace sluice
