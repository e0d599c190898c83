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

namespace sluice {

/// One range to look up in the log's index.
struct scan_wish {
  table_id table;
  row_cursor after;
  block_index to;
  std::uint64_t bytes_max = 0;

  friend bool operator==(const scan_wish&, const scan_wish&) = default;
};

/// What the index says about a wish: `block` is null where it must be read.
struct planned_piece {
  block_index index;
  block_ptr block;
  block_location location;
  std::vector<table_id> tables = {}; ///< In it. Of a scan of all tables only.
  row_cursor last = {};
  error failure = {};    ///< Of the read.
  std::uint32_t run = 0; ///< See `scan_piece`.
};

struct planned_scan {
  std::vector<planned_piece> pieces;
  block_index complete_to;
  error failure = {};   ///< Blocks are lost, and come next.
  bool on_disk = false; ///< Cut before what must be read.
};

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
  /// @param plans As many as there were wishes.
  [[nodiscard]] effects on_planned(std::uint64_t ticket,
                                   std::vector<planned_scan> plans,
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
    std::vector<planned_scan> plans;  // of each of those
    std::vector<block_location> missing;
    std::map<block_location, std::size_t> places; // in `missing`
  };

  void refuse(scan_result& result, const retention_state& floors,
              timestamp upper);
  void fill(open_scan& scan, std::size_t wish, const retention_state& floors);
  [[nodiscard]] answer_scan finish(std::uint64_t ticket,
                                   retention_state& floors);

  std::map<std::uint64_t, open_scan> open_;
  std::uint64_t tickets_ = 0;
  std::uint64_t scans_ = 0;
  std::uint64_t out_of_range_ = 0;
};

} // namespace sluice
