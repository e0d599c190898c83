#include "actors/schema_store.hpp"

#include <algorithm>

#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"

namespace sluice {

namespace {

using pointer = schema_store_actor::stateful_pointer<schema_store_data>;

/// Carries out what the state decided. The only place that sends.
struct perform {
  pointer self;

  template <class Message>
  void operator()(to_shard<Message>& x) const {
    self->send(self->state.shards[x.shard], std::move(x.message));
  }
  void operator()(to_collector& x) const {
    self->send(self->state.collectors[x.collector], std::move(x.message));
  }
  void operator()(to_source& x) const {
    self->send(self->state.sources[x.source], x.message);
  }
};

void perform_all(pointer self, schema_store_state::effects effects) {
  for (auto& effect : effects)
    std::visit(perform{self}, effect);
}

// The number of the sender of the present message among `peers`.
template <class Handle>
std::size_t sender_number(pointer self, std::vector<Handle>& peers) {
  auto sender = caf::actor_cast<Handle>(self->current_sender());
  auto found = std::find(peers.begin(), peers.end(), sender);
  if (found != peers.end())
    return static_cast<std::size_t>(found - peers.begin());
  if (sender != nullptr)
    self->monitor(sender);
  peers.push_back(std::move(sender));
  return peers.size() - 1;
}

void on_declare(pointer self, const declare_schemas& message) {
  auto& data = self->state;
  auto source = sender_number(self, data.sources);
  auto failure = data.core.refusal(source, message);
  if (!failure) {
    auto events = std::vector<ddl_event>{};
    for (const auto& x : message.schemas)
      events.push_back(x.event);
    if (auto done = data.history->add(events); !done)
      failure = done.error();
  }
  perform_all(self, data.core.on_declare(source, message, failure));
}

void on_down(pointer self, const caf::actor_addr& source) {
  auto& data = self->state;
  for (std::size_t i = 0; i < data.shards.size(); ++i)
    if (data.shards[i] == source)
      data.core.on_shard_gone(i);
  for (std::size_t i = 0; i < data.collectors.size(); ++i)
    if (data.collectors[i] == source)
      perform_all(self, data.core.on_collector_gone(i));
}

} // namespace

schema_store_actor::behavior_type
schema_store(schema_store_actor::stateful_pointer<schema_store_data> self,
             std::shared_ptr<table_history> history, std::size_t partitions) {
  auto& data = self->state;
  data.core.on_loaded(history->all(), partitions);
  data.history = std::move(history);
  self->set_down_handler(
    [=](const caf::down_msg& x) { on_down(self, x.source); });
  return {
    [=](const declare_schemas& message) { on_declare(self, message); },
    [=](const schema_resolved& message) {
      perform_all(self, self->state.core.on_resolved(message));
    },
    [=](const watch_schemas&) {
      auto shard = sender_number(self, self->state.shards);
      perform_all(self, self->state.core.on_watch_schemas(shard));
    },
    [=](const watch_tables&) {
      auto collector = sender_number(self, self->state.collectors);
      perform_all(self, self->state.core.on_watch_tables(collector));
    },
    [=](const table_noted& message) {
      auto collector = sender_number(self, self->state.collectors);
      perform_all(self,
                  self->state.core.on_table_noted(collector, message.table));
    },
    [=](const schema_query& message) {
      auto shard = sender_number(self, self->state.shards);
      perform_all(self, self->state.core.on_query(shard, message));
    },
  };
}

} // namespace sluice
