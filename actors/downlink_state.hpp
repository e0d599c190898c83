#pragma once

#include <deque>
#include <map>
#include <utility>

#include "actors/credit_state.hpp"
#include "messages/delivery.hpp"
#include "messages/heartbeat.hpp"
#include "messages/ids.hpp"
#include "messages/watermark.hpp"

namespace sluice {

/// DISPATCHER_SHARD's side of a channel: numbers what goes down, keeps the
/// credit, and knows what the collector has acknowledged.
class downlink_state {
public:
  downlink_state() = default;
  explicit downlink_state(channel_id channel) : channel_{channel} {
    // nop
  }

  [[nodiscard]] channel_id channel() const { return channel_; }
  [[nodiscard]] bool open() const { return bool{channel_}; }

  /// The mark of the next message down.
  [[nodiscard]] channel_mark next();
  [[nodiscard]] channel_seq last() const { return last_; }
  /// A watermark goes out as message `last()`.
  void promised(channel_promise what);
  /// What the last watermark said.
  [[nodiscard]] const channel_promise& promise() const;
  [[nodiscard]] timestamp resolved() const { return promise().resolved; }
  [[nodiscard]] timestamp resolved(feed_id feed) const {
    return promise().to(feed);
  }
  /// What the watermark said that is covered by `acknowledged()`.
  [[nodiscard]] timestamp acknowledged_resolved(feed_id feed) const {
    return acked_promise_.to(feed);
  }

  /// A message came up. @returns Whether it is new; if not, drop it.
  bool on_up(channel_seq up_seq);
  /// The last message that came up said something but an acknowledgement: the
  /// collector repeats it until told that it arrived.
  void owe_acknowledgement() { up_owed_ = up_seen_; }
  void on_acknowledged(channel_seq acked);
  [[nodiscard]] channel_seq acknowledged() const { return acked_; }
  /// Something was sent that the collector has not acknowledged, or the
  /// collector does not know yet that its last message arrived.
  [[nodiscard]] bool unacknowledged() const {
    return acked_ < last_ || up_told_ < up_owed_;
  }

  credit_spent credit;

private:
  channel_id channel_;
  channel_seq last_;
  channel_seq acked_;
  channel_seq up_seen_;
  channel_seq up_owed_;
  channel_seq up_told_;
  channel_promise acked_promise_;
  // Not acknowledged.
  std::deque<std::pair<channel_seq, channel_promise>> promises_;
};

/// What a feed's heartbeats say in bulk, on one channel.
///
/// A dispatcher's checkpoint is the larger of its own and, if this speaks for
/// it, the bulk value. So a heartbeat costs as much as it has exceptions.
class bulk_checkpoint {
public:
  /// Whether the bulk value speaks for a stream that is in sync since `since`.
  [[nodiscard]] bool covers(slot stream, channel_seq since) const {
    return since && since <= acked_ && !exceptions_.contains(stream);
  }
  [[nodiscard]] timestamp value() const { return value_; }
  [[nodiscard]] channel_seq acknowledged() const { return acked_; }
  [[nodiscard]] const std::map<slot, stream_checkpoint>& exceptions() const {
    return exceptions_;
  }
  /// Takes over a heartbeat; call after materialising the new exceptions, and
  /// all streams if `value` is lower than the present one.
  /// @returns Whether it said something new.
  bool on_heartbeat(channel_seq acked, timestamp value,
                    const std::vector<stream_checkpoint>& exceptions);

private:
  channel_seq acked_;
  timestamp value_;
  std::map<slot, stream_checkpoint> exceptions_;
};

} // namespace sluice
