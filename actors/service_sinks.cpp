#include <algorithm>
#include <chrono>
#include <thread>
#include <tuple>
#include <utility>

#include "actors/service_impl.hpp"
#include "messages/type_ids.hpp"

/// The service's other half: subscriptions, questions, the end.
namespace sluice {

namespace {

using namespace std::chrono_literals;

constexpr auto flush_poll = 2ms;

/// `source shop: keeps 48 MiB after 0/1A2B3C, because feed "search" (confirm =
/// sinks) has no more yet`
std::string held_back(const std::string& source, const source_status& x,
                      const std::string& feed) {
  auto bytes = x.retained_bytes;
  auto kept = bytes == 0        ? std::string{"what came"}
              : bytes < 1 << 20 ? std::to_string((bytes + 1023) >> 10) + " KiB"
                                : std::to_string(bytes >> 20) + " MiB";
  return "source " + source + ": keeps " + kept + " after " + x.confirmed_at
         + ", because feed \"" + feed + "\" (confirm = sinks) has no more yet";
}

} // namespace

// -- subscriptions ------------------------------------------------------------

expected<feed_record> service::impl::not_delivered(std::string_view feed) {
  if (auto ok = running(); !ok)
    return tl::unexpected(ok.error());
  auto record = feed_named(feed);
  if (record && parts.actors().sinks.contains(record->id))
    return fail(errc::duplicate_name,
                "feed \"" + record->name + "\" is delivered already",
                "Call unsubscribe first, or use another feed.");
  return record;
}

status service::subscribe(std::string_view feed,
                          std::unique_ptr<sink_connector> sink) {
  auto record = impl_->not_delivered(feed);
  if (!record)
    return tl::unexpected(record.error());
  if (!impl_->directory_id.empty())
    sink->set_directory(impl_->directory_id);
  impl_->parts.start_sink(*record, connector_sink_options{}, std::move(sink));
  return {};
}

status service::subscribe(std::string_view feed, change_callback callback) {
  auto record = impl_->not_delivered(feed);
  if (!record)
    return tl::unexpected(record.error());
  auto& positions = impl_->kept_positions[record->id];
  if (!positions)
    positions = impl_->options.directory.empty()
                  ? keep_positions_in_memory()
                  : keep_positions_in(impl_->options.directory);
  impl_->parts.start_sink(*record, callback_sink_options{}, positions,
                          std::move(callback));
  return {};
}

status service::subscribe(std::string_view feed, const sink_handle& sink) {
  auto record = impl_->not_delivered(feed);
  if (!record)
    return tl::unexpected(record.error());
  if (!sink.actor || &sink.actor.home_system() != &impl_->system)
    return fail(errc::invalid_option,
                "feed \"" + record->name
                  + "\": the sink is no actor of the system that the service "
                    "was opened in",
                "Spawn it in that actor system.");
  for (const auto& [other, known] : impl_->parts.actors().sinks)
    if (known == sink.actor) // who answers is how its feed is known
      return fail(errc::invalid_option,
                  "feed \"" + record->name
                    + "\": that actor is the sink of another feed already",
                  "Spawn one for each feed.");
  impl_->parts.start_sink(*record, sink.actor);
  return {};
}

status service::unsubscribe(std::string_view feed) {
  auto record = impl_->feed_named(feed);
  if (!record)
    return tl::unexpected(record.error());
  if (!impl_->parts.actors().sinks.contains(record->id))
    return fail(errc::unknown_feed, "\"" + record->name + "\" is not delivered",
                "Call subscribe first.");
  impl_->end_sink(record->id);
  return {};
}

/// Waits until the sink has let go: the next one uses the same positions.
void service::impl::end_sink(feed_id feed) {
  auto guest = parts.is_guest(feed);
  auto sink = parts.stop_sink(feed);
  if (!sink)
    return;
  if (!guest) {
    auto self = caf::scoped_actor{system};
    self->wait_for(sink);
    return;
  }
  // An answer means that everything told before has arrived: first at
  // COLLECTOR, by then at its shard. That one sends no more then.
  std::ignore = ask<feed_status>(parts.actors().collector,
                                 feed_status_query{feed});
  std::ignore = ask<feed_status>(parts.actors().collector_shard,
                                 feed_status_query{feed});
}

// -- asking -------------------------------------------------------------------

expected<feed_status> service::status_of(std::string_view feed) {
  auto record = impl_->feed_named(feed);
  if (!record)
    return tl::unexpected(record.error());
  auto answer = impl_->ask<feed_status>(impl_->parts.actors().collector,
                                        feed_status_query{record->id});
  if (answer && answer->failure.code == errc::unknown_feed)
    return fail(errc::unknown_feed, "\"" + record->name + "\" is not delivered",
                "Call subscribe first.");
  return answer;
}

expected<source_status> service::source() {
  if (auto ok = impl_->running(); !ok)
    return tl::unexpected(ok.error());
  if (!impl_->parts.actors().source)
    return fail(errc::source_unavailable, "no source was added",
                "Call add_source first.");
  auto answer = impl_->ask<source_status>(impl_->parts.actors().source,
                                          source_status_query{});
  if (!answer || !answer->held_by)
    return answer;
  auto all = feeds();
  if (!all)
    return tl::unexpected(all.error());
  for (const auto& feed : *all)
    if (feed.id == answer->held_by)
      answer->held_back = held_back(impl_->upstream, *answer, feed.name);
  return answer;
}

expected<std::vector<store_status>> service::log() {
  auto result = std::vector<store_status>{};
  for (const auto& partition : impl_->parts.actors().partitions) {
    auto one = impl_->ask<store_status>(partition.store, store_status_query{});
    if (!one)
      return tl::unexpected(one.error());
    result.push_back(std::move(*one));
  }
  return result;
}

expected<std::vector<reset_record>> service::resets() {
  auto result = std::vector<reset_record>{};
  for (const auto& partition : impl_->parts.actors().partitions) {
    auto one = impl_->ask<reset_log>(partition.shard, reset_log_query{});
    if (!one)
      return tl::unexpected(one.error());
    result.insert(result.end(), one->records.begin(), one->records.end());
  }
  return result;
}

const service_actors& service::actors() const {
  return impl_->parts.actors();
}

// -- stopping -----------------------------------------------------------------

bool service::impl::flushed(timestamp resolved,
                            std::chrono::milliseconds patience) {
  for (const auto& [feed, sink] : parts.actors().sinks) {
    auto x = ask<feed_status>(parts.actors().collector, feed_status_query{feed},
                              patience);
    if (!x)
      return false;
    if (x->stopped)
      continue; // it will not get further
    if (x->failure)
      return false; // its sink may come back
    if (x->tables > 0 && (x->resolved < resolved || !x->unflushed.empty()))
      return false;
  }
  return true;
}

std::vector<unflushed_table> service::stop(std::chrono::milliseconds deadline) {
  auto& x = *impl_;
  auto result = std::vector<unflushed_table>{};
  if (x.stopped)
    return result;
  auto until = std::chrono::steady_clock::now() + deadline;
  auto left = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
  };
  if (x.parts.actors().source) {
    auto last = x.ask<source_status>(x.parts.actors().source, stop_source{},
                                     std::max(left(), 1ms));
    while (last && left() > 0ms && !x.flushed(last->resolved, left()))
      std::this_thread::sleep_for(flush_poll);
  }
  for (const auto& [feed, sink] : x.parts.actors().sinks) {
    auto last = x.ask<feed_status>(x.parts.actors().collector,
                                   feed_status_query{feed}, 1s);
    if (last)
      result.insert(result.end(), last->unflushed.begin(),
                    last->unflushed.end());
  }
  x.exit_all();
  return result;
}

void service::impl::exit_all() {
  stopped = true;
  auto self = caf::scoped_actor{system};
  self->wait_for(parts.stop()); // and not for others in the same system
  lock.reset();                 // Another one may be opened now.
}

} // namespace sluice
