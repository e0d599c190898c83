#pragma once

#include <memory>
#include <optional>
#include <string>

#include "messages/interfaces.hpp"
#include "store/checkpoint_store.hpp"
#include "store/log_engine.hpp"

namespace sluice {

struct disk_options {
  partition_id partition{1};
  /// Of the checkpoint_store; empty: nothing is noted (service in memory).
  std::string directory;
};

struct disk_data {
  static inline const char* name = "disk";
  disk_options options;
  std::shared_ptr<log_disk> log;
  std::optional<checkpoint_store> notes; // opened at first use, in our thread
  /// Files that could not be deleted.
  std::vector<std::uint64_t> undeleted;
};

/// DISK of one event store: reads, syncs, deletions, durable floors. To be
/// spawned detached: everything here blocks.
disk_actor::behavior_type disk(disk_actor::stateful_pointer<disk_data> self,
                               disk_options options,
                               std::shared_ptr<log_disk> log);

/// What DISK noted as lost in this partition, for `feeds_loaded`.
/// @error log_io
[[nodiscard]] expected<std::vector<table_floor>>
lost_rows(checkpoint_store& notes, partition_id partition);

} // namespace sluice
