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

/// COLLECTOR_SHARD -> DISPATCHER_SHARD: granted_total per feed =
/// highest sent_total seen + limit - bytes still pinned. Takes an up_seq.
struct credit {
  channel_id channel;
  channel_seq up_seq;
  std::vector<feed_total> granted;

  friend bool operator==(const credit&, const credit&) = default;
  auto fields() { return std::tie(channel, up_seq, granted); }
};

} // namespace sluice
