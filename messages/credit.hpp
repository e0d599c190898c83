#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "messages/ids.hpp"

/// Exact credit: bytes, as totals, so that a lost or repeated message is
/// mended by the next one. allowed = granted_total - sent_total.
namespace sluice {

/// A running total of bytes of one feed on one channel.
struct feed_total {
  feed_id feed;
  std::uint64_t bytes = 0;

  friend bool operator==(const feed_total&, const feed_total&) = default;
  auto fields() { return std::tie(feed, bytes); }
};

/// What one feed may have sent in all on one channel.
struct feed_grant {
  feed_id feed;
  /// Highest sent_total seen + limit - bytes still pinned. Falls when the
  /// limit does.
  std::uint64_t total = 0;
  /// May be in flight at once. The feeds of a service share its memory: with
  /// more feeds each gets less.
  std::uint64_t limit = 0;

  friend bool operator==(const feed_grant&, const feed_grant&) = default;
  auto fields() { return std::tie(feed, total, limit); }
};

/// COLLECTOR_SHARD -> DISPATCHER_SHARD: grants per feed. Takes an up_seq.
struct credit {
  channel_id channel;
  channel_seq up_seq;
  std::vector<feed_grant> granted;

  friend bool operator==(const credit&, const credit&) = default;
  auto fields() { return std::tie(channel, up_seq, granted); }
};

} // namespace sluice
