#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/block_summary.hpp"
#include "store/file_ops.hpp"
#include "store/segment_format.hpp"
#include "store/segment_id.hpp"
#include "store/spool_format.hpp"

/// What recovery finds in the files, and what it makes of it.
namespace sluice {

/// A batch whose header is intact, so that its place in the log is known.
struct found_batch {
  std::uint64_t offset = 0;
  batch_header header;
  /// The payload is intact, too, and what precedes it is what preceded it
  /// when it was written, as far as that can be read.
  bool sound = false;
  block_summary summary; ///< Of rows, if sound.
  std::optional<manifest> listing;
  std::optional<log_state> state; ///< Of a mark, if sound.
  /// What lies between the batch before and this one cannot be read.
  std::optional<std::uint64_t> unread_before;
  /// Of a spool_reference, and of what `expand_references` makes of it.
  std::shared_ptr<const spool_reference> reference = nullptr;
  block_location spooled = {}; ///< Where the rows lie, if not here.
};

struct scanned_segment {
  std::uint64_t number = 0;
  std::string path;
  std::uint64_t size = 0;
  std::optional<file_header> header; ///< None when damaged.
  std::vector<found_batch> batches;  ///< Ascending by offset.
  std::optional<std::uint64_t> unread_at_end;
};

/// Reads and checks a whole file. Damage is a finding, not an error: behind it
/// every 64th byte may be the next batch.
/// @error log_io, log_format_newer, log_corrupt (a file of another store)
[[nodiscard]] expected<scanned_segment> scan_segment(const open_file& file,
                                                     std::uint64_t number,
                                                     const store_uuid& uuid);

/// One thing that a segment holds: a batch, or the lack of some.
struct kept_part {
  const found_batch* batch = nullptr; ///< Rows, or a state of the log.
  block_index lost_to; ///< Without batch: this one, too, is lost.
  std::string why;     ///< "<file>: byte <n>: ..."
};

/// A segment of which `range` counts, and the marks in it.
struct kept_segment {
  segment_range range;
  bool missing = false; ///< There is no such file.
  std::vector<kept_part> parts;
  std::chrono::seconds begun{}; ///< As in its header, if that can be read.
};

struct recovery_verdict {
  std::vector<kept_segment> kept;
  std::vector<std::uint64_t> dropped; ///< Files to delete.
  std::uint64_t bytes_cut = 0;
  block_index durable; ///< Up to it, all was synced before the restart.
};

/// Tells a torn tail, which is cut, from damage to what was durable, which
/// stays as a gap, and files that were let go from lost ones. No I/O.
/// @param segments In the order of the log. The verdict points into it.
/// @param directory To name files that are missing.
/// @error log_corrupt
[[nodiscard]] expected<recovery_verdict>
judge(const std::vector<scanned_segment>& segments,
      const std::string& directory);

} // namespace sluice
