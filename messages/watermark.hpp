#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "messages/delivery.hpp"
#include "messages/ids.hpp"

/// One promise for all streams of a channel that are not behind, instead of
/// one message per stream. Idle dispatchers cost nothing.
namespace sluice {

/// A stream leaves the cohort of its feed, or joins it: that takes the next
/// place in its sequence, or a change that got lost would go unseen. Another
/// epoch's is ignored.
struct cohort_change {
  slot stream;
  epoch stream_epoch;
  sequence seq;

  friend bool operator==(const cohort_change&, const cohort_change&) = default;
  auto fields() { return std::tie(stream, stream_epoch, seq); }
};

/// A feed whose sink is slow: it has no credit for what is behind `resolved`.
struct late_feed {
  feed_id feed;
  timestamp resolved;

  friend bool operator==(const late_feed&, const late_feed&) = default;
  auto fields() { return std::tie(feed, resolved); }
};

/// Everything <= `resolved` is sent, to all streams that are not behind but
/// those of a late feed.
struct channel_promise {
  timestamp resolved; ///< min(store's, schema_store's) of the partition.
  std::vector<late_feed> late;

  [[nodiscard]] timestamp to(feed_id feed) const noexcept {
    for (const auto& x : late)
      if (x.feed == feed)
        return x.resolved;
    return resolved;
  }
  friend bool operator==(const channel_promise&,
                         const channel_promise&) = default;
  auto fields() { return std::tie(resolved, late); }
};

/// DISPATCHER_SHARD -> COLLECTOR_SHARD. Applied in this order: behind,
/// promise, in_sync. Not applied when it shows a gap, or when it counts
/// other streams than the collector although nothing is under way.
struct watermark {
  channel_mark mark;
  channel_promise promise;
  std::vector<cohort_change> behind;  ///< They leave,
  std::vector<cohort_change> in_sync; ///< they join.
  std::uint64_t streams = 0;          ///< How many the channel has.

  friend bool operator==(const watermark&, const watermark&) = default;
  auto fields() { return std::tie(mark, promise, behind, in_sync, streams); }
};

/// COLLECTOR_SHARD -> DISPATCHER_SHARD: a message of the channel was lost;
/// which streams did it concern?
struct digest_request {
  channel_id channel;

  friend bool operator==(const digest_request&,
                         const digest_request&) = default;
  auto fields() { return std::tie(channel); }
};

/// One stream in a digest.
struct digest_entry {
  registration_id registration;
  slot stream;
  epoch stream_epoch;
  sequence last_seq;
  bool behind = false;
  timestamp own; ///< Complete to, while behind.

  friend bool operator==(const digest_entry&, const digest_entry&) = default;
  auto fields() {
    return std::tie(registration, stream, stream_epoch, last_seq, behind, own);
  }
};

/// Up to where a feed's cohort was sent rows on this channel.
struct cohort_place {
  feed_id feed;
  row_cursor to;

  friend bool operator==(const cohort_place&, const cohort_place&) = default;
  auto fields() { return std::tie(feed, to); }
};

/// DISPATCHER_SHARD -> COLLECTOR_SHARD: all streams of the channel, in
/// chunks; the last one says so. It takes away the doubt about a gap.
struct digest {
  channel_mark mark;
  std::vector<digest_entry> entries;
  bool last = true;
  std::vector<cohort_place> cohorts = {}; ///< In the last chunk.

  friend bool operator==(const digest&, const digest&) = default;
  auto fields() { return std::tie(mark, entries, last, cohorts); }
};

/// DISPATCHER_SHARD -> COLLECTOR_SHARD, for all streams of a feed that are
/// not behind: everything <= ts before it, everything > ts after it.
struct syncpoint {
  channel_mark mark;
  feed_id feed;
  timestamp ts;

  friend bool operator==(const syncpoint&, const syncpoint&) = default;
  auto fields() { return std::tie(mark, feed, ts); }
};

/// Barrier -> DISPATCHER_SHARD: until all streams of the feed have passed ts,
/// rows beyond it get no ordinary credit.
struct expedite {
  feed_id feed;
  timestamp ts;

  friend bool operator==(const expedite&, const expedite&) = default;
  auto fields() { return std::tie(feed, ts); }
};

} // namespace sluice
