#include "actors/event_store.hpp"

#include <algorithm>
#include <chrono>

#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"

namespace sluice {

namespace {

using pointer = event_store_actor::stateful_pointer<event_store_data>;

std::chrono::milliseconds now(pointer self) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
    self->clock().now().time_since_epoch());
}

log_position position(const log_engine& engine) {
  return {engine.last(), engine.last_closed(), engine.synced_to(),
          engine.appended_to(), engine.resolved()};
}

void perform_all(pointer self, event_store_state::effects effects);

/// Carries out what the state decided. The only place that sends, and that
/// changes the engine.
struct perform {
  pointer self;

  // -- the engine: its answer goes back to the state at once ------------------

  void operator()(call_append& x) const {
    auto done = engine().append(x.block, x.resolved);
    auto failure = done ? error{} : done.error();
    then(core().on_appended(x, done ? std::move(*done) : nullptr, failure,
                            position(engine()), now(self)));
  }
  void operator()(call_abandon&) const {
    auto done = engine().abandon_open();
    then(core().on_abandoned(done ? error{} : done.error(), position(engine()),
                             now(self)));
  }
  void operator()(call_begin_sync&) const {
    then(core().on_sync_begun(engine().begin_sync()));
  }
  void operator()(call_synced& x) const {
    engine().synced(x.order);
    then(core().on_synced(position(engine()), now(self)));
  }
  void operator()(call_retained& x) const {
    then(core().on_retained(engine().retained(x.budget), now(self)));
  }
  void operator()(call_renew&) const {
    auto done = engine().renew();
    then(core().on_renewed(done ? error{} : done.error(), position(engine()),
                           now(self)));
  }
  void operator()(call_releasable&) const {
    then(core().on_releasable(engine().releasable(
      [this](table_id table) { return core().floor_of(table); })));
  }
  void operator()(call_release&) const {
    then(core().on_released(engine().release(
      [this](table_id table) { return core().release_floor(table); })));
  }
  void operator()(call_plan_rewrite& x) const {
    if (self->state.rewriter != nullptr)
      then(core().on_rewrite_planned(engine().plan_rewrite(
        [this](table_id table) { return core().floor_of(table); }, x.up_to)));
  }
  void operator()(call_rewritten& x) const {
    then(
      core().on_rewritten(x.result, engine().rewritten(x.result), now(self)));
  }
  void operator()(call_rewrite_failed& x) const {
    engine().rewrite_failed(x.why, x.at_fault);
  }
  void operator()(plan_scans& x) const {
    then(core().on_planned(x.ticket, engine().plan_scans(x.wishes), now(self)));
  }

  // -- messages ---------------------------------------------------------------

  void operator()(adopt_source&) const { self->state.source = sender(); }
  void operator()(refuse_source& x) const {
    if (auto to = sender())
      self->send(to, std::move(x.message));
  }
  void operator()(source_attached& x) const { tell_source(std::move(x)); }
  void operator()(rows_appended& x) const { tell_source(x); }
  void operator()(append_failed& x) const { tell_source(std::move(x)); }
  void operator()(source_confirmed& x) const { tell_source(x); }
  void operator()(send_progress& x) const {
    self->send(self->state.shards[x.shard], std::move(x.message));
  }
  void operator()(answer_scan& x) const {
    self->send(self->state.shards[x.shard], std::move(x.message));
  }
  void operator()(read_blocks& x) const {
    self->send(self->state.disk, std::move(x));
  }
  void operator()(rewrite_order& x) const {
    self->send(self->state.rewriter, std::move(x));
  }
  void operator()(sync_log& x) const {
    self->send(self->state.disk, std::move(x));
  }
  void operator()(note_lost& x) const {
    self->send(self->state.disk, std::move(x));
  }
  void operator()(remove_segments& x) const {
    self->send(self->state.disk, std::move(x));
  }
  void operator()(store_floor& x) const {
    self->send(self->state.disk, std::move(x));
  }
  void operator()(wake_store& x) const {
    self->delayed_send(self, x.delay, tick{});
  }

private:
  event_store_state& core() const { return self->state.core; }
  log_engine& engine() const { return *self->state.engine; }
  void then(event_store_state::effects effects) const {
    perform_all(self, std::move(effects));
  }
  source_actor sender() const {
    return caf::actor_cast<source_actor>(self->current_sender());
  }
  template <class Message>
  void tell_source(Message message) const {
    if (self->state.source != nullptr)
      self->send(self->state.source, std::move(message));
  }
};

void perform_all(pointer self, event_store_state::effects effects) {
  for (auto& effect : effects)
    std::visit(perform{self}, effect);
}

// The number of the shard that sent the present message.
std::size_t sender_shard(pointer self) {
  auto& shards = self->state.shards;
  auto sender = caf::actor_cast<dispatcher_shard_actor>(self->current_sender());
  auto found = std::find(shards.begin(), shards.end(), sender);
  if (found != shards.end())
    return static_cast<std::size_t>(found - shards.begin());
  if (sender != nullptr)
    self->monitor(sender);
  shards.push_back(sender);
  return shards.size() - 1;
}

void on_down(pointer self, const caf::actor_addr& source) {
  for (std::size_t i = 0; i < self->state.shards.size(); ++i)
    if (self->state.shards[i] == source)
      self->state.core.on_shard_gone(i);
}

store_status status_of(pointer self) {
  const auto& data = self->state;
  auto result = data.core.status(now(self));
  auto stats = data.engine->stats();
  result.rows = stats.rows_appended;
  result.rows_repeated = stats.rows_repeated;
  result.disk_bytes = stats.disk_bytes;
  result.memory_bytes = stats.memory_bytes;
  result.segments = stats.segments;
  result.segments_removed = stats.segments_removed;
  result.bytes_rewritten = stats.bytes_rewritten;
  result.live_bytes = data.engine->live_bytes(
    [&](table_id table) { return data.core.floor_of(table); });
  result.retained_bytes = result.live_bytes
                          - data.engine->live_bytes([&](table_id table) {
                              return std::max(data.core.floor_of(table),
                                              data.core.needed_floor_of(table));
                            });
  if (result.full)
    result.missing_bytes = result.waiting_bytes + data.engine->room_missing();
  return result;
}

} // namespace

event_store_actor::behavior_type
event_store(event_store_actor::stateful_pointer<event_store_data> self,
            event_store_options options, std::shared_ptr<log_engine> engine,
            disk_actor disk, rewriter_actor rewriter) {
  auto& data = self->state;
  data.core = event_store_state{options};
  data.engine = std::move(engine);
  data.disk = std::move(disk);
  data.rewriter = std::move(rewriter);
  self->set_down_handler(
    [=](const caf::down_msg& x) { on_down(self, x.source); });
  perform_all(self, data.core.on_opened(position(*data.engine), now(self)));
  return {
    [=](const attach_source& message) {
      perform_all(self, self->state.core.on_attach_source(message));
    },
    [=](const append_rows& message) {
      perform_all(self, self->state.core.on_append(message, now(self)));
    },
    [=](const attach_shard&) {
      perform_all(self, self->state.core.on_attach_shard(sender_shard(self)));
    },
    [=](const progress_taken& message) {
      perform_all(
        self, self->state.core.on_progress_taken(sender_shard(self), message));
    },
    [=](scan_request& message) {
      perform_all(self, self->state.core.on_scan_request(sender_shard(self),
                                                         std::move(message)));
    },
    [=](const floor_report& message) {
      perform_all(self, self->state.core.on_floor_report(message, now(self)));
    },
    [=](const feeds_loaded& message) {
      perform_all(self, self->state.core.on_feeds_loaded(message, now(self)));
    },
    [=](const feed_removed& message) {
      perform_all(self,
                  self->state.core.on_feed_removed(message.feed, now(self)));
    },
    [=](const known_tables& message) {
      self->state.core.on_known_tables(message);
    },
    [=](const blocks_read& message) {
      perform_all(self, self->state.core.on_blocks_read(message, now(self)));
    },
    [=](const log_synced& message) {
      perform_all(self, self->state.core.on_log_synced(message));
    },
    [=](const lost_noted& message) {
      perform_all(self, self->state.core.on_lost_noted(message, now(self)));
    },
    [=](const segments_removed& message) {
      perform_all(self,
                  self->state.core.on_segments_removed(message, now(self)));
    },
    [=](const log_rewritten& message) {
      perform_all(self, self->state.core.on_log_rewritten(message, now(self)));
    },
    [=](const tick&) {
      perform_all(self, self->state.core.on_tick(now(self)));
    },
    [=](const store_status_query&) { return status_of(self); },
  };
}

} // namespace sluice
