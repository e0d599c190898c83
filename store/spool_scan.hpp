#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/segment_scan.hpp"
#include "store/spool_format.hpp"

/// What recovery finds in spool files.
namespace sluice {

struct read_batch {
  batch_header header;
  std::string payload;
};

/// Reads and checks a chunk. @error log_corrupt, log_io
[[nodiscard]] expected<read_batch> read_chunk(const open_file& file,
                                              const store_uuid& uuid,
                                              std::uint64_t spool,
                                              const spool_chunk& place);

/// Puts in the place of each reference that is sound what it stands for: the
/// blocks in its spool file, and the state that the log had behind them. One
/// chunk is in memory at a time.
/// @error log_io
[[nodiscard]] status expand_references(scanned_segment& segment,
                                       const std::shared_ptr<file_ops>& ops,
                                       const std::string& directory,
                                       const store_uuid& uuid);

/// All segments of a log, in its order, with their references expanded.
/// @error log_io, log_format_newer, log_corrupt (a file of another store)
[[nodiscard]] expected<std::vector<scanned_segment>> scan_segments(
  const std::shared_ptr<file_ops>& ops, const std::string& directory,
  const std::vector<std::uint64_t>& numbers, const store_uuid& uuid);

} // namespace sluice
