#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "messages/ids.hpp"
#include "messages/schema.hpp"

/// Resets: how a stream starts, and starts over.
namespace sluice {

/// One stream to start over.
struct reset_entry {
  registration_id registration;
  slot stream;
  epoch stream_epoch; ///< The new one; higher than any before.
  /// What the collector holds durable; the stream begins after
  /// L = max(reset_ts, accepted checkpoint).
  timestamp reset_ts;

  friend bool operator==(const reset_entry&, const reset_entry&) = default;
  auto fields() {
    return std::tie(registration, stream, stream_epoch, reset_ts);
  }
};

/// COLLECTOR_SHARD -> DISPATCHER_SHARD. An epoch that is not higher changes
/// nothing. Not answered in time: sent again with a new epoch.
struct reset_streams {
  channel_id channel;
  std::vector<reset_entry> entries;

  friend bool operator==(const reset_streams&, const reset_streams&) = default;
  auto fields() { return std::tie(channel, entries); }
};

/// What a reset did, taken in the same step, before anything is zeroed.
struct reset_record {
  dispatcher_id dispatcher;
  registration_id registration;
  epoch old_epoch;
  epoch new_epoch;
  timestamp requested;         ///< reset_ts
  timestamp lower_bound;       ///< L
  timestamp checkpoint_before; ///< The dispatcher's checkpoint before ...
  timestamp checkpoint_after;  ///< ... and after the step.
  row_cursor last_cursor;      ///< Last row sent in the old epoch.
  sequence last_seq;           ///< Last sequence of the old epoch.

  friend bool operator==(const reset_record&, const reset_record&) = default;
  auto fields() {
    return std::tie(dispatcher, registration, old_epoch, new_epoch, requested,
                    lower_bound, checkpoint_before, checkpoint_after,
                    last_cursor, last_seq);
  }
};

[[nodiscard]] std::string to_string(const reset_record& x);

/// Asks DISPATCHER_SHARD for the records of its last resets, oldest first.
struct reset_log_query {
  friend bool operator==(const reset_log_query&,
                         const reset_log_query&) = default;
  auto fields() { return std::tie(); }
};

struct reset_log {
  std::vector<reset_record> records;

  friend bool operator==(const reset_log&, const reset_log&) = default;
  auto fields() { return std::tie(records); }
};

} // namespace sluice
