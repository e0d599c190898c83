#include "actors/broker_state.hpp"

namespace sluice {

void broker_state::on_serve_partition(partition_id partition,
                                      std::size_t shard) {
  shards_[partition] = shard;
}

std::optional<std::size_t>
broker_state::shard_of(partition_id partition) const {
  auto found = shards_.find(partition);
  if (found == shards_.end())
    return {};
  return found->second;
}

std::vector<refused>
broker_state::refusals(const register_dispatchers& message) const {
  auto result = std::vector<refused>{};
  for (const auto& entry : message.entries)
    result.push_back(
      {message.channel, entry.id, errc::stopped, entry.start_ts, {}});
  return result;
}

} // namespace sluice
