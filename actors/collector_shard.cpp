#include "actors/collector_shard.hpp"

#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"

namespace sluice {

namespace {

using pointer = collector_shard_actor::stateful_pointer<collector_shard_data>;

/// Carries out what the state decided. The only place that sends.
struct perform {
  pointer self;

  void operator()(register_dispatchers& x) const {
    self->send(self->state.broker, std::move(x));
  }
  void operator()(remove_dispatchers& x) const {
    // Before READY by way of the broker, behind its REGISTER.
    auto i = self->state.shards.find(x.channel);
    if (i == self->state.shards.end())
      self->send(self->state.broker, std::move(x));
    else
      self->send(i->second, std::move(x));
  }
  template <class Message>
  void to_shard(Message& x) const {
    auto i = self->state.shards.find(x.channel);
    if (i != self->state.shards.end())
      self->send(i->second, std::move(x));
  }
  void operator()(reset_streams& x) const { to_shard(x); }
  void operator()(heartbeat& x) const { to_shard(x); }
  void operator()(credit& x) const { to_shard(x); }
  void operator()(digest_request& x) const { to_shard(x); }
  void operator()(collector_shard_state::to_sink& x) const {
    auto i = self->state.sinks.find(x.feed);
    if (i == self->state.sinks.end())
      return;
    std::visit([&](auto& m) { self->send(i->second, std::move(m)); },
               x.message);
  }
  void operator()(collector_shard_state::effects effects) const {
    for (auto& x : effects)
      std::visit(*this, x);
  }
};

std::chrono::milliseconds now(pointer self) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
    self->clock().now() - self->state.started);
}

/// Which feed's sink a message came from; none for one that has left.
feed_id sender_feed(pointer self) {
  auto from = caf::actor_cast<caf::actor_addr>(self->current_sender());
  auto i = self->state.feed_of_sink.find(from);
  return i == self->state.feed_of_sink.end() ? feed_id{} : i->second;
}

void note_sink(pointer self, feed_id feed, sink_actor sink) {
  auto addr = caf::actor_cast<caf::actor_addr>(sink);
  self->monitor(sink);
  self->state.feed_of_sink.emplace(addr, feed);
  self->state.sinks[feed] = std::move(sink);
}

void forget_sink(pointer self, feed_id feed) {
  auto i = self->state.sinks.find(feed);
  if (i == self->state.sinks.end())
    return;
  auto addr = caf::actor_cast<caf::actor_addr>(i->second);
  self->demonitor(addr);
  self->state.feed_of_sink.erase(addr);
  self->state.sinks.erase(i);
}

/// Who answers on a channel; its end is the end of the channel.
void note_shard(pointer self, channel_id channel) {
  auto from = self->current_sender();
  auto shard = caf::actor_cast<dispatcher_shard_actor>(from);
  auto [i, added] = self->state.shards.try_emplace(channel, shard);
  if (added)
    self->monitor(shard);
}

/// The channels that ended with it.
std::vector<channel_id> forget_shard(pointer self, const caf::actor_addr& who) {
  auto result = std::vector<channel_id>{};
  for (const auto& [channel, shard] : self->state.shards)
    if (shard == who)
      result.push_back(channel);
  for (auto channel : result)
    self->state.shards.erase(channel);
  return result;
}

/// Nobody starts a sink again, so its feed stops, and says why.
sink_failed ended() {
  return {{}, {errc::stopped, "the sink's actor has ended"}, true};
}

} // namespace

collector_shard_actor::behavior_type
collector_shard(pointer self, collector_shard_options options,
                broker_actor broker, std::chrono::milliseconds tick_interval) {
  auto& state = self->state;
  state.core = collector_shard_state{options};
  state.broker = std::move(broker);
  state.started = self->clock().now();
  self->delayed_send(self, tick_interval, tick{});
  auto done = perform{self};
  self->set_down_handler([=](const caf::down_msg& x) {
    auto i = self->state.feed_of_sink.find(x.source);
    if (i != self->state.feed_of_sink.end())
      done(self->state.core.on_sink_failed(i->second, ended(), now(self)));
    for (auto channel : forget_shard(self, x.source))
      done(self->state.core.on_channel_lost(channel, now(self)));
  });
  return {
    [=](const subscribe_feed& x, const sink_actor& sink) {
      note_sink(self, x.feed.id, sink);
      done(self->state.core.on_subscribe(x));
    },
    [=](const add_tables& x) {
      done(self->state.core.on_tables(x, now(self)));
      auto from = caf::actor_cast<collector_actor>(self->current_sender());
      for (const auto& table : x.tables)
        self->send(from, table_noted{table.table});
    },
    [=](const unsubscribe_feed& x) {
      done(self->state.core.on_unsubscribe(x));
      forget_sink(self, x.feed);
    },
    [=](const ready& x) {
      note_shard(self, x.channel);
      done(self->state.core.on_ready(x, now(self)));
    },
    [=](const refused& x) { done(self->state.core.on_refused(x, now(self))); },
    [=](const unknown_registration& x) {
      done(self->state.core.on_unknown(x, now(self)));
    },
    [=](const handshake& x) {
      done(self->state.core.on_handshake(x, now(self)));
    },
    [=](delivery& x) {
      done(self->state.core.on_delivery(std::move(x), now(self)));
    },
    [=](const schema_change& x) {
      done(self->state.core.on_schema_change(x, now(self)));
    },
    [=](const watermark& x) {
      done(self->state.core.on_watermark(x, now(self)));
    },
    [=](const digest& x) { done(self->state.core.on_digest(x, now(self))); },
    [=](const syncpoint& x) { done(self->state.core.on_syncpoint(x)); },
    [=](const sink_opened& x) {
      done(self->state.core.on_sink_opened(sender_feed(self), x, now(self)));
    },
    [=](const rows_released& x) {
      done(self->state.core.on_released(sender_feed(self), x));
    },
    [=](const rows_durable& x) {
      done(self->state.core.on_durable(sender_feed(self), x));
    },
    [=](const sink_failed& x) {
      done(self->state.core.on_sink_failed(sender_feed(self), x, now(self)));
    },
    [=](tick) {
      done(self->state.core.on_tick(now(self)));
      self->delayed_send(self, tick_interval, tick{});
    },
    [=](const feed_status_query& x) { return self->state.core.status(x.feed); },
  };
}

} // namespace sluice
