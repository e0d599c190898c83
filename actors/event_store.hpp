#pragma once

#include <memory>
#include <vector>

#include "actors/event_store_state.hpp"
#include "messages/interfaces.hpp"
#include "store/log_engine.hpp"

namespace sluice {

struct event_store_data {
  static inline const char* name = "event_store";
  event_store_state core;
  std::shared_ptr<log_engine> engine;
  disk_actor disk;
  rewriter_actor rewriter;                    // null: nothing is rewritten
  source_actor source;                        // attached last
  std::vector<dispatcher_shard_actor> shards; // by number
};

/// EVENT_STORE of one partition. Owns the engine, though CAF copies what it
/// hands to an actor: nobody else may use it from then on, but for its disk().
event_store_actor::behavior_type
event_store(event_store_actor::stateful_pointer<event_store_data> self,
            event_store_options options, std::shared_ptr<log_engine> engine,
            disk_actor disk, rewriter_actor rewriter);

} // namespace sluice
