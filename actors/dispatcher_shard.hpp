#pragma once

#include <chrono>

#include "actors/dispatcher_shard_state.hpp"
#include "messages/interfaces.hpp"

namespace sluice {

/// DISPATCHER_SHARD's actor state.
struct dispatcher_shard_data {
  static inline const char* name = "dispatcher_shard";
  dispatcher_shard_state core;
  event_store_actor store;
  schema_store_actor schemas;
  collector_shard_actor collector; ///< Of the open channel.
  caf::actor_clock::time_point started;
};

/// Serves one partition to one collector shard.
/// @param tick_interval How often timers are looked at.
dispatcher_shard_actor::behavior_type dispatcher_shard(
  dispatcher_shard_actor::stateful_pointer<dispatcher_shard_data> self,
  dispatcher_shard_options options, event_store_actor store,
  schema_store_actor schemas, std::chrono::milliseconds tick_interval);

} // namespace sluice
