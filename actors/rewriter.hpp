#pragma once

#include <memory>

#include <caf/typed_event_based_actor.hpp>

#include "messages/interfaces.hpp"
#include "store/log_engine.hpp"

namespace sluice {

struct rewriter_data {
  static inline const char* name = "rewriter";
  std::shared_ptr<log_rewriter> log;
};

/// REWRITER of one event store. To be spawned detached: a rewrite takes as
/// long as it takes to read some segments and to write one.
rewriter_actor::behavior_type
rewriter(rewriter_actor::stateful_pointer<rewriter_data> self,
         std::shared_ptr<log_rewriter> log);

} // namespace sluice
