#pragma once

#include <memory>

#include <caf/typed_event_based_actor.hpp>

#include "messages/interfaces.hpp"
#include "store/log_engine.hpp"

namespace sluice {

struct rewriter_data {
  static inline const char* name = "rewriter";
  std::shared_ptr<log_rewriter> log;
  std::unique_ptr<log_rewrite> work; // null: nothing to do
  event_store_actor store;           // for which
};

/// REWRITER of one event store. To be spawned detached: each step reads and
/// writes. Between two of them it can be told to end.
rewriter_actor::behavior_type
rewriter(rewriter_actor::stateful_pointer<rewriter_data> self,
         std::shared_ptr<log_rewriter> log);

} // namespace sluice
