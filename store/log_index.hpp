#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "messages/disk.hpp"
#include "messages/ids.hpp"
#include "messages/retention.hpp"
#include "messages/row.hpp"
#include "store/block_summary.hpp"
#include "store/log_engine.hpp"
#include "store/log_gaps.hpp"
#include "store/rewrite_plan.hpp"
#include "store/segment_index.hpp"

namespace sluice {

/// Where a log stands; what a restart must find again.
struct log_state {
  block_index last_closed;
  row_cursor complete_to; ///< At the last end mark.
  timestamp resolved;     ///< Stored with a closed block.

  friend bool operator==(const log_state&, const log_state&) = default;
};

/// A segment's live blocks: [first, last], empty when last < first.
struct segment_range {
  std::uint64_t number = 0;
  block_index first;
  block_index last;

  friend bool operator==(const segment_range&, const segment_range&) = default;
};

/// The blocks of a log, by index and by table, and where the log stands. What
/// engines have in common: no I/O, no threads.
class log_index {
public:
  /// @param memory_bytes_max Older blocks are let go when the held ones
  ///        exceed it; they are then known by location only.
  explicit log_index(
    std::uint64_t memory_bytes_max = std::numeric_limits<std::uint64_t>::max())
    : memory_bytes_max_{memory_bytes_max} {
    // nop
  }

  // -- growing ----------------------------------------------------------------

  /// The next block goes into segment `number` and gets index `first`.
  /// @param begun Unix time; 0: not known.
  void begin_segment(std::uint64_t number, block_index first,
                     std::chrono::seconds begun = {});
  /// Block `last().next()`, which is held.
  void add(block_ptr block, const block_location& at, timestamp resolved);
  /// One that is not.
  void add(const block_summary& summary, const block_location& at,
           timestamp resolved);
  /// What is left of blocks `last().next()` to `x.last`.
  void add(const rewritten_window& x);
  /// Blocks `last().next()` to `to` are lost. @param why Where they were.
  void add_gap(block_index to, std::string why);
  /// No row <= `resolved` follows. Counts at once when the log is closed,
  /// otherwise with the block that closes it.
  void note_resolved(timestamp resolved);
  /// Raises the state to at least `state`, which was written behind the last
  /// block.
  void restore(const log_state& state);
  /// Once all is added: a gap that nothing has closed counts as closed.
  /// @error log_corrupt (open rows before it, and no end for them)
  [[nodiscard]] status settle_gaps();

  // -- the open tail ----------------------------------------------------------

  /// Whether rows stand behind the last end mark.
  [[nodiscard]] bool open() const noexcept { return last() > last_closed(); }
  /// A block of which only the first `rows` are complete.
  struct partial_block {
    block_index index;
    std::uint32_t rows = 0;
  };
  [[nodiscard]] std::optional<partial_block> partial() const noexcept;
  /// The last block without open rows, should the source start over. Above
  /// `last_closed()` when a transaction ends inside of the next block; below it
  /// when that is inside of a window, which stays or goes as a whole.
  [[nodiscard]] block_index keep_to() const noexcept;
  /// Forgets every block after `keep_to()` and begins `next_segment`. What is
  /// complete of a partial block must be added again.
  void cut_open(std::uint64_t next_segment, std::chrono::seconds begun = {});
  /// Of all blocks behind this one, as they lie on disk.
  [[nodiscard]] std::uint64_t bytes_behind(block_index cut) const;

  // -- reading ----------------------------------------------------------------

  [[nodiscard]] block_index last() const noexcept;
  [[nodiscard]] block_index last_closed() const noexcept {
    return state_.last_closed;
  }
  /// Cursor of the last appended row, open ones included.
  [[nodiscard]] row_cursor last_cursor() const noexcept { return last_cursor_; }
  [[nodiscard]] row_cursor appended_to() const noexcept;
  [[nodiscard]] const log_state& state() const noexcept { return state_; }
  [[nodiscard]] const log_gaps& gaps() const noexcept { return gaps_; }
  [[nodiscard]] planned_scans
  plan_scans(std::span<const scan_wish> wishes) const;
  /// As a scan finds it; without a location if it is not live.
  [[nodiscard]] scan_block block(block_index index) const;
  [[nodiscard]] std::vector<table_id> tables() const;
  /// Ascending by number; the last one is being written.
  [[nodiscard]] std::vector<segment_range> segments() const;
  [[nodiscard]] bool last_segment_has_blocks() const noexcept {
    return !segments_.empty() && !segments_.back().empty();
  }

  // -- shrinking --------------------------------------------------------------

  /// The segments that `log_engine::release` may let go of.
  /// @param up_to Later blocks stay whatever the floors say.
  [[nodiscard]] std::vector<std::uint64_t>
  releasable(const std::function<timestamp(table_id)>& floor_of,
             block_index up_to) const;
  /// With rows in these segments.
  [[nodiscard]] std::vector<table_id>
  tables_of(const std::vector<std::uint64_t>& segments) const;
  /// Forgets them. @param segments Sorted.
  void release(const std::vector<std::uint64_t>& segments);

  /// @see log_engine::retained
  [[nodiscard]] retained_rows retained(const retention_budget& budget,
                                       std::chrono::seconds now) const;

  // -- rewriting --------------------------------------------------------------

  /// Closed segments without damage in them or beside them, in order, with
  /// what of them is above the floors.
  [[nodiscard]] std::vector<rewrite_candidate>
  rewritable(const std::function<timestamp(table_id)>& floor_of,
             block_index up_to) const;
  /// Of all rows above their floors.
  [[nodiscard]] std::uint64_t
  live_bytes(const std::function<timestamp(table_id)>& floor_of) const;
  /// When the segment was begun.
  [[nodiscard]] std::chrono::seconds begun(std::uint64_t segment) const;
  /// The blocks behind `after`, in order.
  [[nodiscard]] std::vector<block_to_rewrite>
  blocks_behind(block_index after) const;
  /// They lie there now: in a new segment, the one that is written.
  void move_behind(block_index after, const std::vector<block_location>& to,
                   std::chrono::seconds begun);
  /// The blocks of these segments, in order.
  [[nodiscard]] std::vector<block_to_rewrite>
  blocks_of(const std::vector<std::uint64_t>& segments) const;
  /// Whether all of them are there, side by side.
  [[nodiscard]] bool
  has_neighbours(const std::vector<std::uint64_t>& segments) const;
  /// The rewritten ones give way to the new one. @pre `has_neighbours`
  void replace(const rewrite_result& x);

  /// Without disk_bytes, rows and bytes_cut.
  [[nodiscard]] log_stats stats() const;

private:
  class planner;
  using segment_list = std::deque<segment_index>;
  [[nodiscard]] const held_block* find(block_index index) const;
  [[nodiscard]] segment_list::const_iterator
  segment_of(block_index index) const;
  [[nodiscard]] segment_list::const_iterator
  segment_after(row_cursor after) const;
  void note_added(const block_summary& x, block_index index,
                  timestamp resolved);
  [[nodiscard]] std::vector<std::uint64_t>
  live_by_segment(const std::function<timestamp(table_id)>& floor_of) const;
  template <class Visit>
  void visit_behind(block_index cut, Visit visit) const;
  void let_go_of_old();
  void forget(const segment_index& from);
  void forget_held(const held_block& block) noexcept;

  std::uint64_t memory_bytes_max_;
  segment_list segments_;
  log_gaps gaps_;
  block_index oldest_held_; // no older block is in memory
  log_state state_;
  row_cursor last_cursor_;
  block_index marked_;            // block of the last end mark
  std::uint32_t marked_rows_ = 0; // its rows up to that mark
  timestamp pending_resolved_;    // for when the log closes
  log_stats stats_;
};

/// The complete rows of a block whose other rows are open; null without one.
/// Reads it from `disk` where it is not held.
[[nodiscard]] expected<block_ptr> complete_part(const log_index& index,
                                                log_disk& disk);

} // namespace sluice
