#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/segment_format.hpp"
#include "store/spool_rows.hpp"

/// Bytes of spool files and of what names them in a segment.
/// docs/log_format.md describes every one of them. No I/O.
namespace sluice {

/// Where a chunk lies in its spool file. A chunk of another file, place or
/// time has not this checksum.
struct spool_chunk {
  std::uint64_t offset = 0;
  std::uint32_t payload_size = 0;
  std::uint32_t rows = 0;
  std::uint64_t header_sum = 0;

  [[nodiscard]] std::uint64_t size() const noexcept {
    return batch_header_size + std::uint64_t{payload_size};
  }
  friend bool operator==(const spool_chunk&, const spool_chunk&) = default;
};

/// The payload of a spool_reference: a transaction that has committed. What of
/// the file is not in `chunks` was left out.
struct spool_reference {
  std::uint64_t spool = 0;
  timestamp commit_ts;
  timestamp start_ts;
  std::uint64_t position = 0;      ///< Of the last row.
  std::vector<spool_chunk> chunks; ///< A block each.

  [[nodiscard]] spool_commit commit() const {
    return {commit_ts, start_ts, {}};
  }
  friend bool operator==(const spool_reference&,
                         const spool_reference&) = default;
};

[[nodiscard]] std::string encode(const spool_reference& x);
/// @error log_corrupt
[[nodiscard]] expected<spool_reference>
decode_reference(std::string_view payload);

/// Whose the rows of a chunk are, as it precedes them in the payload.
[[nodiscard]] std::string
encode_runs(const std::vector<rows_of_transaction>& x);
/// Rows of a transaction that goes on. @error log_corrupt
[[nodiscard]] expected<spooled_rows> decode_chunk(const batch_header& header,
                                                  std::string payload);
/// @error log_corrupt
[[nodiscard]] expected<block_ptr> decode_committed(const batch_header& header,
                                                   std::string payload,
                                                   const spool_commit& how,
                                                   bool ends);

} // namespace sluice
