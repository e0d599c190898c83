#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "messages/errc.hpp"
#include "messages/ids.hpp"

/// Feeds, the positions of their tables, and what a subscription is.
namespace sluice {

/// In which order the rows of a feed come.
enum class feed_order : std::uint8_t {
  /// Each table's rows in commit order; across tables there is none.
  table = 1,
  /// All rows in commit order, and a target that has transactions never
  /// commits a part of one of the source's. Needs a single partition.
  transaction = 2,
};

/// What has to be durable where before the source lets its upstream forget it.
enum class confirm_level : std::uint8_t {
  /// In the log.
  log = 1,
  /// At the feed's sink, too: what it has not got stays upstream.
  sinks = 2,
};

/// Which tables a feed wants: shell patterns (`*`, `?`) on qualified names.
struct feed_rules {
  std::vector<std::string> include{"*"};
  std::vector<std::string> exclude;
  feed_order order = feed_order::transaction;
  confirm_level confirm = confirm_level::log; ///< May change later.

  /// Whether they are the same but for what may change later.
  [[nodiscard]] bool same_rows(const feed_rules& other) const {
    return include == other.include && exclude == other.exclude
           && order == other.order;
  }
  [[nodiscard]] bool matches(std::string_view table) const;
  friend bool operator==(const feed_rules&, const feed_rules&) = default;
  auto fields() { return std::tie(include, exclude, order, confirm); }
};

/// Stands where a table's number would: all tables of a feed whose order is
/// `transaction`. They share one dispatcher, one stream and one position.
inline constexpr auto all_tables = table_id{};

/// A feed as it is stored: it lives until it is removed by name.
struct feed_record {
  feed_id id;
  std::string name;
  feed_rules rules;

  friend bool operator==(const feed_record&, const feed_record&) = default;
  auto fields() { return std::tie(id, name, rules); }
};

/// How far one table of a feed is durable at its target.
struct table_position {
  table_id table;
  row_cursor cursor;    ///< Of the last durable row: the dedup barrier.
  timestamp checkpoint; ///< Every row <= it was delivered and is durable.

  friend bool operator==(const table_position&,
                         const table_position&) = default;
  auto fields() { return std::tie(table, cursor, checkpoint); }
};

/// What a feed still needs: rows > floor, per exception instead of `floor`.
struct feed_floor {
  feed_id feed;
  timestamp floor;
  std::vector<table_position> exceptions; ///< `checkpoint` counts.

  friend bool operator==(const feed_floor&, const feed_floor&) = default;
  auto fields() { return std::tie(feed, floor, exceptions); }
};

/// A table that can be captured, and where its rows are.
struct table_info {
  table_id table;
  std::string name;
  partition_id partition;
  timestamp created; ///< No row of it is <= this.

  friend bool operator==(const table_info&, const table_info&) = default;
  auto fields() { return std::tie(table, name, partition, created); }
};

/// SCHEMA_STORE -> COLLECTOR: tables that came into being, or all there are as
/// the answer to watch_tables. Those in one message: a feed that knew some of
/// them would store a low watermark that speaks for all. Each is acknowledged
/// once its streams hold every feed back; only then its rows are appended.
/// SOURCE -> EVENT_STORE: tables of the partition, before their first rows.
struct known_tables {
  std::vector<table_info> tables;

  friend bool operator==(const known_tables&, const known_tables&) = default;
  auto fields() { return std::tie(tables); }
};

struct table_noted {
  table_id table;

  friend bool operator==(const table_noted&, const table_noted&) = default;
  auto fields() { return std::tie(table); }
};

/// SERVICE -> COLLECTOR, SERVICE -> COLLECTOR_SHARD: deliver this feed to the
/// sink that the message comes with.
struct subscribe_feed {
  feed_record feed;

  friend bool operator==(const subscribe_feed&,
                         const subscribe_feed&) = default;
  auto fields() { return std::tie(feed); }
};

/// COLLECTOR -> COLLECTOR_SHARD: these tables match the feed.
struct add_tables {
  feed_id feed;
  std::vector<table_info> tables;

  friend bool operator==(const add_tables&, const add_tables&) = default;
  auto fields() { return std::tie(feed, tables); }
};

/// Ends a subscription; the feed stays, and with it what it needs of the log.
struct unsubscribe_feed {
  feed_id feed;

  friend bool operator==(const unsubscribe_feed&,
                         const unsubscribe_feed&) = default;
  auto fields() { return std::tie(feed); }
};

/// Asks COLLECTOR_SHARD how far a feed is.
struct feed_status_query {
  feed_id feed;

  friend bool operator==(const feed_status_query&,
                         const feed_status_query&) = default;
  auto fields() { return std::tie(feed); }
};

/// One table that has something undone.
struct unflushed_table {
  table_id table;       ///< Or `all_tables`: several.
  timestamp checkpoint; ///< Durable at the target up to here.
  timestamp resolved;   ///< The source is complete up to here.
  std::uint64_t rows_in_flight = 0;

  friend bool operator==(const unflushed_table&,
                         const unflushed_table&) = default;
  auto fields() {
    return std::tie(table, checkpoint, resolved, rows_in_flight);
  }
};

struct feed_status {
  feed_id feed;
  timestamp resolved;   ///< Complete at the collector.
  timestamp checkpoint; ///< Durable at the target, for all tables.
  std::uint64_t tables = 0;
  std::uint64_t rows_accepted = 0; ///< Since the subscription.
  std::uint64_t rows_durable = 0;  ///< Since the subscription.
  std::uint64_t resets = 0;
  /// Rows that came at or below their table's checkpoint: 0, always.
  std::uint64_t rows_below_checkpoint = 0;
  std::vector<unflushed_table> unflushed;
  error failure;        ///< Why it does not get on; none while it does.
  bool stopped = false; ///< For good; else it is tried again.

  friend bool operator==(const feed_status&, const feed_status&) = default;
  auto fields() {
    return std::tie(feed, resolved, checkpoint, tables, rows_accepted,
                    rows_durable, resets, rows_below_checkpoint, unflushed,
                    failure, stopped);
  }
};

} // namespace sluice
