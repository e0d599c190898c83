#pragma once

#include <map>
#include <vector>

#include "messages/feed.hpp"
#include "messages/ids.hpp"
#include "messages/interfaces.hpp"

/// A service for people with actors of their own: its handles, and theirs.
namespace sluice {

/// One partition of the source's log and who serves it.
struct partition_actors {
  partition_id id;
  disk_actor disk;
  rewriter_actor rewriter; // null: of a log in memory
  event_store_actor store;
  dispatcher_shard_actor shard;
};

/// The actors of a service. A handle that is not there yet is null.
struct service_actors {
  broker_actor broker;
  collector_actor collector;
  collector_shard_actor collector_shard;
  schema_store_actor schemas;
  source_actor source;
  std::vector<partition_actors> partitions;
  std::map<feed_id, sink_actor> sinks;
};

/// An application's own SINK, to subscribe it to a feed. It stays the
/// application's: the service sends to it and never ends it. What it has to
/// answer is in messages/sink.hpp and docs/embedding.md.
struct sink_handle {
  sink_actor actor;
};

} // namespace sluice
