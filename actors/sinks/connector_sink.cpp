#include "actors/sinks/connector_sink.hpp"

#include <exception>
#include <utility>

#include "actors/sinks/commit_order.hpp"

namespace sluice {

namespace {

using pointer = sink_actor::stateful_pointer<connector_sink_data>;
using state = connector_sink_state;

state::duration now(pointer self) {
  return self->clock().now().time_since_epoch();
}

void run(pointer self, state::effects effects);

// A connector is others' code: what it throws counts as a lost connection.
template <class Call>
auto guarded(sink_connector& target, Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& x) {
    return fail(errc::sink_unavailable, target.describe() + ": " + x.what());
  }
}

expected<sink_opened> open_target(sink_connector& target,
                                  const feed_record& feed) {
  return guarded(target, [&]() -> expected<sink_opened> {
    auto x = target.open(feed);
    if (!x)
      return tl::unexpected{std::move(x.error())};
    return sink_opened{x->writer, std::move(x->positions), x->low_watermark};
  });
}

// Rows of a table that stand together stay together.
status write_in_order(sink_connector& target,
                      const std::vector<write_item>& items) {
  auto order = commit_order(items);
  if (order.empty())
    for (std::uint32_t i = 0; i < items.size(); ++i)
      for (std::uint32_t k = 0; k < items[i].count; ++k)
        order.push_back({i, k});
  for (std::size_t i = 0; i < order.size();) {
    auto at = order[i];
    auto count = std::uint32_t{0};
    while (i < order.size() && order[i] == row_place{at.item, at.row + count}) {
      ++count;
      ++i;
    }
    const auto& x = items[at.item];
    auto done = target.write({x.schema, x.block, x.first + at.row, count});
    if (!done)
      return done;
  }
  return {};
}

status write_items(sink_connector& target,
                   const std::vector<write_item>& items) {
  return guarded(target, [&]() -> status {
    if (target.wants_commit_order())
      return write_in_order(target, items);
    for (const auto& x : items)
      if (auto done = target.write({x.schema, x.block, x.first, x.count});
          !done)
        return done;
    return {};
  });
}

/// Carries out what the state decided. The only place that sends, and that
/// calls the connector.
struct perform {
  pointer self;

  void operator()(state::connect& x) const {
    auto& s = self->state;
    run(self, s.core.on_connected(open_target(*s.target, x.feed)));
  }
  void operator()(state::write_target& x) const {
    auto& s = self->state;
    auto done = write_items(*s.target, x.items);
    run(self, s.core.on_written(done, now(self)));
  }
  void operator()(state::commit_target& x) const {
    auto& s = self->state;
    auto done = guarded(*s.target, [&] {
      return s.target->commit(x.positions, x.low_watermark);
    });
    run(self, s.core.on_committed(done, now(self)));
  }
  void operator()(state::tick_after& x) const {
    if (x.delay.count() == 0)
      self->send(self, tick{});
    else
      self->delayed_send(self, x.delay, tick{});
  }
  template <class Answer>
  void operator()(Answer& x) const {
    self->send(self->state.upstream, std::move(x));
  }
};

void run(pointer self, state::effects effects) {
  for (auto& x : effects)
    std::visit(perform{self}, x);
}

void open(pointer self, const open_sink& x) {
  self->state.upstream = caf::actor_cast<collector_shard_actor>(
    self->current_sender());
  run(self, self->state.core.on_open_sink(x));
}

} // namespace

sink_actor::behavior_type
connector_sink(pointer self, const connector_sink_options& options,
               std::shared_ptr<sink_connector> target) {
  self->state.core = connector_sink_state{options};
  self->state.target = std::move(target);
  return {
    [=](const open_sink& x) { open(self, x); },
    [=](write_rows& x) {
      run(self, self->state.core.on_write_rows(std::move(x)));
    },
    [=](const store_watermark& x) {
      run(self, self->state.core.on_store_watermark(x, now(self)));
    },
    [=](acknowledge) { /* Only a callback acknowledges. */ },
    [=](tick) { run(self, self->state.core.on_tick(now(self))); },
  };
}

} // namespace sluice
