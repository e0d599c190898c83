#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "messages/registration.hpp"

namespace sluice {

/// Knows which dispatcher shard serves a partition, and answers for what
/// nobody serves. A plain state machine: no actor, no clock, no I/O.
class broker_state {
public:
  /// From now on, also instead of another shard.
  void on_serve_partition(partition_id partition, std::size_t shard);

  /// The shard that a message for this partition is passed on to.
  [[nodiscard]] std::optional<std::size_t>
  shard_of(partition_id partition) const;

  /// What the collector shard hears when there is none.
  [[nodiscard]] std::vector<refused>
  refusals(const register_dispatchers& message) const;

private:
  std::map<partition_id, std::size_t> shards_;
};

} // namespace sluice
