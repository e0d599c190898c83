#pragma once

#include <map>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/collector_state.hpp"
#include "messages/type_ids.hpp"

namespace sluice {

struct collector_data {
  static inline const char* name = "collector";

  collector_state core;
  std::vector<collector_shard_actor> shards; ///< By shard_number.
  std::vector<schema_store_actor> stores;    ///< By schema_store_number.
  std::map<feed_id, sink_actor> sinks;       ///< Until passed on.
};

/// Spawns as COLLECTOR. It learns of its shards and of the schema stores by
/// messages. A collector shard that was restarted is another shard: feeds
/// move to it by a new collector.
collector_actor::behavior_type
collector(collector_actor::stateful_pointer<collector_data> self);

} // namespace sluice
