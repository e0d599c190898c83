#pragma once

#include <memory>
#include <vector>

#include "actors/schema_store_state.hpp"
#include "messages/interfaces.hpp"
#include "store/table_history.hpp"

namespace sluice {

struct schema_store_data {
  static inline const char* name = "schema_store";
  schema_store_state core;
  std::shared_ptr<table_history> history;
  // By number.
  std::vector<source_actor> sources;
  std::vector<dispatcher_shard_actor> shards;
  std::vector<collector_actor> collectors;
};

/// SCHEMA_STORE of one upstream. To be spawned detached: the history writes.
/// Owns the history; nobody else may use it from then on.
schema_store_actor::behavior_type
schema_store(schema_store_actor::stateful_pointer<schema_store_data> self,
             std::shared_ptr<table_history> history, std::size_t partitions);

} // namespace sluice
