#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/service_wiring.hpp"
#include "actors/sources/journal.hpp"
#include "store/memory_log.hpp"
#include "tests/support/deterministic.hpp"
#include "tests/support/rows.hpp"

namespace sluice::test {

using rows_at = std::vector<std::uint64_t>;

/// An upstream that keeps all it ever committed and replays it identically.
struct scripted_source : source_connector {
  struct commit {
    block_ptr rows;
    std::uint64_t resolved = 0;
    std::vector<ddl_event> schemas;
  };
  std::vector<std::uint64_t> tables{7, 8};
  std::vector<commit> commits;
  std::size_t next = 0;
  std::uint64_t resolved = 0;

  std::string describe() const override { return "script"; }
  expected<std::vector<ddl_event>> open(const source_position& from,
                                        source_journal&) override {
    next = 0;
    while (next < commits.size()
           && (!commits[next].rows
               || commits[next].rows->last_cursor() <= from.resume))
      ++next;
    auto result = std::vector<ddl_event>{};
    for (auto table : tables)
      result.push_back(ddl(table, 1, 0));
    return result;
  }
  expected<source_batch> read(std::size_t) override {
    auto result = source_batch{};
    if (next < commits.size()) {
      const auto& now = commits[next++];
      result.rows = now.rows;
      result.schemas = now.schemas;
      resolved = now.resolved;
      result.more = true;
    }
    result.resolved = {resolved};
    return result;
  }
  expected<bool> confirm(timestamp) override { return false; }
  std::chrono::milliseconds idle_wait(std::uint32_t) const override {
    return std::chrono::milliseconds{10};
  }
};

/// A target in memory. Rows and positions are committed together; it can be
/// away, refuse commits, and be set back to an older copy of itself.
struct memory_sink : sink_connector {
  struct content {
    std::map<std::uint64_t, rows_at> rows; // by table, commit_ts
    std::map<table_id, table_position> positions;
    timestamp low_watermark;
  };
  content durable;
  content open_transaction;
  incarnation writer;
  bool away = false;
  bool refuses_commits = false;
  std::size_t opened = 0;

  std::string describe() const override { return "memory"; }
  expected<sink_position> open(const feed_record&) override {
    if (away)
      return fail(errc::sink_unavailable, "away");
    ++opened;
    writer = writer.next();
    open_transaction = durable;
    auto result = sink_position{writer, {}, durable.low_watermark};
    for (const auto& [table, position] : durable.positions)
      result.positions.push_back(position);
    return result;
  }
  status write(const sink_rows& x) override {
    if (away)
      return fail(errc::sink_unavailable, "away");
    for (std::uint32_t i = 0; i < x.count; ++i) {
      auto row = x.block->grouped(x.first + i);
      open_transaction.rows[row.table().value].push_back(row.commit_ts().value);
    }
    return {};
  }
  status commit(const std::vector<table_position>& positions,
                std::optional<timestamp> low) override {
    if (away || refuses_commits)
      return fail(errc::sink_unavailable, "away");
    for (const auto& x : positions)
      open_transaction.positions[x.table] = x;
    if (low)
      open_transaction.low_watermark = *low;
    durable = open_transaction;
    return {};
  }
};

/// Source, log, serving side, collector and sink, all of them real, and in
/// the test's own order. Tables 7 and 8 go to feed 1.
struct whole_path : deterministic {
  static constexpr feed_id feed{1};

  struct settings {
    std::size_t partitions = 1;
    std::uint64_t credit = 1 << 20;
    /// Another feed, which nobody reads, keeps all rows in the log.
    bool keeps_all = false;
    /// Of an earlier run.
    std::shared_ptr<scripted_source> upstream{};
    std::shared_ptr<memory_sink> target{};
  };

  whole_path() : whole_path(settings{}) {
    // nop
  }
  explicit whole_path(const settings& how) {
    if (how.upstream)
      upstream = how.upstream;
    if (how.target)
      target = how.target;
    auto partitions = how.partitions;
    auto shard = collector_shard_options{};
    shard.credit_bytes = how.credit;
    parts.start_node(shard);
    parts.start_schemas(table_history::in_memory());
    for (std::size_t i = 0; i < partitions; ++i)
      engines.push_back(make_memory_log());
    for (std::size_t i = 0; i < partitions; ++i) {
      auto store = event_store_options{};
      store.partition = {i + 1};
      store.partitions = partitions;
      store.place = i;
      parts.start_partition(store, {}, engines[i], "");
    }
    auto feeds = feeds_loaded{};
    feeds.feeds.push_back({feed, "f", per_table()});
    if (how.keeps_all)
      feeds.feeds.push_back({{2}, "archive", {}});
    parts.tell_stores(feeds);
    parts.start_source({}, upstream, make_memory_journal());
    parts.start_sink({feed, "f", per_table()}, connector_sink_options{},
                     target);
    pass(1'000);
  }
  ~whole_path() {
    parts.stop();
    deliver_all();
  }
  whole_path(const whole_path&) = delete;
  whole_path& operator=(const whole_path&) = delete;

  void pass(std::int64_t ms) { advance(std::chrono::milliseconds{ms}); }
  /// One transaction at the upstream; everything <= `resolved` is there then.
  void commit(std::initializer_list<sample> rows, std::uint64_t resolved,
              std::vector<ddl_event> schemas = {}) {
    upstream->commits.push_back({rows.size() == 0 ? nullptr : block_of(rows),
                                 resolved, std::move(schemas)});
  }
  /// The same, and time until all is durable.
  void settle(std::initializer_list<sample> rows, std::uint64_t resolved,
              std::vector<ddl_event> schemas = {}) {
    commit(rows, resolved, std::move(schemas));
    pass(1'000);
  }
  rows_at rows(std::uint64_t table) { return target->durable.rows[table]; }
  std::uint64_t position(std::uint64_t table) {
    return target->durable.positions[{table}].checkpoint.value;
  }
  feed_status of_feed() {
    return ask<feed_status>(parts.actors().collector, feed_status_query{feed});
  }
  std::vector<reset_record> resets(std::size_t partition = 0) {
    return ask<reset_log>(parts.actors().partitions[partition].shard,
                          reset_log_query{})
      .records;
  }
  store_status log(std::size_t partition = 0) {
    return ask<store_status>(parts.actors().partitions[partition].store,
                             store_status_query{});
  }
  /// The sink's connection breaks; it comes back with this content.
  void come_back_with(memory_sink::content older) {
    target->away = true;
    settle({}, upstream->resolved + 1); // it notices when it has to store
    target->durable = std::move(older);
    target->away = false;
    pass(6'000);
  }

  std::shared_ptr<scripted_source> upstream =
    std::make_shared<scripted_source>();
  std::shared_ptr<memory_sink> target = std::make_shared<memory_sink>();
  std::vector<std::shared_ptr<log_engine>> engines;
  wiring parts{system(), wiring::blocking::scheduled};
};

} // namespace sluice::test
