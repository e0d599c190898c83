#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "messages/errc.hpp"
#include "messages/feed.hpp"
#include "messages/ids.hpp"
#include "messages/scan.hpp"

/// Starting, stopping and asking. Nothing here is on an event's way.
namespace sluice {

/// An actor to itself: a timer fired.
struct tick {
  friend bool operator==(const tick&, const tick&) = default;
  auto fields() { return std::tie(); }
};

/// SERVICE -> SOURCE: begin to read; partitions answer with their position.
struct start_source {
  friend bool operator==(const start_source&, const start_source&) = default;
  auto fields() { return std::tie(); }
};

/// SERVICE -> SOURCE: read no further; answered when all rows read so far are
/// in the log.
struct stop_source {
  friend bool operator==(const stop_source&, const stop_source&) = default;
  auto fields() { return std::tie(); }
};

struct source_status_query {
  friend bool operator==(const source_status_query&,
                         const source_status_query&) = default;
  auto fields() { return std::tie(); }
};

struct source_status {
  std::uint64_t rows = 0;   ///< Sent since the start.
  timestamp resolved;       ///< Promised so far.
  timestamp confirmed;      ///< May be forgotten upstream.
  std::string confirmed_at; ///< That place, as the upstream writes it.
  feed_id held_by;          ///< Its sink keeps that from rising; 0: none.
  std::uint64_t retained_bytes = 0; ///< Kept upstream for us; 0: not known.
  std::string held_back; ///< Both in one line, if a feed holds it. By SERVICE.
  std::string copying;   ///< Name of the table being copied, or empty.
  std::uint64_t copied = 0;     ///< Its rows done ...
  std::uint64_t copy_total = 0; ///< ... of about so many.
  std::uint64_t copied_all = 0; ///< Of all tables of the copy; 0: not known.
  std::uint64_t copy_all_total = 0;
  std::uint64_t copy_rate = 0;         ///< Rows per second; 0: not known yet.
  std::uint64_t copy_seconds_left = 0; ///< An estimate; 0: not known.
  bool idle = false;                   ///< The last read gave nothing.
  /// One line per table that matches and is not captured: which and why.
  std::vector<std::string> left_out;
  error failure; ///< Why it stopped; none while it runs.

  friend bool operator==(const source_status&, const source_status&) = default;
  auto fields() {
    return std::tie(rows, resolved, confirmed, confirmed_at, held_by,
                    retained_bytes, held_back, copying, copied, copy_total,
                    copied_all, copy_all_total, copy_rate, copy_seconds_left,
                    idle, left_out, failure);
  }
};

/// SERVICE -> EVENT_STORE: all feeds that exist, at start and after a change.
/// No floor moves before the first one.
struct feeds_loaded {
  std::vector<feed_record> feeds;
  std::vector<feed_floor> floors;
  std::vector<table_info> tables; ///< Known from earlier runs.
  std::vector<table_floor> lost;  ///< Rows <= it may be gone.

  friend bool operator==(const feeds_loaded&, const feeds_loaded&) = default;
  auto fields() { return std::tie(feeds, floors, tables, lost); }
};

/// SERVICE -> EVENT_STORE: a feed is no more; its floors go.
struct feed_removed {
  feed_id feed;

  friend bool operator==(const feed_removed&, const feed_removed&) = default;
  auto fields() { return std::tie(feed); }
};

struct store_status_query {
  friend bool operator==(const store_status_query&,
                         const store_status_query&) = default;
  auto fields() { return std::tie(); }
};

struct store_status {
  block_index last;
  block_index announced;
  block_index synced;
  timestamp resolved;
  std::uint64_t rows = 0;
  std::uint64_t rows_repeated = 0;
  std::uint64_t rows_below_resolved = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t segments = 0;
  std::uint64_t segments_removed = 0;
  std::uint64_t scans = 0;
  std::uint64_t out_of_range = 0;
  error failure;
  std::uint64_t live_bytes = 0;      ///< Of the rows above their floors.
  std::uint64_t retained_bytes = 0;  ///< Of those: kept by the budget alone.
  std::uint64_t bytes_rewritten = 0; ///< Written again to give room back.
  error rewrite_failure;             ///< Of the last rewrite; tried again.
  /// disk_full while rows wait for room: they go on by themselves.
  error full;
  std::uint64_t full_ms = 0;       ///< For how long.
  std::uint64_t waiting_bytes = 0; ///< Of those rows.
  std::uint64_t missing_bytes = 0; ///< To be free before they go on.
  std::uint64_t syncs_failed = 0;  ///< Since the start.
  error sync_failure; ///< Of the last one; its rows were written again.

  friend bool operator==(const store_status&, const store_status&) = default;
  auto fields() {
    return std::tie(last, announced, synced, resolved, rows, rows_repeated,
                    rows_below_resolved, disk_bytes, memory_bytes, segments,
                    segments_removed, scans, out_of_range, failure, live_bytes,
                    retained_bytes, bytes_rewritten, rewrite_failure, full,
                    full_ms, waiting_bytes, missing_bytes, syncs_failed,
                    sync_failure);
  }
};

/// SERVICE -> BROKER: the dispatcher shard of this partition comes with it.
struct serve_partition {
  partition_id partition;

  friend bool operator==(const serve_partition&,
                         const serve_partition&) = default;
  auto fields() { return std::tie(partition); }
};

/// COLLECTOR -> SCHEMA_STORE: tell me of all tables, now and later.
struct watch_tables {
  friend bool operator==(const watch_tables&, const watch_tables&) = default;
  auto fields() { return std::tie(); }
};

/// SERVICE -> COLLECTOR: this collector shard serves feeds.
struct serve_feeds {
  friend bool operator==(const serve_feeds&, const serve_feeds&) = default;
  auto fields() { return std::tie(); }
};

} // namespace sluice
