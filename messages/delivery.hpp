#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "messages/credit.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"

/// What goes down a channel, DISPATCHER_SHARD -> COLLECTOR_SHARD. Each of
/// these messages takes the next channel_seq; one whose channel_seq is not
/// above the highest seen is dropped whole.
namespace sluice {

/// Stands first in every message down a channel.
struct channel_mark {
  channel_id channel;
  channel_seq seq;
  channel_seq acked_up;         ///< Highest up_seq the shard has seen.
  std::vector<feed_total> sent; ///< sent_total per feed, this message included.

  friend bool operator==(const channel_mark&, const channel_mark&) = default;
  auto fields() { return std::tie(channel, seq, acked_up, sent); }
};

/// First of every epoch; its sequence is 1. The stream begins after
/// `lower_bound`, with `schemas`, which are those valid there.
struct handshake {
  channel_mark mark;
  slot stream;
  epoch stream_epoch;
  timestamp lower_bound;
  std::vector<table_schema> schemas; ///< One, or those of all tables.

  friend bool operator==(const handshake&, const handshake&) = default;
  auto fields() {
    return std::tie(mark, stream, stream_epoch, lower_bound, schemas);
  }
};

/// What is complete behind an item. Rows of several tables between two places
/// of the log are a cut: they come grouped by table, an item per group.
enum class item_end : std::uint8_t {
  open = 1,        ///< More of the same cut follows.
  cut = 2,         ///< The cut; a transaction of the source goes on behind it.
  transaction = 3, ///< The cut, and all transactions in it.
};

/// Rows of one stream, by reference into a block; or none, then only the
/// promise. Accepted only if first_seq = the stream's last seq + 1.
struct delivery_item {
  slot stream;
  epoch stream_epoch;
  sequence first_seq;      ///< Of the first row; rows count on from it.
  block_ptr block;         ///< Null: no rows.
  std::uint32_t first = 0; ///< In the block's grouped order.
  std::uint32_t count = 0;
  /// Everything <= it is sent, this item included.
  timestamp complete_to;
  /// Always `transaction` for a stream of one table.
  item_end end = item_end::transaction;

  friend bool operator==(const delivery_item&, const delivery_item&) = default;
  auto fields() {
    return std::tie(stream, stream_epoch, first_seq, block, first, count,
                    complete_to, end);
  }
};

/// Rows of a block for a feed's cohort: those of its streams that are in sync
/// as of the last watermark before it. They have all rows < the block's first.
struct cohort_rows {
  block_ptr block;
  std::vector<std::uint32_t> runs; ///< Of the block's, ascending; empty: all.
  row_cursor to;                   ///< Every row <= it is sent.

  friend bool operator==(const cohort_rows&, const cohort_rows&) = default;
  auto fields() { return std::tie(block, runs, to); }
};

/// Rows of one feed. `charge` is pinned at the collector until the sink holds
/// them in memory no more. Those of the cohort take no sequence of their own:
/// they count only if nothing of the channel was lost before them.
struct delivery {
  channel_mark mark;
  feed_id feed;
  std::uint64_t charge = 0; ///< Bytes, of everything together.
  std::vector<delivery_item> items;
  std::vector<cohort_rows> cohort = {};

  friend bool operator==(const delivery&, const delivery&) = default;
  auto fields() { return std::tie(mark, feed, charge, items, cohort); }
};

/// A DDL in its place in the order: after the rows <= event.ts.
struct schema_change {
  channel_mark mark;
  slot stream;
  epoch stream_epoch;
  sequence seq;
  ddl_event event;

  friend bool operator==(const schema_change&, const schema_change&) = default;
  auto fields() { return std::tie(mark, stream, stream_epoch, seq, event); }
};

} // namespace sluice
