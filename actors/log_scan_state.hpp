#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "actors/retention_state.hpp"
#include "messages/disk.hpp"
#include "messages/scan.hpp"
#include "messages/scan_plan.hpp"

namespace sluice {

/// To the engine: look these up. Answered by `on_planned`.
struct plan_scans {
  std::uint64_t ticket = 0;
  std::vector<scan_wish> wishes;
};

/// To a shard.
struct answer_scan {
  std::size_t shard = 0;
  scan_answer message;
};

/// Scans of one partition's log, from the request to the answer. A plain
/// state machine, part of EVENT_STORE.
class log_scan_state {
public:
  using effect = std::variant<plan_scans, read_blocks, answer_scan>;
  using effects = std::vector<effect>;

  /// What the log is when a scan begins.
  struct view {
    incarnation store;
    block_index announced;
    timestamp resolved; ///< Announced.
  };

  /// Pins the ranges first, then checks them; so they cannot go in between.
  [[nodiscard]] effects on_request(std::size_t shard, scan_request request,
                                   const view& log, retention_state& floors);
  [[nodiscard]] effects on_planned(std::uint64_t ticket, planned_scans found,
                                   retention_state& floors);
  [[nodiscard]] effects on_blocks_read(const blocks_read& message,
                                       retention_state& floors);

  [[nodiscard]] std::uint64_t scans() const noexcept { return scans_; }
  [[nodiscard]] std::uint64_t out_of_range() const noexcept {
    return out_of_range_;
  }

private:
  struct open_scan {
    std::size_t shard = 0;
    scan_lane lane = scan_lane::memory;
    scan_answer answer;
    timestamp upper;
    std::vector<std::size_t> planned; // places in answer.results, per wish
    planned_scans found;              // of each of those
    std::vector<block_location> missing;
    std::map<std::uint32_t, std::size_t> places; // in there, of found blocks
    std::vector<error> failures;                 // of those
  };

  static void cut_at_disk(open_scan& scan);
  void refuse(scan_result& result, const retention_state& floors,
              timestamp upper);
  void fill(open_scan& scan, std::size_t wish, const retention_state& floors);
  void fill_unread(const open_scan& scan, std::uint32_t block,
                   scan_result& result, const retention_state& floors);
  [[nodiscard]] answer_scan finish(std::uint64_t ticket,
                                   retention_state& floors);

  std::map<std::uint64_t, open_scan> open_;
  std::uint64_t tickets_ = 0;
  std::uint64_t scans_ = 0;
  std::uint64_t out_of_range_ = 0;
};

} // namespace sluice
