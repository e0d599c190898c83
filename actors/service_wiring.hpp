#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <caf/actor_control_block.hpp>

#include "actors/collector_shard_state.hpp"
#include "actors/dispatcher_shard_state.hpp"
#include "actors/event_store_state.hpp"
#include "actors/service_actors.hpp"
#include "actors/sinks/callback.hpp"
#include "actors/sinks/callback_sink_state.hpp"
#include "actors/sinks/connector_sink_state.hpp"
#include "actors/sinks/position_keeper.hpp"
#include "actors/sinks/sink_connector.hpp"
#include "actors/source_state.hpp"
#include "actors/sources/source_connector.hpp"
#include "store/log_engine.hpp"
#include "store/table_history.hpp"

/// Spawns the actors and joins them: the only place that knows the whole path.
namespace sluice {

class wiring {
public:
  /// Where actors run that wrap something blocking.
  enum class blocking {
    detached,  ///< In threads of their own.
    scheduled, ///< As all others: tests decide the order of every step.
  };

  wiring(caf::actor_system& system, blocking where,
         std::chrono::milliseconds tick_interval = std::chrono::milliseconds{
           50});

  /// BROKER, COLLECTOR, COLLECTOR_SHARD.
  void start_node(const collector_shard_options& options);
  /// SCHEMA_STORE of the one upstream.
  /// @param partitions How many will be started.
  void start_schemas(table_history history, std::size_t partitions = 1);
  /// DISK, EVENT_STORE, DISPATCHER_SHARD. @pre schemas are started
  void start_partition(const event_store_options& store,
                       const dispatcher_shard_options& shard,
                       std::shared_ptr<log_engine> engine,
                       const std::string& directory);
  /// Event stores learn of feeds, floors and losses. @see feeds_loaded
  void tell_stores(const feeds_loaded& x);
  /// @param place Of the partition, from 0.
  void tell_store(std::size_t place, feeds_loaded x);
  /// SOURCE; it begins to read. @pre partitions are started
  void start_source(source_options options,
                    std::shared_ptr<source_connector> connector,
                    std::shared_ptr<source_journal> journal);

  /// SINK; the feed begins to flow.
  void start_sink(const feed_record& feed, const connector_sink_options& how,
                  std::shared_ptr<sink_connector> target);
  void start_sink(const feed_record& feed, const callback_sink_options& how,
                  std::shared_ptr<position_keeper> positions,
                  change_callback callback);
  /// An actor of the application's, which this never ends.
  void start_sink(const feed_record& feed, sink_actor sink);
  [[nodiscard]] bool is_guest(feed_id feed) const {
    return guests_.contains(feed);
  }
  /// @returns The sink; null if there is none. It is ending, unless it was a
  ///          guest.
  sink_actor stop_sink(feed_id feed);
  void remove_feed(feed_id feed);

  /// Ends all actors but guests, from the source on.
  /// @returns Those that are ending.
  std::vector<caf::strong_actor_ptr> stop();

  [[nodiscard]] const service_actors& actors() const { return actors_; }

private:
  void subscribe(const feed_record& feed, sink_actor sink);

  caf::actor_system& system_;
  blocking where_;
  std::chrono::milliseconds tick_interval_;
  service_actors actors_;
  std::set<feed_id> guests_; // feeds whose sink is the application's
};

} // namespace sluice
