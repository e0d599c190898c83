#pragma once

#include <memory>
#include <vector>

#include "store/segment_id.hpp"
#include "tests/store/small_life.hpp"

namespace log_test {

/// A log in which a slow table needs all of its rows and the others none: what
/// gets rewritten. Row `ts` of the slow table is in block `ts`.
struct slow_table {
  static constexpr auto slow = std::uint64_t{1};

  std::shared_ptr<simulated_disk> disk = std::make_shared<simulated_disk>();
  std::unique_ptr<segment_log> log = {};

  static timestamp floors(table_id table) {
    return table.value == slow ? timestamp{} : timestamp::max();
  }

  status open() {
    log.reset();
    auto opened = segment_log::open(
      {small_directory, 32U << 10U, 0, disk, 4000});
    if (!opened)
      return tl::unexpected{std::move(opened.error())};
    log = std::move(*opened);
    return {};
  }

  /// Blocks of about 1 KiB.
  void grow(std::uint64_t blocks) {
    auto end = log->last().value + blocks;
    for (auto i = log->last().value + 1; i <= end; ++i)
      REQUIRE(
        log->append(block_of({{2 + i % 2, i, false, std::string(900, 'f')},
                              {slow, i, true, "slow", 1}}),
                    {i}));
    REQUIRE(sync(*log));
  }

  void rewrite_all() {
    while (rewrite(*log, floors)) {
      // until nothing is worth it
    }
  }

  /// The log of another directory, opened.
  static slow_table of(const disk_image& files) {
    auto result = slow_table{disk_of(files)};
    auto done = result.open();
    INFO((done ? "" : to_string(done.error())));
    REQUIRE(done);
    return result;
  }

  [[nodiscard]] std::vector<std::uint64_t> rows() const {
    return scan(*log, slow);
  }
};

/// 1 to n.
inline std::vector<std::uint64_t> up_to(std::uint64_t n) {
  auto result = std::vector<std::uint64_t>{};
  for (std::uint64_t i = 1; i <= n; ++i)
    result.push_back(i);
  return result;
}

/// The segment files of an image, oldest first.
inline std::vector<std::string> segments_in(const disk_image& files) {
  auto result = std::vector<std::string>{};
  for (const auto& entry : files)
    if (entry.first.ends_with(".seg"))
      result.push_back(entry.first);
  return result;
}

inline bool is_rewritten(const std::string& file) {
  return std::count(file.begin(), file.end(), '.') == 2;
}

/// Flips a bit of every mark: no manifest can be read.
inline void rot_marks(std::string& bytes) {
  for (auto at = bytes.find("BTCH"); at != std::string::npos;
       at = bytes.find("BTCH", at + 4))
    if (bytes.at(at + 6) == 3)
      bytes.at(at + 100) ^= 1;
}

} // namespace log_test
