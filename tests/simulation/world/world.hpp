#pragma once

#include <array>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/collector_shard_state.hpp"
#include "actors/dispatcher_shard_state.hpp"
#include "actors/service_actors.hpp"
#include "actors/sources/journal.hpp"
#include "messages/type_ids.hpp"
#include "store/log_engine.hpp"
#include "store/table_history.hpp"
#include "tests/simulation/world/link.hpp"
#include "tests/simulation/world/scheduler.hpp"
#include "tests/simulation/world/target.hpp"

namespace sluice::simulation {

/// What a schedule was and what came of it.
struct outcome {
  std::optional<violation> broken;
  std::uint64_t steps = 0; ///< Messages that an actor handled.
  std::uint64_t rows = 0;  ///< Committed at the source.
  std::uint64_t trace = 0; ///< Of all steps: the same seed gives the same.
  std::map<std::string, std::uint64_t> faults;
  rules::counters evaluations{};
  std::map<std::string, std::uint64_t> probes; ///< Rare situations reached.
};

/// The real actors from source to sinks, on one thread, with a virtual clock.
/// Between the two shards is a link that loses, repeats and reorders. Three
/// feeds: one by table, one in the order of transactions, and one that nobody
/// subscribes to, which keeps all rows in the log.
class world {
public:
  /// Called with a line per step.
  using observer = std::function<void(const std::string&)>;

  explicit world(const schedule_options& how, observer watch = {});
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world();

  /// Faults for a while, then none, until all targets have all rows.
  [[nodiscard]] outcome run();

private:
  static constexpr auto feeds = std::size_t{2}; // with a target

  struct configuration : caf::actor_system_config {
    configuration();
  };
  friend struct to_broker;
  friend struct to_shard;
  friend struct to_collector;

  // -- parts that come and go -------------------------------------------------

  void start_link();
  void start_serving();
  void start_collecting();
  void crash_collecting();
  void crash_process();
  void kill(std::vector<caf::strong_actor_ptr> doomed);

  // -- time and choice --------------------------------------------------------

  [[nodiscard]] bool step_actor();
  [[nodiscard]] bool step_link(const fault_options& faults);
  void advance(std::chrono::milliseconds by);
  void act();
  void misbehave();
  void settle();
  [[nodiscard]] bool converged() const;
  [[nodiscard]] const stream_state* stream_of(std::size_t feed,
                                              std::uint64_t table) const;

  // -- looking ----------------------------------------------------------------

  void check();
  void check_resets();
  [[nodiscard]] std::string why_not() const;
  void note(const std::string& what);

  schedule_options how_;
  observer watch_;
  dice luck_;
  history truth_;
  rules checks_;
  outcome result_;

  configuration config_;
  caf::actor_system system_{config_};
  caf::scheduler::test_coordinator& jobs_;
  scheduler order_;

  // What survives a crash.
  std::shared_ptr<log_engine> engine_;
  std::shared_ptr<table_history> schemas_ = nullptr;
  std::shared_ptr<source_journal> journal_ = make_memory_journal();
  std::array<feed_record, feeds + 1> records_;
  std::array<std::shared_ptr<target>, feeds> targets_;
  std::uint64_t stores_ = 0;
  std::uint64_t writers_ = 0;
  std::uint64_t nodes_ = 0;

  service_actors actors_;
  // Of the actors that are there; states do not move.
  const collector_shard_state* collecting_ = nullptr;
  const dispatcher_shard_state* serving_ = nullptr;
  caf::actor_id serving_id_ = 0;
  broker_actor far_broker_; // what the collector's side sees
  dispatcher_shard_actor far_shard_;
  collector_shard_actor far_collector_; // what the dispatcher's side sees
  lane up_;
  lane down_;
  lane::counters link_;
  std::map<registration_id, timestamp> checkpoints_;
  std::set<registration_id> before_restore_;
  std::size_t resets_seen_ = 0;
};

} // namespace sluice::simulation
