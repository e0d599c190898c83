#pragma once

#include <vector>

#include "actors/credit_state.hpp"
#include "messages/delivery.hpp"
#include "messages/heartbeat.hpp"
#include "messages/ids.hpp"
#include "messages/watermark.hpp"

namespace sluice {

/// COLLECTOR_SHARD's side of a channel: sees gaps in what comes down, keeps
/// the channel's resolved, and numbers what goes up.
class uplink_state {
public:
  uplink_state() = default;
  uplink_state(channel_id channel, partition_id partition,
               std::uint64_t credit_limit)
    : credit{credit_limit}, channel_{channel}, partition_{partition} {
    // nop
  }

  // -- down -------------------------------------------------------------------

  enum class arrival {
    old,      ///< Not above the highest seen: drop it whole.
    in_order, ///< The next one.
    gap,      ///< Something before it is missing: the channel is in doubt.
  };
  /// Every message down comes here first.
  [[nodiscard]] arrival on_mark(const channel_mark& mark);
  /// While in doubt no watermark applies, and nothing is acknowledged.
  [[nodiscard]] bool in_doubt() const { return in_doubt_; }
  /// The last message is not applied: what the shard has of us is not what we
  /// think. @pre It was in order.
  void doubt() {
    in_doubt_ = true;
    acked_ = acked_.previous();
  }
  /// A digest above the gap came whole.
  void on_digest(const channel_mark& mark);
  void on_promise(channel_promise x);
  /// Everything <= it is here, for the feed's streams that are not behind.
  [[nodiscard]] timestamp resolved(feed_id feed) const {
    return promise_.to(feed);
  }
  [[nodiscard]] channel_seq acknowledged() const { return acked_; }

  /// Another connection begins; what is pinned stays so.
  void reopen(channel_id channel);

  // -- up ---------------------------------------------------------------------

  [[nodiscard]] channel_seq last_sent() const { return up_; }

  [[nodiscard]] channel_id channel() const { return channel_; }
  [[nodiscard]] partition_id partition() const { return partition_; }
  /// The heartbeat with these contents, if it says something that the shard
  /// does not know yet: new contents, an acknowledgement, or contents that
  /// were sent and not acknowledged.
  /// @param repeat Send again what was not acknowledged, and any credit: a row
  ///        may wait for the last of it.
  [[nodiscard]] bool worth_sending(const std::vector<feed_checkpoint>& feeds,
                                   bool repeat) const;
  [[nodiscard]] heartbeat make_heartbeat(std::vector<feed_checkpoint> feeds);
  [[nodiscard]] sluice::credit make_credit();

  credit_granted credit{};

private:
  channel_id channel_;
  partition_id partition_;
  channel_seq highest_;
  channel_seq acked_; // last contiguous one applied
  bool in_doubt_ = false;
  channel_promise promise_;

  channel_seq up_;       // last sent
  channel_seq up_news_;  // last sent that was more than an acknowledgement
  channel_seq up_acked_; // the shard has seen
  channel_seq acked_told_;
  std::vector<feed_checkpoint> told_;
};

} // namespace sluice
