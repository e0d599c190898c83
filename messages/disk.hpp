#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "messages/block_summary.hpp"
#include "messages/errc.hpp"
#include "messages/feed.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"
#include "messages/scan.hpp"

/// Between an event store and its detached helper, which does what blocks.
namespace sluice {

/// Where a block lies on disk. Means something to its own engine only.
struct block_location {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  table_id table = {};      ///< Of a rewritten segment: whose rows alone.
  std::uint32_t piece = 0;  ///< They begin with this one of the block,
  std::uint32_t pieces = 0; ///< and are so many.

  friend auto operator<=>(const block_location&,
                          const block_location&) = default;
  auto fields() {
    return std::tie(segment, offset, size, table, piece, pieces);
  }
};

/// What has to reach the disk, taken at one moment.
struct sync_order {
  std::vector<std::uint64_t> segments; ///< Oldest first; empty: nothing to do.
  block_index through;                 ///< Durable once done.

  friend bool operator==(const sync_order&, const sync_order&) = default;
  auto fields() { return std::tie(segments, through); }
};

/// EVENT_STORE -> DISK: read and check these blocks.
struct read_blocks {
  std::uint64_t ticket = 0;
  std::vector<block_location> at;

  friend bool operator==(const read_blocks&, const read_blocks&) = default;
  auto fields() { return std::tie(ticket, at); }
};

/// DISK -> EVENT_STORE: for each that was asked for a block, or a failure.
struct blocks_read {
  std::uint64_t ticket = 0;
  std::vector<block_ptr> blocks;
  std::vector<error> failures;

  friend bool operator==(const blocks_read&, const blocks_read&) = default;
  auto fields() { return std::tie(ticket, blocks, failures); }
};

/// EVENT_STORE -> DISK.
struct sync_log {
  sync_order order;

  friend bool operator==(const sync_log&, const sync_log&) = default;
  auto fields() { return std::tie(order); }
};

/// DISK -> EVENT_STORE.
struct log_synced {
  sync_order order;
  error failure;

  friend bool operator==(const log_synced&, const log_synced&) = default;
  auto fields() { return std::tie(order, failure); }
};

/// EVENT_STORE -> DISK: note durably which rows may be missing from now on,
/// before the log lets go of them.
struct note_lost {
  std::vector<table_floor> lost; ///< Rows <= floor may be gone.
  bool rewrite = false;          ///< With a rewrite, not with a release.

  friend bool operator==(const note_lost&, const note_lost&) = default;
  auto fields() { return std::tie(lost, rewrite); }
};

/// DISK -> EVENT_STORE.
struct lost_noted {
  std::vector<table_floor> lost;
  error failure;
  bool rewrite = false; ///< As in `note_lost`.

  friend bool operator==(const lost_noted&, const lost_noted&) = default;
  auto fields() { return std::tie(lost, failure, rewrite); }
};

/// EVENT_STORE -> DISK: delete the files; the log has let go of them.
struct remove_segments {
  std::vector<std::uint64_t> segments;

  friend bool operator==(const remove_segments&,
                         const remove_segments&) = default;
  auto fields() { return std::tie(segments); }
};

/// DISK -> EVENT_STORE: they are gone, unless it failed.
struct segments_removed {
  error failure;

  friend bool operator==(const segments_removed&,
                         const segments_removed&) = default;
  auto fields() { return std::tie(failure); }
};

/// A block of segments that are to be rewritten.
struct block_to_rewrite {
  block_index first; ///< Of those it stands for; an appended block is one.
  block_index last;
  block_location at;
  timestamp resolved;

  friend bool operator==(const block_to_rewrite&,
                         const block_to_rewrite&) = default;
  auto fields() { return std::tie(first, last, at, resolved); }
};

/// EVENT_STORE -> REWRITER: write what is live of some neighbouring segments
/// into one new file.
struct rewrite_order {
  std::uint64_t into = 0;              ///< The new segment.
  std::vector<std::uint64_t> segments; ///< In the order of the log.
  std::vector<block_to_rewrite> blocks;
  std::vector<table_floor> floors; ///< Rows <= their table's stay behind.
  block_index durable;
  std::uint64_t begun_s = 0; ///< Of the first one, in Unix time.
  std::uint64_t bytes = 0;   ///< Of the files.

  friend bool operator==(const rewrite_order&, const rewrite_order&) = default;
  auto fields() {
    return std::tie(into, segments, blocks, floors, durable, begun_s, bytes);
  }
};

/// A batch of a rewritten segment: what is left of blocks [first, last].
struct rewritten_window {
  block_index first;
  block_index last;
  block_location at;
  timestamp resolved;
  block_summary summary;

  friend bool operator==(const rewritten_window&,
                         const rewritten_window&) = default;
  auto fields() { return std::tie(first, last, at, resolved, summary); }
};

struct rewrite_result {
  std::uint64_t into = 0;
  std::vector<std::uint64_t> segments; ///< As they were ordered.
  std::vector<rewritten_window> windows;
  std::uint64_t bytes = 0; ///< Of the file.
  /// Of rows at or below their floor that stay for the end mark they carry.
  std::uint64_t dead_bytes = 0;

  friend bool operator==(const rewrite_result&,
                         const rewrite_result&) = default;
  auto fields() { return std::tie(into, segments, windows, bytes, dead_bytes); }
};

/// REWRITER -> EVENT_STORE: the file is there, and durable, unless it failed.
struct log_rewritten {
  rewrite_result result;
  error failure;
  /// It failed because of this segment, and would again; 0: of none.
  std::uint64_t at_fault = 0;

  friend bool operator==(const log_rewritten&, const log_rewritten&) = default;
  auto fields() { return std::tie(result, failure, at_fault); }
};

/// EVENT_STORE -> DISK: make a feed's floor durable.
struct store_floor {
  feed_floor floor;

  friend bool operator==(const store_floor&, const store_floor&) = default;
  auto fields() { return std::tie(floor); }
};

} // namespace sluice
