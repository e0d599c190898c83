#pragma once

#include <memory>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/sinks/connector_sink_state.hpp"
#include "actors/sinks/sink_connector.hpp"
#include "messages/type_ids.hpp"

namespace sluice {

struct connector_sink_data {
  static inline const char* name = "connector_sink";

  connector_sink_state core;
  std::shared_ptr<sink_connector> target;
  collector_shard_actor upstream; ///< Who opened it; gets the answers.
};

/// Spawns as SINK of one feed, for a target that stores its own positions.
/// To be spawned detached: the connector blocks.
/// @param target All its calls come from this actor.
sink_actor::behavior_type
connector_sink(sink_actor::stateful_pointer<connector_sink_data> self,
               const connector_sink_options& options,
               std::shared_ptr<sink_connector> target);

} // namespace sluice
