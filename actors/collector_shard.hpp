#pragma once

#include <chrono>
#include <map>

#include "actors/collector_shard_state.hpp"
#include "messages/interfaces.hpp"

namespace sluice {

/// COLLECTOR_SHARD's actor state.
struct collector_shard_data {
  static inline const char* name = "collector_shard";
  collector_shard_state core;
  broker_actor broker;
  std::map<channel_id, dispatcher_shard_actor> shards; ///< Since READY.
  std::map<feed_id, sink_actor> sinks;
  std::map<caf::actor_addr, feed_id> feed_of_sink;
  caf::actor_clock::time_point started;
};

/// Serves some feeds of a node.
/// @param tick_interval How often timers are looked at.
collector_shard_actor::behavior_type collector_shard(
  collector_shard_actor::stateful_pointer<collector_shard_data> self,
  collector_shard_options options, broker_actor broker,
  std::chrono::milliseconds tick_interval);

} // namespace sluice
