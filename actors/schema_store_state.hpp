#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "messages/feed.hpp"
#include "messages/schema.hpp"

namespace sluice {

/// A message to one of the actors of a kind, by its number.
template <class Message>
struct to_shard {
  std::size_t shard = 0;
  Message message;

  friend bool operator==(const to_shard&, const to_shard&) = default;
};
struct to_collector {
  std::size_t collector = 0;
  known_tables message;
};
struct to_source {
  std::size_t source = 0;
  schemas_declared message;
};

/// Knows the tables of one upstream by ts, and who must hear of a change
/// before rows of it may flow. A plain state machine: what it is told is
/// durable already.
class schema_store_state {
public:
  using effect = std::variant<to_shard<ddl_notice>, to_shard<schema_resolved>,
                              to_shard<schema_answer>, to_collector, to_source>;
  using effects = std::vector<effect>;

  /// What the history had at the start, in its order.
  /// @param partitions Of the source, to know where each table's rows are.
  void on_loaded(const std::vector<ddl_event>& events,
                 std::size_t partitions = 1);

  /// Why the history must not have it: a message that it follows failed. With
  /// a later DDL it would refuse the earlier one for ever.
  [[nodiscard]] error refusal(std::size_t source,
                              const declare_schemas& message) const;
  /// @param failure Why the history has nothing of it; none when it has.
  [[nodiscard]] effects on_declare(std::size_t source,
                                   const declare_schemas& message,
                                   const error& failure = {});
  [[nodiscard]] effects on_resolved(const schema_resolved& message);
  [[nodiscard]] effects on_watch_schemas(std::size_t shard);
  [[nodiscard]] effects on_watch_tables(std::size_t collector);
  [[nodiscard]] effects on_table_noted(std::size_t collector, table_id table);
  [[nodiscard]] effects on_query(std::size_t shard, const schema_query& query);
  /// A collector that is no more holds nobody up.
  [[nodiscard]] effects on_collector_gone(std::size_t collector);
  void on_shard_gone(std::size_t shard);

private:
  /// A message that waits for collectors to note its tables.
  struct waiting_declaration {
    std::size_t source = 0;
    std::uint64_t number = 0;
    std::size_t unnoted = 0; ///< Of its schemas.
  };
  struct table_entry {
    std::vector<ddl_event> versions; // ascending by ts
    partition_id partition;
    bool declared = false;         // since the start
    std::set<std::size_t> unnoted; // collectors that have not answered
    std::vector<std::uint64_t> declarations; // wait for them
  };

  [[nodiscard]] static table_info info(const table_entry& table);
  [[nodiscard]] schema_answer answer(const schema_query& query) const;
  static bool matches(const table_entry& table, const feed_rules& rules);
  static errc describe(const table_entry& table, timestamp at,
                       schema_answer& to);
  /// @returns Whether the collectors have to hear of the table.
  bool declare_one(const schema_declaration& x, effects& out);
  void answer_if_noted(table_entry& table, effects& out);

  std::map<table_id, table_entry> tables_;
  std::map<std::uint64_t, waiting_declaration> declarations_;
  std::uint64_t last_declaration_ = 0;
  std::map<std::size_t, error> failures_; // of the last message of a source
  std::set<std::size_t> shards_;
  std::set<std::size_t> collectors_;
  timestamp resolved_;
  std::multimap<timestamp, std::pair<std::size_t, schema_query>> waiting_;
};

} // namespace sluice
