#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/block_summary.hpp"
#include "messages/errc.hpp"
#include "messages/row.hpp"
#include "store/segment_format.hpp"

/// The payload of a window, a batch of a rewritten segment: rows by table.
/// docs/log_format.md describes every byte. No I/O.
namespace sluice {

inline constexpr std::size_t window_front_size = 16;
inline constexpr std::size_t window_piece_size = 88;
/// Rows of a table that are checked together, unless a single one is larger.
inline constexpr std::size_t window_piece_bytes = 64 << 10;

/// Some rows of one table, one after another.
struct window_piece {
  table_id table;
  row_cursor first;
  row_cursor last;
  std::uint64_t rows = 0;
  std::uint32_t offset = 0; ///< In the payload.
  std::uint32_t size = 0;
  std::uint64_t sum = 0;
  std::uint32_t unpacked = 0; ///< Size before compression; 0: it is not.

  [[nodiscard]] std::uint32_t end() const noexcept { return offset + size; }
};

/// Pieces that follow each other, by table and then place.
using window_directory = std::vector<window_piece>;

struct encoded_window {
  std::string payload;
  std::vector<std::uint32_t> pieces; ///< See `block_summary`.
};

/// @param place Where its batch will begin.
/// @param header Gets the numbers of rows and end marks.
/// @param level Of compression, see `compress`.
[[nodiscard]] encoded_window encode_window(const row_block& rows,
                                           const batch_place& place,
                                           batch_header& header, int level = 0);

/// Of what stands before the records.
/// @param payload Its first bytes, at least `window_front_size`.
/// @param size Of all of it.
/// @error log_corrupt
[[nodiscard]] expected<std::uint64_t>
size_of_directory(std::string_view payload, std::uint64_t size);

/// All pieces of a window. @pre `bytes` has the size of its directory.
/// @param payload Size of all of it.
/// @error log_corrupt
[[nodiscard]] expected<window_directory>
decode_directory(std::string_view bytes, const batch_place& place,
                 std::uint64_t payload);

/// Some entries of a directory, each by its own checksum.
/// @param first The place of the first one.
/// @param payload Size of all of it.
/// @error log_corrupt
[[nodiscard]] expected<window_directory>
decode_entries(std::string_view bytes, std::size_t first,
               const batch_place& place, std::uint64_t payload);

/// The rows of these pieces in the order of their cursors.
/// @param bytes From the first to the last of them.
/// @error log_corrupt
[[nodiscard]] expected<block_ptr>
decode_pieces(const window_directory& directory, std::string bytes,
              const batch_place& place);

/// All rows, in commit order, with their end marks.
/// @pre The payload is intact: what its pieces say of themselves is not
/// checked.
/// @error log_corrupt
[[nodiscard]] expected<block_ptr> decode_window(const batch_header& header,
                                                const batch_place& place,
                                                std::string_view directory,
                                                std::string rest);
/// What decode_window would give, in short. @error log_corrupt
[[nodiscard]] expected<block_summary> survey_window(const batch_header& header,
                                                    const batch_place& place,
                                                    std::string_view payload);

} // namespace sluice
