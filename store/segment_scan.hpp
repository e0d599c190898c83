#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/block_summary.hpp"
#include "store/file_ops.hpp"
#include "store/segment_format.hpp"

/// What recovery finds in the files, and what it makes of it.
namespace sluice {

struct found_batch {
  std::uint64_t offset = 0;
  batch_header header;
  bool trusted = false;  ///< Intact, and so is everything before it.
  block_summary summary; ///< Of rows, if trusted.
  std::optional<manifest> listing;
};

struct scanned_segment {
  std::uint64_t number = 0;
  std::string path;
  std::uint64_t size = 0;
  std::optional<file_header> header; ///< None when damaged.
  std::vector<found_batch> batches;  ///< Ascending by offset.
  std::optional<std::uint64_t> damaged_at;
};

/// Reads and checks a whole file. Damage is a finding, not an error.
/// @error log_io, log_format_newer, log_corrupt (a file of another store)
[[nodiscard]] expected<scanned_segment> scan_segment(const open_file& file,
                                                     std::uint64_t number,
                                                     const store_uuid& uuid);

/// A segment of which `range` counts.
struct kept_segment {
  segment_range range;
  std::vector<const found_batch*> blocks; ///< One per index in `range`.
};

struct recovery_verdict {
  std::vector<kept_segment> kept;
  std::vector<const found_batch*> manifests; ///< Of which the state counts.
  std::vector<std::uint64_t> dropped;        ///< Files to delete.
  std::uint64_t bytes_cut = 0;
};

/// Tells a torn tail, which is cut, from damage to what was durable, and files
/// that were let go from lost ones. No I/O.
/// @param segments Ascending by number. The verdict points into it.
/// @error log_corrupt
[[nodiscard]] expected<recovery_verdict>
judge(const std::vector<scanned_segment>& segments);

} // namespace sluice
