#include "actors/broker.hpp"

#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"

namespace sluice {

namespace {

using pointer = broker_actor::stateful_pointer<broker_data>;

// The shard answers to the collector shard, not to us.
template <class Message>
bool pass_on(pointer self, const Message& message) {
  auto shard = self->state.core.shard_of(message.partition);
  if (shard)
    self->delegate(self->state.shards[*shard], message);
  return shard.has_value();
}

void refuse(pointer self, const register_dispatchers& message) {
  auto to = caf::actor_cast<collector_shard_actor>(self->current_sender());
  if (to != nullptr)
    for (const auto& x : self->state.core.refusals(message))
      self->send(to, x);
}

} // namespace

broker_actor::behavior_type
broker(broker_actor::stateful_pointer<broker_data> self) {
  return {
    [=](const serve_partition& message, const dispatcher_shard_actor& shard) {
      self->state.core.on_serve_partition(message.partition,
                                          self->state.shards.size());
      self->state.shards.push_back(shard);
    },
    [=](const register_dispatchers& message) {
      if (!pass_on(self, message))
        refuse(self, message);
    },
    [=](const remove_dispatchers& message) { pass_on(self, message); },
  };
}

} // namespace sluice
