#include "actors/service_wiring.hpp"

#include <utility>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/broker.hpp"
#include "actors/collector.hpp"
#include "actors/collector_shard.hpp"
#include "actors/disk.hpp"
#include "actors/dispatcher_shard.hpp"
#include "actors/event_store.hpp"
#include "actors/rewriter.hpp"
#include "actors/schema_store.hpp"
#include "actors/sinks/callback_sink.hpp"
#include "actors/sinks/connector_sink.hpp"
#include "actors/source.hpp"

namespace sluice {

namespace {

/// Spawns what blocks, in a thread of its own unless a test wants it here.
template <class Function, class... Args>
auto spawn_blocking(caf::actor_system& system, wiring::blocking where,
                    Function function, Args&&... args) {
  if (where == wiring::blocking::detached)
    return system.spawn<caf::detached>(function, std::forward<Args>(args)...);
  return system.spawn(function, std::forward<Args>(args)...);
}

} // namespace

wiring::wiring(caf::actor_system& system, blocking where,
               std::chrono::milliseconds tick_interval)
  : system_{system}, where_{where}, tick_interval_{tick_interval} {
  // nop
}

void wiring::start_node(const collector_shard_options& options) {
  actors_.broker = system_.spawn(broker);
  actors_.collector_shard = system_.spawn(collector_shard, options,
                                          actors_.broker, tick_interval_);
  actors_.collector = system_.spawn(collector);
  caf::anon_send(actors_.collector, serve_feeds{}, actors_.collector_shard);
}

void wiring::start_schemas(table_history history, std::size_t partitions) {
  actors_.schemas = spawn_blocking(
    system_, where_, schema_store,
    std::make_shared<table_history>(std::move(history)), partitions);
  caf::anon_send(actors_.collector, watch_tables{}, actors_.schemas);
}

void wiring::start_partition(const event_store_options& store,
                             const dispatcher_shard_options& shard,
                             std::shared_ptr<log_engine> engine,
                             const std::string& directory) {
  auto part = partition_actors{};
  part.id = store.partition;
  part.disk = spawn_blocking(system_, where_, disk,
                             disk_options{part.id, directory}, engine->disk());
  if (auto log = engine->rewriter(); log != nullptr)
    part.rewriter = spawn_blocking(system_, where_, rewriter, std::move(log));
  part.store = system_.spawn(event_store, store, std::move(engine), part.disk,
                             part.rewriter);
  part.shard = system_.spawn(dispatcher_shard, shard, part.store,
                             actors_.schemas, tick_interval_);
  caf::anon_send(actors_.broker, serve_partition{part.id}, part.shard);
  actors_.partitions.push_back(std::move(part));
}

void wiring::tell_stores(const feeds_loaded& x) {
  for (const auto& part : actors_.partitions)
    caf::anon_send(part.store, x);
}

void wiring::tell_store(std::size_t place, feeds_loaded x) {
  caf::anon_send(actors_.partitions[place].store, std::move(x));
}

void wiring::start_source(source_options options,
                          std::shared_ptr<source_connector> connector,
                          std::shared_ptr<source_journal> journal) {
  auto parts = source_parts{};
  parts.connector = std::move(connector);
  parts.journal = std::move(journal);
  parts.schemas = actors_.schemas;
  options.partitions.clear();
  for (const auto& part : actors_.partitions) {
    parts.stores.push_back(part.store);
    options.partitions.push_back(part.id);
  }
  actors_.source = spawn_blocking(system_, where_, source, std::move(options),
                                  std::move(parts));
  caf::anon_send(actors_.source, sluice::start_source{});
}

void wiring::start_sink(const feed_record& feed,
                        const connector_sink_options& how,
                        std::shared_ptr<sink_connector> target) {
  subscribe(feed, spawn_blocking(system_, where_, connector_sink, how,
                                 std::move(target)));
}

void wiring::start_sink(const feed_record& feed,
                        const callback_sink_options& how,
                        std::shared_ptr<position_keeper> positions,
                        change_callback callback) {
  subscribe(feed, spawn_blocking(system_, where_, callback_sink, how,
                                 std::move(positions), std::move(callback)));
}

void wiring::subscribe(const feed_record& feed, sink_actor sink) {
  caf::anon_send(actors_.collector, subscribe_feed{feed}, sink);
  actors_.sinks[feed.id] = std::move(sink);
}

void wiring::start_sink(const feed_record& feed, sink_actor sink) {
  guests_.insert(feed.id);
  subscribe(feed, std::move(sink));
}

sink_actor wiring::stop_sink(feed_id feed) {
  auto i = actors_.sinks.find(feed);
  if (i == actors_.sinks.end())
    return {};
  auto sink = std::move(i->second);
  actors_.sinks.erase(i);
  caf::anon_send(actors_.collector, unsubscribe_feed{feed});
  if (guests_.erase(feed) == 0)
    caf::anon_send_exit(sink, caf::exit_reason::user_shutdown);
  return sink;
}

void wiring::remove_feed(feed_id feed) {
  stop_sink(feed);
  for (const auto& part : actors_.partitions)
    caf::anon_send(part.store, feed_removed{feed});
}

std::vector<caf::strong_actor_ptr> wiring::stop() {
  auto ending = std::vector<caf::strong_actor_ptr>{};
  auto end = [&](const auto& x) {
    if (!x)
      return;
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    ending.push_back(caf::actor_cast<caf::strong_actor_ptr>(x));
  };
  end(actors_.source);
  for (const auto& part : actors_.partitions) {
    end(part.store);
    end(part.disk);
    end(part.rewriter);
    end(part.shard);
  }
  end(actors_.schemas);
  end(actors_.broker);
  end(actors_.collector);
  end(actors_.collector_shard);
  for (const auto& [feed, sink] : actors_.sinks)
    if (!is_guest(feed))
      end(sink);
  actors_ = {};
  guests_.clear();
  return ending;
}

} // namespace sluice
