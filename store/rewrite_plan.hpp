#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "messages/ids.hpp"

/// Which segments to rewrite. No I/O.
namespace sluice {

struct rewrite_candidate {
  std::uint64_t segment = 0;
  std::size_t place = 0; ///< Among all segments, so that neighbours are seen.
  /// What a rewrite can make smaller: the file, if it was appended. Of one that
  /// was rewritten the rows, for what is beside them comes again.
  std::uint64_t bytes = 0;
  std::uint64_t live_bytes = 0; ///< Of its rows above their floors.
  std::uint64_t blocks = 0;

  /// What is written again gives back at least as much. What has nothing that
  /// is live is let go instead.
  [[nodiscard]] bool worth_it() const noexcept {
    return live_bytes > 0 && live_bytes <= bytes / 2;
  }
};

/// What one rewrite may read: so that it ends soon, gives room back soon, and
/// what it was planned for still holds then. In segments, and in blocks.
inline constexpr std::uint64_t rewrite_segments_max = 8;
inline constexpr std::uint64_t rewrite_blocks_max = 1U << 18U;

struct rewrite_budget {
  std::uint64_t disk_bytes = 0; ///< Of all segments.
  std::uint64_t live_bytes = 0; ///< In all segments.
  std::uint64_t segment_bytes = 0;
  std::uint64_t output_bytes = 0; ///< Of live rows in one rewrite, at most.

  /// Two segments more than this is the bound: the one that is written, and
  /// room for the next rewrite.
  [[nodiscard]] bool broken() const noexcept {
    return disk_bytes > 2 * live_bytes + segment_bytes;
  }
};

/// The one with the fewest live bytes, and what is worth it beside it, until
/// they fill the output or are what one rewrite may read. Nothing while the
/// budget holds.
/// @param candidates In the order of the log.
[[nodiscard]] std::vector<std::uint64_t>
choose_rewrite(const std::vector<rewrite_candidate>& candidates,
               const rewrite_budget& budget);

} // namespace sluice
