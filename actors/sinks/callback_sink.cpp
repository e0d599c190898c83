#include "actors/sinks/callback_sink.hpp"

#include <exception>
#include <utility>

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

namespace sluice {

namespace {

using pointer = sink_actor::stateful_pointer<callback_sink_data>;
using state = callback_sink_state;

state::duration now(pointer self) {
  return self->clock().now().time_since_epoch();
}

void run(pointer self, state::effects effects);

// The application may keep it for ever, so it must not keep the sink: an
// actor system does not end before its actors do.
acknowledger make_acknowledger(pointer self, const acknowledge& answer) {
  auto weak = caf::actor_cast<caf::weak_actor_ptr>(self);
  return acknowledger{[weak, answer] {
    if (auto sink = caf::actor_cast<caf::strong_actor_ptr>(weak))
      caf::anon_send(caf::actor_cast<sink_actor>(std::move(sink)), answer);
  }};
}

status call_back(pointer self, state::call& x) {
  try {
    return self->state.callback(change_batch{std::move(x.rows), x.order},
                                make_acknowledger(self, x.answer));
  } catch (const std::exception& failure) {
    return fail(errc::sink_unavailable,
                std::string{"the callback threw: "} + failure.what());
  } catch (...) {
    return fail(errc::sink_unavailable, "the callback threw");
  }
}

/// Carries out what the state decided. The only place that sends, that stores
/// and that calls the callback.
struct perform {
  pointer self;

  void operator()(state::load_positions& x) const {
    auto& s = self->state;
    run(self, s.core.on_loaded(s.positions->open(x.feed)));
  }
  void operator()(state::call& x) const {
    auto done = call_back(self, x);
    run(self, self->state.core.on_returned(x.answer, done));
  }
  void operator()(state::store_positions& x) const {
    auto& s = self->state;
    auto done = s.positions->store(x.writer, x.positions, x.low_watermark);
    run(self, s.core.on_stored(x.writer, done, now(self)));
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
callback_sink(pointer self, const callback_sink_options& options,
              std::shared_ptr<position_keeper> positions,
              change_callback callback) {
  self->state.core = callback_sink_state{options};
  self->state.positions = std::move(positions);
  self->state.callback = std::move(callback);
  self->set_exit_handler([=](const caf::exit_msg& x) {
    run(self, self->state.core.on_stop());
    self->quit(x.reason);
  });
  return {
    [=](const open_sink& x) { open(self, x); },
    [=](write_rows& x) {
      run(self, self->state.core.on_write_rows(std::move(x), now(self)));
    },
    [=](const store_watermark& x) {
      run(self, self->state.core.on_store_watermark(x, now(self)));
    },
    [=](const acknowledge& x) {
      run(self, self->state.core.on_acknowledge(x, now(self)));
    },
    [=](tick) { run(self, self->state.core.on_tick(now(self))); },
  };
}

} // namespace sluice
