#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "messages/errc.hpp"
#include "messages/feed.hpp"
#include "messages/ids.hpp"

/// How a dispatcher comes and goes. A registration is one life of a
/// dispatcher at a broker; every later message is qualified by it.
namespace sluice {

/// One dispatcher: a table of a feed, or all of them, from a position on.
struct registration {
  registration_id id;
  dispatcher_id dispatcher;
  feed_id feed;
  table_id table; ///< Or `all_tables`.
  /// The sink's position: rows > it are wanted. Believed, also when it is
  /// lower than anything before.
  timestamp start_ts;

  friend bool operator==(const registration&, const registration&) = default;
  auto fields() { return std::tie(id, dispatcher, feed, table, start_ts); }
};

/// What `all_tables` are of a feed: those that match, now and later.
struct feed_span {
  feed_id feed;
  feed_rules rules;

  friend bool operator==(const feed_span&, const feed_span&) = default;
  auto fields() { return std::tie(feed, rules); }
};

/// COLLECTOR_SHARD -> BROKER -> DISPATCHER_SHARD. Answered by READY or
/// REFUSED per entry, repeated until RESET comes. The same registration again
/// is answered again and changes nothing.
///
/// The first message with a higher channel connects the two shards for the
/// partition: the channel before it is void, with everything on it. One with
/// a lower channel comes too late and has no effect.
struct register_dispatchers {
  channel_id channel;
  partition_id partition;
  std::vector<registration> entries;
  std::vector<feed_span> spans = {}; ///< Of the entries with `all_tables`.

  friend bool operator==(const register_dispatchers&,
                         const register_dispatchers&) = default;
  auto fields() { return std::tie(channel, partition, entries, spans); }
};

/// DISPATCHER_SHARD -> COLLECTOR_SHARD: the registration works; send RESET to
/// the sender of this, from now on directly.
struct ready {
  channel_id channel;
  registration_id registration;
  slot stream;              ///< Stands for the registration on this channel.
  timestamp store_resolved; ///< How far the store is.

  friend bool operator==(const ready&, const ready&) = default;
  auto fields() {
    return std::tie(channel, registration, stream, store_resolved);
  }
};

/// DISPATCHER_SHARD -> COLLECTOR_SHARD: the registration can't be served.
/// `reason`: lost_by_retention (with the range that is left), log_corrupt (with
/// the place in the log), table_deleted, unknown_table, stopped.
struct refused {
  channel_id channel;
  registration_id registration;
  errc reason = errc::none;
  timestamp asked;
  timestamp lower; ///< Rows > it are still there.
  std::string detail = {};

  friend bool operator==(const refused&, const refused&) = default;
  auto fields() {
    return std::tie(channel, registration, reason, asked, lower, detail);
  }
};

/// DISPATCHER_SHARD or BROKER -> COLLECTOR_SHARD: no such registration here.
/// The collector answers for its present one with a new registration.
struct unknown_registration {
  channel_id channel;
  registration_id registration;

  friend bool operator==(const unknown_registration&,
                         const unknown_registration&) = default;
  auto fields() { return std::tie(channel, registration); }
};

/// COLLECTOR_SHARD -> DISPATCHER_SHARD (before READY by way of BROKER). An id
/// that is not there is remembered, so that a late REGISTER stays without
/// effect. Opens the channel as REGISTER does.
struct remove_dispatchers {
  channel_id channel;
  partition_id partition;
  std::vector<registration_id> registrations;

  friend bool operator==(const remove_dispatchers&,
                         const remove_dispatchers&) = default;
  auto fields() { return std::tie(channel, partition, registrations); }
};

} // namespace sluice
