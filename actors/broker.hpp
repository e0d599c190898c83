#pragma once

#include <vector>

#include "actors/broker_state.hpp"
#include "messages/interfaces.hpp"

namespace sluice {

struct broker_data {
  static inline const char* name = "broker";
  broker_state core;
  std::vector<dispatcher_shard_actor> shards; // by number
};

/// BROKER of one node. Passes messages on, with their sender.
broker_actor::behavior_type
broker(broker_actor::stateful_pointer<broker_data> self);

} // namespace sluice
