#include "actors/collector.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice {

namespace {

using pointer = collector_actor::stateful_pointer<collector_data>;
using state = collector_state;

/// Carries out what the state decided. The only place that sends.
struct perform {
  pointer self;

  void operator()(const state::ask_tables& x) const {
    self->send(self->state.stores[x.store.value], watch_tables{});
  }
  void operator()(state::begin_feed& x) const {
    auto sink = self->state.sinks.extract(x.message.feed.id);
    self->send(self->state.shards[x.shard.value], std::move(x.message),
               std::move(sink.mapped()));
  }
  void operator()(state::extend_feed& x) const {
    self->send(self->state.shards[x.shard.value], std::move(x.message));
  }
  void operator()(const state::end_feed& x) const {
    self->send(self->state.shards[x.shard.value], x.message);
  }
  void operator()(const state::acknowledge_table& x) const {
    self->send(self->state.stores[x.store.value], x.message);
  }
};

void run(pointer self, state::effects effects) {
  for (auto& x : effects)
    std::visit(perform{self}, x);
}

// The number of a handle: its place in `known`.
template <class Number, class Handle>
std::optional<Number> number_of(const std::vector<Handle>& known,
                                const caf::strong_actor_ptr& who) {
  auto same = [&](const Handle& x) {
    return caf::actor_cast<caf::strong_actor_ptr>(x) == who;
  };
  auto found = std::find_if(known.begin(), known.end(), same);
  if (!who || found == known.end())
    return std::nullopt;
  return Number{static_cast<std::size_t>(found - known.begin())};
}

void watch(pointer self, const schema_store_actor& store) {
  auto& stores = self->state.stores;
  auto who = caf::actor_cast<caf::strong_actor_ptr>(store);
  auto number = number_of<schema_store_number>(stores, who);
  if (!number) {
    number = schema_store_number{stores.size()};
    stores.push_back(store);
  }
  run(self, self->state.core.on_watch_tables(*number));
}

// Only a store that is watched has a reason to speak of tables.
std::optional<schema_store_number> watched(pointer self) {
  return number_of<schema_store_number>(self->state.stores,
                                        self->current_sender());
}

void known(pointer self, const known_tables& x) {
  if (auto store = watched(self))
    run(self, self->state.core.on_known_tables(*store, x));
}

void begin(pointer self, const subscribe_feed& x, const sink_actor& sink) {
  self->state.sinks[x.feed.id] = sink;
  run(self, self->state.core.on_subscribe_feed(x));
}

void end(pointer self, const unsubscribe_feed& x) {
  self->state.sinks.erase(x.feed);
  run(self, self->state.core.on_unsubscribe_feed(x));
}

void noted(pointer self, const table_noted& x) {
  auto shard = number_of<shard_number>(self->state.shards,
                                       self->current_sender());
  if (shard)
    run(self, self->state.core.on_table_noted(*shard, x));
}

caf::result<feed_status> status_of(pointer self, const feed_status_query& x) {
  if (auto shard = self->state.core.shard_of(x.feed))
    return self->delegate(self->state.shards[shard->value], x);
  return state::unknown(x);
}

} // namespace

collector_actor::behavior_type collector(pointer self) {
  return {
    [=](serve_feeds, const collector_shard_actor& shard) {
      self->state.shards.push_back(shard);
      run(self, self->state.core.on_serve_feeds());
    },
    [=](watch_tables, const schema_store_actor& store) { watch(self, store); },
    [=](const subscribe_feed& x, const sink_actor& sink) {
      begin(self, x, sink);
    },
    [=](const unsubscribe_feed& x) { end(self, x); },
    [=](const known_tables& x) { known(self, x); },
    [=](const table_noted& x) { noted(self, x); },
    [=](const feed_status_query& x) { return status_of(self, x); },
  };
}

} // namespace sluice
