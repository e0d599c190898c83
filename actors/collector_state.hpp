#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "messages/control.hpp"
#include "messages/feed.hpp"
#include "messages/ids.hpp"

namespace sluice {

/// A collector shard, by the order in which they came: 0, 1, 2, ...
struct shard_number {
  std::size_t value = 0;

  friend auto operator<=>(const shard_number&, const shard_number&) = default;
};

/// A schema store, by the order in which they came: 0, 1, 2, ...
struct schema_store_number {
  std::size_t value = 0;

  friend auto operator<=>(const schema_store_number&,
                          const schema_store_number&) = default;
};

/// Knows the tables and the feeds of its node, and which collector shard
/// serves a feed. A plain state machine: the same calls, the same effects.
///
/// A new table is acknowledged to its schema store only when every feed that
/// wants it holds it back: rows of it could else be appended and released
/// before anybody asked for them.
class collector_state {
public:
  /// To the schema store.
  struct ask_tables {
    schema_store_number store;

    friend bool operator==(const ask_tables&, const ask_tables&) = default;
  };
  /// To the shard, with the sink that the subscription came with.
  struct begin_feed {
    shard_number shard;
    subscribe_feed message;

    friend bool operator==(const begin_feed&, const begin_feed&) = default;
  };
  /// To the shard. It answers each table of it with one table_noted.
  struct extend_feed {
    shard_number shard;
    add_tables message;

    friend bool operator==(const extend_feed&, const extend_feed&) = default;
  };
  /// To the shard.
  struct end_feed {
    shard_number shard;
    unsubscribe_feed message;

    friend bool operator==(const end_feed&, const end_feed&) = default;
  };
  /// The answer to the schema store's known_tables.
  struct acknowledge_table {
    schema_store_number store;
    table_noted message;

    friend bool operator==(const acknowledge_table&,
                           const acknowledge_table&) = default;
  };
  using effect = std::variant<ask_tables, begin_feed, extend_feed, end_feed,
                              acknowledge_table>;
  using effects = std::vector<effect>;

  /// One shard more. Feeds stay where they are; those that came before the
  /// first shard begin now.
  [[nodiscard]] effects on_serve_feeds();
  [[nodiscard]] effects on_watch_tables(schema_store_number store);
  /// The same feed again: its new sink takes over, on the same shard.
  [[nodiscard]] effects on_subscribe_feed(const subscribe_feed& x);
  [[nodiscard]] effects on_unsubscribe_feed(const unsubscribe_feed& x);
  /// To each feed's shard they go on as one message. The same table again is
  /// acknowledged again.
  [[nodiscard]] effects on_known_tables(schema_store_number store,
                                        const known_tables& x);
  [[nodiscard]] effects on_table_noted(shard_number shard,
                                       const table_noted& x);
  /// Who serves a feed; nothing if it is not subscribed or waits for a shard.
  [[nodiscard]] std::optional<shard_number> shard_of(feed_id feed) const;
  /// The answer for a feed that no shard serves.
  [[nodiscard]] static feed_status unknown(const feed_status_query& x);

private:
  struct feed_entry {
    feed_record feed;
    std::optional<shard_number> shard; ///< None: there is no shard yet.
  };
  struct table_entry {
    table_info info;
    /// Answers of shards that are missing: one per table and add_tables.
    std::map<shard_number, std::size_t> missing;
    std::set<schema_store_number> waiting; ///< For table_noted.
  };

  void begin(feed_entry& entry, effects& out);
  void extend(const feed_entry& entry, std::vector<table_info> tables,
              effects& out);

  std::size_t shards_ = 0;
  std::map<feed_id, feed_entry> feeds_;
  std::map<table_id, table_entry> tables_;
};

} // namespace sluice
