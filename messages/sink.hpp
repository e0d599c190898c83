#pragma once

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "messages/delivery.hpp"
#include "messages/errc.hpp"
#include "messages/feed.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"

/// Between a collector shard and the sink of a feed.
namespace sluice {

/// COLLECTOR_SHARD -> SINK: connect (again). Rows not durable are forgotten.
struct open_sink {
  feed_record feed;

  friend bool operator==(const open_sink&, const open_sink&) = default;
  auto fields() { return std::tie(feed); }
};

/// SINK -> COLLECTOR_SHARD: what the target says of itself. Believed, also
/// when it is lower than what was reported before.
struct sink_opened {
  incarnation writer; ///< Qualifies every later message, both ways.
  std::vector<table_position> positions;
  timestamp low_watermark; ///< True for every table without a higher one.

  friend bool operator==(const sink_opened&, const sink_opened&) = default;
  auto fields() { return std::tie(writer, positions, low_watermark); }
};

/// Rows of one table for a sink.
struct write_item {
  schema_ptr schema;       ///< The one the rows were written with.
  block_ptr block;         ///< Null: no rows, only the checkpoint moves.
  std::uint32_t first = 0; ///< In the block's grouped order.
  std::uint32_t count = 0;
  table_position after; ///< True once these rows are durable.

  friend bool operator==(const write_item& x, const write_item& y) {
    auto same_schema = x.schema == y.schema
                       || (x.schema && y.schema && *x.schema == *y.schema);
    return same_schema && x.block == y.block && x.first == y.first
           && x.count == y.count && x.after == y.after;
  }
  auto fields() { return std::tie(schema, block, first, count, after); }
};

/// COLLECTOR_SHARD -> SINK: make these durable, in this order.
struct write_rows {
  incarnation writer;
  std::uint64_t batch = 0; ///< 1, 2, 3, ... of that writer.
  std::vector<write_item> items;
  /// A transaction of the source goes on in the next batch: a target that has
  /// transactions does not commit before it. Never when `feed_order::table`.
  bool torn = false;
  /// Behind the items. Each table with rows in it is durable up to `to` then.
  std::vector<cohort_rows> cohort = {};
  /// New ones; the rows name versions of these or of those sent before.
  std::vector<schema_ptr> schemas = {};

  friend bool operator==(const write_rows& x, const write_rows& y) {
    auto same = [](const schema_ptr& a, const schema_ptr& b) {
      return a == b || (a && b && *a == *b);
    };
    return x.writer == y.writer && x.batch == y.batch && x.items == y.items
           && x.torn == y.torn && x.cohort == y.cohort
           && std::equal(x.schemas.begin(), x.schemas.end(), y.schemas.begin(),
                         y.schemas.end(), same);
  }
  auto fields() {
    return std::tie(writer, batch, items, torn, cohort, schemas);
  }
};

/// COLLECTOR_SHARD -> SINK: every row <= ts of every table of the feed was
/// sent in batches <= the last one; store that as the feed's low watermark.
struct store_watermark {
  incarnation writer;
  timestamp ts;

  friend bool operator==(const store_watermark&,
                         const store_watermark&) = default;
  auto fields() { return std::tie(writer, ts); }
};

/// SINK -> COLLECTOR_SHARD: batches up to `batch` are no longer in memory.
struct rows_released {
  incarnation writer;
  std::uint64_t batch = 0;

  friend bool operator==(const rows_released&, const rows_released&) = default;
  auto fields() { return std::tie(writer, batch); }
};

/// SINK -> COLLECTOR_SHARD: batches up to `batch` and the low watermark are
/// durable: a restart of the sink would read them back.
struct rows_durable {
  incarnation writer;
  std::uint64_t batch = 0;
  timestamp low_watermark;

  friend bool operator==(const rows_durable&, const rows_durable&) = default;
  auto fields() { return std::tie(writer, batch, low_watermark); }
};

/// SINK -> COLLECTOR_SHARD: the target refused. Not final: open it again
/// after a while.
struct sink_failed {
  incarnation writer; ///< 0 when it could not be opened.
  error reason;
  bool final = false;

  friend bool operator==(const sink_failed&, const sink_failed&) = default;
  auto fields() { return std::tie(writer, reason, final); }
};

/// A consumer's own code -> its SINK, from any thread: it is done with the
/// batches up to `batch`. Of another writer: without effect.
struct acknowledge {
  incarnation writer;
  std::uint64_t batch = 0;

  friend bool operator==(const acknowledge&, const acknowledge&) = default;
  auto fields() { return std::tie(writer, batch); }
};

} // namespace sluice
