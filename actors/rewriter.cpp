#include "actors/rewriter.hpp"

#include <utility>

#include "messages/type_ids.hpp"

namespace sluice {

namespace {

log_rewritten run(log_rewriter& log, const rewrite_order& order) {
  auto done = log.run(order);
  if (!done)
    return {{}, std::move(done.error())};
  return {std::move(*done), {}};
}

} // namespace

rewriter_actor::behavior_type
rewriter(rewriter_actor::stateful_pointer<rewriter_data> self,
         std::shared_ptr<log_rewriter> log) {
  self->state.log = std::move(log);
  return {
    [=](const rewrite_order& order) {
      auto to = caf::actor_cast<event_store_actor>(self->current_sender());
      if (to != nullptr)
        self->send(to, run(*self->state.log, order));
    },
  };
}

} // namespace sluice
