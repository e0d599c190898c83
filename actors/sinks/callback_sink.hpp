#pragma once

#include <memory>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/sinks/callback.hpp"
#include "actors/sinks/callback_sink_state.hpp"
#include "actors/sinks/position_keeper.hpp"
#include "messages/type_ids.hpp"

namespace sluice {

struct callback_sink_data {
  static inline const char* name = "callback_sink";

  callback_sink_state core;
  std::shared_ptr<position_keeper> positions;
  change_callback callback;
  collector_shard_actor upstream; ///< Who opened it; gets the answers.
};

/// Spawns as SINK of one feed that calls the application's function. To be
/// spawned detached: the function may block, and so does storing positions.
sink_actor::behavior_type
callback_sink(sink_actor::stateful_pointer<callback_sink_data> self,
              const callback_sink_options& options,
              std::shared_ptr<position_keeper> positions,
              change_callback callback);

} // namespace sluice
