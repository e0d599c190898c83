#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "actors/collector_shard_state.hpp"
#include "actors/dispatcher_shard_state.hpp"

namespace sluice::exploration {

/// Everything that waits in some lane.
using message = std::variant<
  progress, scan_answer, ddl_notice, schema_resolved, schema_answer,
  register_dispatchers, remove_dispatchers, reset_streams, heartbeat, credit,
  digest_request, ready, refused, unknown_registration, handshake, delivery,
  schema_change, watermark, digest, scan_request, progress_taken, floor_report,
  schema_query, open_sink, write_rows, store_watermark, sink_opened,
  rows_released, rows_durable, sink_failed>;

/// For people: "handshake epoch 2 from 20".
[[nodiscard]] std::string describe(const message& x);

// -- who sends to whom --------------------------------------------------------

using role_set = std::uint32_t;

/// Owns all that its steps touch.
enum class role : std::uint8_t { store, schemas, shard, collector, sink };

constexpr role_set only(role x) {
  return role_set{1} << static_cast<unsigned>(x);
}

/// A mailbox keeps the order of one sender: a lane is a sender and a receiver.
enum class lane : std::uint8_t {
  store_to_shard,
  schemas_to_shard,
  broker_to_shard, ///< What COLLECTOR_SHARD sends before it knows the shard.
  collector_to_shard,
  shard_to_collector,
  shard_to_store,
  shard_to_schemas,
  collector_to_sink,
  sink_to_collector,
  count
};

struct lane_facts {
  const char* name;
  role from;
  role to;
};

inline constexpr auto lanes = std::array{
  lane_facts{"STORE -> SHARD", role::store, role::shard},
  lane_facts{"SCHEMAS -> SHARD", role::schemas, role::shard},
  lane_facts{"BROKER -> SHARD", role::collector, role::shard},
  lane_facts{"COLLECTOR -> SHARD", role::collector, role::shard},
  lane_facts{"SHARD -> COLLECTOR", role::shard, role::collector},
  lane_facts{"SHARD -> STORE", role::shard, role::store},
  lane_facts{"SHARD -> SCHEMAS", role::shard, role::schemas},
  lane_facts{"COLLECTOR -> SINK", role::collector, role::sink},
  lane_facts{"SINK -> COLLECTOR", role::sink, role::collector}};
static_assert(lanes.size() == static_cast<std::size_t>(lane::count));

constexpr std::size_t number(lane x) {
  return static_cast<std::size_t>(x);
}

} // namespace sluice::exploration
