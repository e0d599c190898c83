#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "actors/dispatcher_shard_state.hpp"
#include "actors/event_store_state.hpp"
#include "actors/service_actors.hpp"
#include "store/log_engine.hpp"
#include "tests/simulation/world/link.hpp"
#include "tests/simulation/world/wire.hpp"
#include "tests/support/simulated_disk.hpp"

namespace sluice::simulation {

/// One partition of the simulated service, with the link to its shard.
struct partition {
  partition_id id;

  // What survives the end of the process.
  std::map<table_id, timestamp> lost;          ///< Noted before rows went.
  std::shared_ptr<test::simulated_disk> media; ///< Null: a log in memory.
  std::uint64_t segment_bytes = 0;
  std::uint64_t tail_bytes = 0;

  std::shared_ptr<log_engine> engine; ///< One in memory survives, too.

  // Its actors; what is seen of their states while they are there.
  partition_actors actors;
  const dispatcher_shard_state* serving = nullptr;
  const event_store_state* keeping = nullptr;
  caf::actor_id shard_id = 0;
  caf::actor_id store_id = 0;
  caf::actor_id disk_id = 0;

  // The link. `far` is what the other side sees.
  dispatcher_shard_actor far_shard;
  collector_shard_actor far_collector;
  schema_store_actor far_schemas; ///< On the way there look-ups may wait.
  lane up;
  lane down;
  std::unique_ptr<wire> ear;

  // What the checks have seen.
  std::pair<registration_id, epoch> last_reset;
  std::map<std::uint64_t, timestamp> floors; ///< By table.
  std::optional<floor_report> reported;      ///< Arrives at the store.
  std::set<registration_id> looking_up; ///< RESET came, the answer did not.

  void make(partition_id number, const schedule_options& how, choices& choose);
  /// Opens the log unless it is open. @returns Whether it is.
  [[nodiscard]] bool open();
  /// The process ends, or the power is cut. @pre Nobody uses the log.
  void close(bool power_lost, choices& choose);
  /// The medium is as good as new from now on.
  void heal();
  [[nodiscard]] bool has_failed(test::disk_call what) const;
};

} // namespace sluice::simulation
