#pragma once

#include <tuple>
#include <vector>

#include "messages/credit.hpp"
#include "messages/ids.hpp"

/// How far the targets are. Nothing is reported that a restart of the sink
/// would not read back.
namespace sluice {

/// A stream that the bulk value does not speak for.
struct stream_checkpoint {
  slot stream;
  epoch stream_epoch;
  timestamp checkpoint; ///< All durable up to it.

  friend bool operator==(const stream_checkpoint&,
                         const stream_checkpoint&) = default;
  auto fields() { return std::tie(stream, stream_epoch, checkpoint); }
};

/// One feed's part of a heartbeat.
struct feed_checkpoint {
  feed_id feed;
  /// min(what the acknowledged watermark promises the feed, the low watermark
  /// that the target has stored).
  timestamp checkpoint;
  /// Complete, never a difference: every stream that the shard may have in sync
  /// in an epoch that is over, and every one that is behind and has more
  /// durable than its epoch began with. Of those in sync all rows <=
  /// `checkpoint` are durable; of others that are behind nothing is said.
  std::vector<stream_checkpoint> exceptions;

  friend bool operator==(const feed_checkpoint&,
                         const feed_checkpoint&) = default;
  auto fields() { return std::tie(feed, checkpoint, exceptions); }
};

/// COLLECTOR_SHARD -> DISPATCHER_SHARD.
struct heartbeat {
  channel_id channel;
  channel_seq up_seq;
  channel_seq acked; ///< Last contiguous channel_seq applied.
  std::vector<feed_checkpoint> feeds;
  std::vector<feed_grant> granted; ///< As in `credit`.

  friend bool operator==(const heartbeat&, const heartbeat&) = default;
  auto fields() { return std::tie(channel, up_seq, acked, feeds, granted); }
};

} // namespace sluice
