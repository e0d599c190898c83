#pragma once

#include <memory>
#include <vector>

#include <caf/typed_response_promise.hpp>

#include "actors/source_state.hpp"
#include "actors/sources/source_connector.hpp"
#include "messages/interfaces.hpp"

namespace sluice {

/// What a source works with, and talks to.
struct source_parts {
  std::shared_ptr<source_connector> connector;
  std::shared_ptr<source_journal> journal;
  std::vector<event_store_actor> stores; ///< As source_options::partitions.
  schema_store_actor schemas;
};

struct source_data {
  static inline const char* name = "source";
  source_state core;
  source_parts parts;
  std::vector<caf::typed_response_promise<source_status>> stops;
};

/// SOURCE of one upstream. To be spawned detached: the connector blocks. Owns
/// connector and journal; nobody else may use them from then on.
source_actor::behavior_type
source(source_actor::stateful_pointer<source_data> self, source_options options,
       source_parts parts);

} // namespace sluice
