#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "store/log_engine.hpp"

namespace sluice {

struct rocksdb_log_options {
  std::string directory; ///< Is created if missing. One log per directory.
  /// A segment that has reached this size is followed by another.
  std::uint64_t segment_bytes = 64ULL << 20;
  /// Memory for recent blocks; older ones are read from RocksDB. RocksDB's own
  /// memory comes on top: two times `segment_bytes`, and a cache of 64 MiB.
  std::uint64_t tail_bytes_max = 64ULL << 20;
};

/// Rows in RocksDB: to have a packaged engine to compare with. Is there if
/// librocksdb was when sluice was built.
///
/// A segment is a column family that is dropped as a whole, so that nothing is
/// ever deleted by range (facebook/rocksdb#5118) or compacted: one row that is
/// needed keeps all of its segment. When segments were begun is not kept
/// either: of those before a restart ages count from it.
/// store/rocksdb_format.hpp has the keys. The index is in memory, as that of
/// segment_log, because planning must not block.
///
/// Each append is one batch in RocksDB's write-ahead log, which survives a
/// kill. After a power cut RocksDB ends the log at the first batch that is
/// damaged, also at one that was synced: it can't tell that from a torn tail.
///
/// The directory stays open until the engine and its `disk()` are gone.
/// @error log_locked, log_corrupt, log_format_newer, log_io, disk_full
[[nodiscard]] expected<std::unique_ptr<log_engine>>
open_rocksdb_log(const rocksdb_log_options& options);

} // namespace sluice
