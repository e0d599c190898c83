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
};

/// Which tables a window has rows of, and where.
struct window_directory {
  std::vector<window_piece> pieces; ///< By table, then place.
  std::uint32_t ends_at = 0;        ///< End marks are the rest.

  /// Where the rows of `table` lie: [first, last) of `pieces`.
  struct range {
    std::size_t first = 0;
    std::size_t last = 0;
  };
  [[nodiscard]] range of(table_id table) const;
};

/// @param header Gets the numbers of rows and end marks.
/// @param level Of compression, see `compress`.
/// @returns The payload of the window with these rows at `place`.
[[nodiscard]] std::string encode_window(const row_block& rows,
                                        const batch_place& place,
                                        batch_header& header, int level = 0);

/// The size of the directory of which these are the first bytes.
/// @error log_corrupt
[[nodiscard]] expected<std::uint64_t> size_of_directory(std::string_view front,
                                                        std::uint64_t payload);
/// @error log_corrupt
[[nodiscard]] expected<window_directory>
decode_directory(std::string_view bytes, const batch_place& place,
                 std::uint64_t payload);

/// The rows of the pieces [range) in the order of their cursors.
/// @param bytes From the first to the last of them.
/// @error log_corrupt
[[nodiscard]] expected<block_ptr>
decode_pieces(const window_directory& directory, window_directory::range range,
              std::string bytes, const batch_place& place);

/// All rows, in commit order, with their end marks.
/// @pre The payload is intact: what its pieces say of themselves is not
/// checked.
/// @error log_corrupt
[[nodiscard]] expected<block_ptr> decode_window(const batch_header& header,
                                                const batch_place& place,
                                                std::string_view payload);
/// What decode_window would give, in short. @error log_corrupt
[[nodiscard]] expected<block_summary> survey_window(const batch_header& header,
                                                    const batch_place& place,
                                                    std::string_view payload);

} // namespace sluice
