#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/collector_shard_state.hpp"
#include "actors/service_actors.hpp"
#include "actors/sources/journal.hpp"
#include "messages/type_ids.hpp"
#include "store/table_history.hpp"
#include "tests/simulation/world/arrival.hpp"
#include "tests/simulation/world/partition.hpp"
#include "tests/simulation/world/scheduler.hpp"
#include "tests/simulation/world/target.hpp"

namespace sluice::simulation {

/// What a schedule was and what came of it.
struct outcome {
  std::optional<violation> broken;
  bool planted = false;    ///< A violation was put in by hand.
  std::uint64_t steps = 0; ///< Messages that an actor handled.
  std::uint64_t rows = 0;  ///< Committed at the source.
  std::uint64_t trace = 0; ///< Of all steps: the same seed gives the same.
  fault_counts faults{};
  rules::counters evaluations{};
  std::map<std::string_view, std::uint64_t> probes;
  std::vector<std::uint32_t> choices; ///< That lead here.
};

/// The real actors from source to sinks, on one thread, with a virtual clock.
/// Between the collecting side and each partition is a link that loses,
/// repeats, reorders and breaks. Feeds: one by table; one in the order of
/// transactions or, with several partitions, of some tables; one that comes
/// and goes; and, in some schedules, one that nobody takes, which keeps all
/// rows in the log.
class world {
public:
  /// Called with a line per step.
  using observer = std::function<void(const std::string&)>;

  world(const schedule_options& how, choices choose, observer watch = {});
  explicit world(const schedule_options& how, observer watch = {})
    : world{how, choices{how.seed}, std::move(watch)} {
    // nop
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world();

  /// Faults for a while, then none, until all targets have all rows.
  [[nodiscard]] outcome run();

private:
  static constexpr auto feeds = std::size_t{3}; // with a target
  static constexpr auto goes = std::size_t{2};  // the one that comes and goes

  struct at_broker;
  struct at_shard;
  struct at_collector;
  struct at_schemas;

  // -- parts that come and go (world.cpp) -------------------------------------

  void start_link(partition& p);
  void cut_link(partition& p);
  void start_store(partition& p);
  void start_broker();
  void start_source();
  void start_serving();
  void start_collecting();
  void subscribe(std::size_t feed);
  void unsubscribe(std::size_t feed);
  void end_sink(std::size_t feed);
  void end_source();
  void end_broker();
  void end_serving(bool power_lost);
  void end_collecting(bool sinks_stay);
  void kill(std::vector<caf::strong_actor_ptr> doomed);

  // -- time and choice (world_steps.cpp) --------------------------------------

  [[nodiscard]] bool step_actor();
  [[nodiscard]] std::optional<std::size_t> choose_actor();
  [[nodiscard]] bool step_link(bool faulty);
  void advance(std::chrono::milliseconds by);
  void act();
  void misbehave();
  bool happens(fault x);
  void stall(caf::actor_id who, std::uint64_t acts);
  [[nodiscard]] bool waits(caf::actor_id who) const;
  /// What somebody would ask for who knows only an older checkpoint.
  reset_streams changed(partition& p, reset_streams x);
  template <class Message>
  static const Message& changed(partition&, const Message& x) {
    return x;
  }
  void fail_targets();
  void fail_disks();
  void end_roles();
  void end_process(bool power_lost);
  void heal();
  [[nodiscard]] bool
  has_failed(std::initializer_list<test::disk_call> calls) const;
  void settle();
  void note(const std::string& what);

  // -- looking (world_checks.cpp) ---------------------------------------------

  void before_step(const arrival& x, caf::actor_id who);
  void note_restored();
  void look_at_shard(partition& p, const arrival& x);
  void look_at_scan(const partition& p, const scan_answer& x);
  void check_shard(partition& p);
  void check_stream(std::size_t feed, std::uint64_t table, const partition& p);
  void check_resets(partition& p);
  void check_floors(partition& p);
  void check_store(partition& p);
  void check_confirmed(timestamp ts);
  void check_rest();
  [[nodiscard]] bool converged() const;
  [[nodiscard]] bool even() const;
  [[nodiscard]] std::size_t registered_here() const;
  [[nodiscard]] std::size_t registered_there() const;
  [[nodiscard]] bool whole(std::size_t feed) const;
  [[nodiscard]] const stream_state* stream_of(std::size_t feed,
                                              std::uint64_t table) const;
  [[nodiscard]] const partition& partition_with(std::uint64_t table) const;
  [[nodiscard]] std::string why_not() const;

  schedule_options how_;
  choices choose_;
  observer watch_;
  history truth_;
  rules checks_;
  outcome result_;

  caf::actor_system system_;
  caf::scheduler::test_coordinator& jobs_;
  scheduler order_;

  // What survives the end of the process.
  std::shared_ptr<table_history> schemas_;
  std::shared_ptr<source_journal> journal_ = make_memory_journal();
  std::vector<partition> partitions_;
  std::vector<feed_record> records_;
  std::vector<std::unique_ptr<target>> targets_;
  std::set<std::size_t> subscribed_;
  std::uint64_t stores_ = 0;
  std::uint64_t writers_ = 0;
  std::uint64_t nodes_ = 0;
  std::shared_ptr<std::uint64_t> source_fails_ =
    std::make_shared<std::uint64_t>(0);

  service_actors actors_; // its partitions are in `partitions_`
  const collector_shard_state* collecting_ = nullptr; // its state stays there
  broker_actor far_broker_; // what the collecting side sees of it
  lane asks_;               // look-ups on their way to SCHEMA_STORE
  bool asks_wait_ = false;
  bool source_waits_ = false; // for the collector to watch the tables
  std::vector<caf::strong_actor_ptr> former_sinks_;
  bool killing_ = false;
  caf::actor_id stalled_ = 0;       // it does nothing ...
  std::uint64_t stalled_until_ = 0; // ... until so much was done
  caf::actor_id slow_ = 0;          // it handles one message ...
  std::uint64_t slow_by_ = 0;       // ... while so much is done
  std::uint64_t slow_until_ = 0;
  std::uint64_t acts_ = 0;
  fault_counts faults_{};

  std::map<registration_id, timestamp> checkpoints_; // as seen last
  // Registrations that believe what their target has lost.
  std::set<registration_id> before_restore_;
};

} // namespace sluice::simulation
