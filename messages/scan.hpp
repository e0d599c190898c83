#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/key_range.hpp"
#include "messages/row.hpp"

/// Between an event store and the dispatcher shards of its partition.
namespace sluice {

/// DISPATCHER_SHARD -> EVENT_STORE: send me progress.
struct attach_shard {
  friend bool operator==(const attach_shard&, const attach_shard&) = default;
  auto fields() { return std::tie(); }
};

/// A block with its place in the log.
struct indexed_block {
  block_index index;
  block_ptr block;

  friend bool operator==(const indexed_block&, const indexed_block&) = default;
  auto fields() { return std::tie(index, block); }
};

/// EVENT_STORE -> DISPATCHER_SHARD: the log goes up to `last`; these are the
/// blocks after the ones of the progress before (none in the first one; fewer
/// than all when the shard was slow: then it must scan). One is under way at
/// a time; the store merges meanwhile.
struct progress {
  incarnation store; ///< Indices of another incarnation say nothing.
  std::vector<indexed_block> blocks; ///< Consecutive, ending with `last`.
  block_index last;
  timestamp resolved; ///< No row <= it after block `last`.

  friend bool operator==(const progress&, const progress&) = default;
  auto fields() { return std::tie(store, blocks, last, resolved); }
};

/// DISPATCHER_SHARD -> EVENT_STORE: the next progress may come.
struct progress_taken {
  incarnation store;
  block_index last;

  friend bool operator==(const progress_taken&,
                         const progress_taken&) = default;
  auto fields() { return std::tie(store, last); }
};

/// What one dispatcher wants to read: rows of `table` after `after`. With
/// `all_tables` it gets whole blocks, and takes what it wants.
struct scan_entry {
  registration_id registration;
  epoch stream_epoch;
  slot stream;
  table_id table;
  row_cursor after;
  timestamp checkpoint; ///< For the record of an out_of_range.
  std::uint64_t bytes_max = 0;
  feed_id feed = {};    ///< Of `all_tables`: whose.
  key_range range = {}; ///< Of one table: which of its rows.

  friend bool operator==(const scan_entry&, const scan_entry&) = default;
  auto fields() {
    return std::tie(registration, stream_epoch, stream, table, after,
                    checkpoint, bytes_max, feed, range);
  }
};

/// Scans have two lanes, so that who must read from disk delays nobody else.
enum class scan_lane : std::uint8_t {
  memory, ///< Ends where a block must be read.
  disk,
};

/// DISPATCHER_SHARD -> EVENT_STORE. One is outstanding at a time in each lane.
struct scan_request {
  scan_id scan;
  incarnation store;
  block_index to; ///< The last index the shard has seen.
  std::vector<scan_entry> entries;
  scan_lane lane = scan_lane::memory;

  friend bool operator==(const scan_request&, const scan_request&) = default;
  auto fields() { return std::tie(scan, store, to, entries, lane); }
};

/// Rows of one table in one block.
struct scan_rows {
  block_ptr block;
  std::uint32_t first = 0; ///< In the block's grouped order.
  std::uint32_t count = 0;

  friend bool operator==(const scan_rows&, const scan_rows&) = default;
  auto fields() { return std::tie(block, first, count); }
};

/// What one dispatcher gets. `failure` none: `rows` holds every row of the
/// table after the asked cursor in blocks <= complete_to. Else nothing was
/// read: out_of_range (see lower, upper), log_io, log_corrupt. The last: what
/// comes next is damaged, `detail` says where. If the log knows which tables
/// have rows in it, `damaged_tables` has them, and they end at `damaged_to`.
struct scan_result {
  scan_entry asked;
  std::vector<scan_rows> rows;
  block_index complete_to;
  errc failure = errc::none;
  timestamp lower; ///< Of out_of_range: rows > it are there.
  timestamp upper;
  std::string detail = {};
  std::vector<table_id> damaged_tables = {};
  row_cursor damaged_to = {};
  bool on_disk = false; ///< What comes next must be read: take the other lane.

  friend bool operator==(const scan_result&, const scan_result&) = default;
  auto fields() {
    return std::tie(asked, rows, complete_to, failure, lower, upper, detail,
                    damaged_tables, damaged_to, on_disk);
  }
};

/// EVENT_STORE -> DISPATCHER_SHARD.
struct scan_answer {
  scan_id scan;
  incarnation store;
  std::vector<scan_result> results;

  friend bool operator==(const scan_answer&, const scan_answer&) = default;
  auto fields() { return std::tie(scan, store, results); }
};

/// A table that does not stand where its feed's floor says.
struct table_floor {
  table_id table;
  timestamp floor;

  friend bool operator==(const table_floor&, const table_floor&) = default;
  auto fields() { return std::tie(table, floor); }
};

/// DISPATCHER_SHARD -> EVENT_STORE: rows <= floor are not needed by this feed
/// any more; of the tables in `exceptions` those <= their own.
struct floor_report {
  feed_id feed;
  timestamp floor;
  std::vector<table_floor> exceptions;

  friend bool operator==(const floor_report&, const floor_report&) = default;
  auto fields() { return std::tie(feed, floor, exceptions); }
};

} // namespace sluice
