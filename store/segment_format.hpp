#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/block_summary.hpp"
#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"
#include "store/log_index.hpp"

/// Bytes of the segment log. docs/log_format.md describes every one of them.
/// No I/O.
namespace sluice {

inline constexpr std::uint32_t segment_format = 2;
inline constexpr std::size_t file_header_size = 4096;
inline constexpr std::size_t batch_header_size = 96;
/// Batches start at multiples of this.
inline constexpr std::size_t batch_alignment = 64;

/// Made at random when a store is created; part of every checksum's seed.
using store_uuid = std::array<unsigned char, 16>;

// -- file header --------------------------------------------------------------

struct file_header {
  std::uint32_t version = segment_format;
  store_uuid uuid{};
  std::uint64_t segment = 0;
  block_index first;     ///< Of the first block in the file.
  block_index last = {}; ///< Of the last one, if it was rewritten.
  /// Unix time at which it was begun; of a rewritten one, at which the first
  /// that it replaces was. 0: not told.
  std::chrono::seconds begun{};
};

[[nodiscard]] std::string encode(const file_header& header);
/// @error log_corrupt, log_format_newer; the detail lacks the file's name
[[nodiscard]] expected<file_header> decode_file_header(std::string_view bytes);
/// The checksum in an encoded header: what the first batch names as previous.
[[nodiscard]] std::uint64_t sum_of_file_header(std::string_view bytes) noexcept;

/// The file `store`: format version and uuid.
[[nodiscard]] std::string encode_store_file(const store_uuid& uuid);
/// @error log_corrupt, log_format_newer
[[nodiscard]] expected<store_uuid> decode_store_file(std::string_view bytes);

// -- batches ------------------------------------------------------------------

enum class batch_kind : std::uint16_t {
  rows = 1,
  spool_reference = 2, ///< Stands for the blocks that lie in a spool file.
  mark = 3,            ///< No rows: durable_before, perhaps a manifest.
  window = 4,          ///< What is left of several blocks, by table.
  chunk = 5,           ///< Of a spool file only: rows without commit_ts.
};

/// Whether it is in the place of blocks in a segment.
[[nodiscard]] constexpr bool has_rows(batch_kind x) noexcept {
  return x == batch_kind::rows || x == batch_kind::window
         || x == batch_kind::spool_reference;
}

/// Flags that a reader must understand are in here; others it may skip.
inline constexpr std::uint32_t must_understand = 0x0000FFFF;

struct batch_header {
  batch_kind kind = batch_kind::rows;
  std::uint32_t flags = 0;
  std::uint32_t payload_size = 0;
  std::uint32_t rows = 0;
  std::uint32_t ends = 0;
  block_index first; ///< Of a mark: the last block before it.
  block_index last;  ///< The same, unless it stands for several.
  timestamp resolved;
  block_index durable_before;     ///< Synced when this batch was written.
  std::uint64_t previous_sum = 0; ///< header_sum of the batch before.
  std::uint64_t payload_sum = 0;
  std::uint64_t header_sum = 0;

  /// Header, payload and padding.
  [[nodiscard]] std::uint64_t extent() const noexcept {
    auto size = batch_header_size + std::uint64_t{payload_size};
    return (size + batch_alignment - 1) / batch_alignment * batch_alignment;
  }
};

/// Where a batch lies. Seeds its checksums, so that bytes of another place,
/// file or store do not pass.
struct batch_place {
  store_uuid uuid{};
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
};

/// Of bytes at a place, which need not be a batch.
[[nodiscard]] std::uint64_t checksum(const batch_place& place,
                                     std::string_view bytes);
/// Fills in the sums and encodes.
/// @param payload In parts, as it will be written.
[[nodiscard]] std::string encode(batch_header& header, const batch_place& place,
                                 const std::vector<std::string_view>& payload);
/// @error log_corrupt, log_format_newer; the detail lacks the place
[[nodiscard]] expected<batch_header>
decode_batch_header(std::string_view bytes, const batch_place& place);
/// @param payload In parts, as it was read.
[[nodiscard]] bool
payload_is_intact(const batch_header& header, const batch_place& place,
                  const std::vector<std::string_view>& payload);

/// End marks as they precede the rows in a payload.
[[nodiscard]] std::string encode_ends(const std::vector<std::uint32_t>& ends);
/// @error log_corrupt
[[nodiscard]] expected<block_ptr> decode_rows(const batch_header& header,
                                              std::string payload);
/// @param ends,rows The payload in its two parts.
/// @error log_corrupt
[[nodiscard]] expected<block_ptr> decode_rows(const batch_header& header,
                                              std::string_view ends,
                                              std::string rows);
/// As decode_rows, but makes no block of them.
/// @error log_corrupt
[[nodiscard]] expected<block_summary> survey_rows(const batch_header& header,
                                                  std::string_view payload);

// -- the payload of a mark: a state, or a manifest that begins with one -------

[[nodiscard]] std::string encode(const log_state& x);
/// Also out of a manifest.
/// @error log_corrupt
[[nodiscard]] expected<log_state> decode_state(std::string_view payload);

/// Which segments there are and how much of each counts, and the log's state.
struct manifest {
  log_state state;
  std::vector<segment_range> segments; ///< Ascending, all older than its own.

  friend bool operator==(const manifest&, const manifest&) = default;
};

[[nodiscard]] std::string encode(const manifest& x);
/// @error log_corrupt
[[nodiscard]] expected<manifest> decode_manifest(std::string_view payload);

} // namespace sluice
