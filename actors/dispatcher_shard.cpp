#include "actors/dispatcher_shard.hpp"

#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"

namespace sluice {

namespace {

using pointer = dispatcher_shard_actor::stateful_pointer<dispatcher_shard_data>;

/// Carries out what the state decided. The only place that sends.
struct perform {
  pointer self;

  template <class Message>
  void to_collector(Message& x) const {
    self->send(self->state.collector, std::move(x));
  }
  void operator()(ready& x) const { to_collector(x); }
  void operator()(refused& x) const { to_collector(x); }
  void operator()(unknown_registration& x) const { to_collector(x); }
  void operator()(handshake& x) const { to_collector(x); }
  void operator()(delivery& x) const { to_collector(x); }
  void operator()(schema_change& x) const { to_collector(x); }
  void operator()(watermark& x) const { to_collector(x); }
  void operator()(digest& x) const { to_collector(x); }
  void operator()(scan_request& x) const {
    self->send(self->state.store, std::move(x));
  }
  void operator()(progress_taken& x) const { self->send(self->state.store, x); }
  void operator()(floor_report& x) const {
    self->send(self->state.store, std::move(x));
  }
  void operator()(schema_query& x) const { self->send(self->state.schemas, x); }
  void operator()(dispatcher_shard_state::effects effects) const {
    for (auto& x : effects)
      std::visit(*this, x);
  }
};

std::chrono::milliseconds now(pointer self) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
    self->clock().now() - self->state.started);
}

/// Who opens a channel is answered there, also if a link was cut before our
/// first answer and it repeats itself from another address.
void note_collector(pointer self, channel_id channel) {
  if (channel >= self->state.core.channel())
    self->state.collector = caf::actor_cast<collector_shard_actor>(
      self->current_sender());
}

} // namespace

dispatcher_shard_actor::behavior_type
dispatcher_shard(pointer self, dispatcher_shard_options options,
                 event_store_actor store, schema_store_actor schemas,
                 std::chrono::milliseconds tick_interval) {
  auto& state = self->state;
  state.core = dispatcher_shard_state{options};
  state.store = std::move(store);
  state.schemas = std::move(schemas);
  state.started = self->clock().now();
  self->send(state.store, attach_shard{});
  self->send(state.schemas, watch_schemas{});
  self->delayed_send(self, tick_interval, tick{});
  auto done = perform{self};
  return {
    [=](const progress& x) { done(self->state.core.on_progress(x)); },
    [=](const scan_answer& x) { done(self->state.core.on_scan_answer(x)); },
    [=](const ddl_notice& x) { done(self->state.core.on_ddl(x)); },
    [=](const schema_resolved& x) {
      done(self->state.core.on_schema_resolved(x));
    },
    [=](const schema_answer& x) { done(self->state.core.on_schema_answer(x)); },
    [=](const register_dispatchers& x) {
      note_collector(self, x.channel);
      done(self->state.core.on_register(x, now(self)));
    },
    [=](const reset_streams& x) { done(self->state.core.on_reset(x)); },
    [=](const remove_dispatchers& x) {
      note_collector(self, x.channel);
      done(self->state.core.on_remove(x));
    },
    [=](const heartbeat& x) { done(self->state.core.on_heartbeat(x)); },
    [=](const credit& x) { done(self->state.core.on_credit(x)); },
    [=](const digest_request& x) {
      done(self->state.core.on_digest_request(x));
    },
    [=](tick) {
      done(self->state.core.on_tick(now(self)));
      self->delayed_send(self, tick_interval, tick{});
    },
    [=](reset_log_query) {
      const auto& records = self->state.core.resets();
      return reset_log{{records.begin(), records.end()}};
    },
  };
}

} // namespace sluice
