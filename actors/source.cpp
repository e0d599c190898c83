#include "actors/source.hpp"

#include <charconv>
#include <chrono>
#include <exception>

#include <caf/typed_event_based_actor.hpp>

#include "messages/type_ids.hpp"

namespace sluice {

namespace {

using pointer = source_actor::stateful_pointer<source_data>;

// Not a key that a connector would use.
constexpr std::string_view confirmed_key = "sluice:confirmed";

std::chrono::milliseconds now(pointer self) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
    self->clock().now().time_since_epoch());
}

source_read to_read(source_batch batch) {
  auto result = source_read{};
  result.schemas = std::move(batch.schemas);
  result.rows = std::move(batch.rows);
  result.resolved = batch.resolved;
  result.more = batch.more;
  if (batch.copying) {
    result.copying = std::move(batch.copying->table);
    result.copied = batch.copying->rows_done;
    result.copy_total = batch.copying->rows_total;
    result.copied_all = batch.copying->all_done;
    result.copy_all_total = batch.copying->all_total;
  }
  return result;
}

// What an earlier run confirmed; 0 when it can't be read, which is lower and
// therefore safe.
timestamp noted_confirmed(source_journal& journal) {
  auto result = timestamp{};
  auto note = journal.note(confirmed_key);
  if (note && *note)
    std::from_chars((*note)->data(), (*note)->data() + (*note)->size(),
                    result.value);
  return result;
}

expected<bool> confirm(const source_parts& parts, const call_confirm& call) {
  if (call.note) {
    auto noted = parts.journal->set_note(confirmed_key,
                                         std::to_string(call.ts.value));
    if (!noted)
      return tl::unexpected{std::move(noted.error())};
  }
  return parts.connector->confirm(call.ts);
}

/// A connector is somebody's code: what it throws is tried again, too.
template <class Call>
auto guarded(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& x) {
    return fail(errc::source_unavailable, x.what());
  }
}

source_status status_of(const source_data& data) {
  auto result = data.core.status();
  const auto& upstream = *data.parts.connector;
  result.retained_bytes = upstream.retained_bytes().value_or(0);
  result.confirmed_at = upstream.place_of(result.confirmed);
  result.left_out = upstream.left_out();
  return result;
}

void perform_all(pointer self, source_state::effects effects);

/// Carries out what the state decided. The only place that sends, and that
/// calls the connector.
struct perform {
  pointer self;

  // -- the connector: its answer goes back to the state at once ---------------

  void operator()(call_open& x) const {
    auto done = guarded([&] {
      return parts().connector->open({x.resume, x.highest}, *parts().journal);
    });
    auto failure = done ? error{} : done.error();
    then(core().on_opened(done ? std::move(*done) : std::vector<ddl_event>{},
                          failure, now(self)));
  }
  void operator()(call_read& x) const {
    auto done = guarded([&] { return parts().connector->read(x.bytes_max); });
    auto failure = done ? error{} : done.error();
    then(core().on_read(done ? to_read(std::move(*done)) : source_read{},
                        failure, now(self)));
  }
  void operator()(call_confirm& x) const {
    auto done = guarded([&] { return confirm(parts(), x); });
    core().on_confirmed(done && *done, done ? error{} : done.error());
  }

  // -- messages ---------------------------------------------------------------

  template <class Message>
  void operator()(to_partition<Message>& x) const {
    self->send(parts().stores[x.place], std::move(x.message));
  }
  void operator()(declare_schemas& x) const {
    self->send(parts().schemas, std::move(x));
  }
  void operator()(schema_resolved& x) const { self->send(parts().schemas, x); }
  void operator()(wake_source& x) const {
    if (x.delay.count() == 0)
      self->send(self, tick{});
    else
      self->delayed_send(self, x.delay, tick{});
  }
  void operator()(wait_idle& x) const {
    self->delayed_send(self, parts().connector->idle_wait(x.empty_reads),
                       tick{});
  }
  void operator()(source_stopped&) const {
    for (auto& promise : self->state.stops)
      promise.deliver(status_of(self->state));
    self->state.stops.clear();
  }

private:
  source_state& core() const { return self->state.core; }
  source_parts& parts() const { return self->state.parts; }
  void then(source_state::effects effects) const {
    perform_all(self, std::move(effects));
  }
};

void perform_all(pointer self, source_state::effects effects) {
  for (auto& effect : effects)
    std::visit(perform{self}, effect);
}

caf::typed_response_promise<source_status> stop(pointer self) {
  auto promise = self->make_response_promise<source_status>();
  self->state.stops.push_back(promise);
  perform_all(self, self->state.core.on_stop());
  return promise;
}

} // namespace

source_actor::behavior_type
source(source_actor::stateful_pointer<source_data> self, source_options options,
       source_parts parts) {
  self->state.core = source_state{std::move(options)};
  self->state.parts = std::move(parts);
  return {
    [=](const start_source&) {
      auto noted = noted_confirmed(*self->state.parts.journal);
      perform_all(self, self->state.core.on_start(noted));
    },
    [=](const source_attached& message) {
      perform_all(self, self->state.core.on_attached(message));
    },
    [=](const rows_appended& message) {
      perform_all(self, self->state.core.on_rows_appended(message, now(self)));
    },
    [=](const append_failed& message) {
      perform_all(self, self->state.core.on_append_failed(message, now(self)));
    },
    [=](const source_confirmed& message) {
      perform_all(self,
                  self->state.core.on_source_confirmed(message, now(self)));
    },
    [=](const schemas_declared& message) {
      perform_all(self, self->state.core.on_declared(message, now(self)));
    },
    [=](const tick&) {
      perform_all(self, self->state.core.on_tick(now(self)));
    },
    [=](const stop_source&) { return stop(self); },
    [=](const source_status_query&) { return status_of(self->state); },
  };
}

} // namespace sluice
