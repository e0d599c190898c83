#pragma once

#include <map>
#include <optional>
#include <vector>

#include "actors/broker.hpp"
#include "actors/disk.hpp"
#include "actors/dispatcher_shard.hpp"
#include "actors/event_store.hpp"
#include "actors/schema_store.hpp"
#include "store/memory_log.hpp"
#include "tests/support/deterministic.hpp"
#include "tests/support/rows.hpp"

namespace sluice::test {

/// The serving side, all of it real: EVENT_STORE, DISK, SCHEMA_STORE, BROKER,
/// DISPATCHER_SHARD. The test plays SOURCE and COLLECTOR_SHARD, and so decides
/// which resets and heartbeats come, in which order.
struct serving_side : deterministic {
  static constexpr table_id table{7};
  static constexpr feed_id feed{1};
  static constexpr channel_id channel{1, 1};
  static constexpr registration_id first{1, 1};

  std::shared_ptr<log_engine> engine = make_memory_log();
  disk_actor helper = spawn(disk, disk_options{}, engine->disk());
  event_store_actor store = spawn(event_store, event_store_options{}, engine,
                                  helper, rewriter_actor{});
  schema_store_actor schemas = spawn(
    schema_store, std::make_shared<table_history>(table_history::in_memory()),
    1);
  dispatcher_shard_actor shard = spawn(dispatcher_shard,
                                       dispatcher_shard_options{}, store,
                                       schemas, std::chrono::milliseconds{50});
  broker_actor hub = spawn(broker);
  fake<source_actor> source =
    make_fake<source_actor, source_attached, rows_appended, append_failed,
              source_confirmed, schemas_declared>();
  fake<collector_shard_actor> collector =
    make_fake<collector_shard_actor, ready, refused, unknown_registration,
              handshake, delivery, schema_change, watermark, digest>();
  std::uint64_t appended = 0;
  std::uint64_t up = 0;
  channel_seq seen;

  serving_side() {
    caf::anon_send(hub, serve_partition{{1}}, shard);
    tell(source, schemas, declaration_of({ddl(7, 1, 0)}));
    tell(source, store, attach_source{{1}});
    auto feeds = feeds_loaded{};
    feeds.feeds.push_back({feed, "f", per_table()});
    feeds.tables.push_back({table, "t7", {1}, {0}});
    send(store, feeds);
    tell(collector, hub, register_dispatchers{channel, {1}, {}});
    credit_of(1 << 20);
  }

  template <class From, class To, class Message>
  void tell(const From& from, const To& to, Message message) {
    from.send(to, std::move(message));
    deliver_all();
  }

  // -- as SOURCE --------------------------------------------------------------

  /// Rows of table 7, each a transaction, at these ts; then resolved.
  void append(std::initializer_list<std::uint64_t> at, std::uint64_t resolved,
              std::uint64_t version = 1) {
    auto builder = row_block_builder{};
    for (auto ts : at) {
      auto id = value_view::of_integer(static_cast<std::int64_t>(ts));
      auto header = row_header{};
      header.table = table;
      header.cursor = {{ts}, {ts}, 0};
      header.schema = {version};
      builder.add(header, {true}, {}, {&id, 1});
      builder.end();
    }
    resolve_schemas(resolved);
    tell(source, store,
         append_rows{{1},
                     ++appended,
                     builder.empty() ? nullptr : builder.finish(),
                     {resolved}});
  }
  void resolve_schemas(std::uint64_t resolved) {
    tell(source, schemas, schema_resolved{{resolved}});
  }

  // -- as COLLECTOR_SHARD -----------------------------------------------------

  void add(std::uint64_t start, registration_id id = first,
           std::uint64_t dispatcher = 1) {
    tell(collector, hub,
         register_dispatchers{
           channel, {1}, {{id, {1, dispatcher}, feed, table, {start}}}});
    for (const auto& x : collector.take<ready>())
      slots[x.registration] = x.stream;
  }
  void reset(std::uint64_t to_epoch, std::uint64_t ts,
             registration_id id = first) {
    tell(collector, shard,
         reset_streams{channel, {{id, slots[id], {to_epoch}, {ts}}}});
  }
  /// A heartbeat in which the stream is an exception.
  void beat(std::uint64_t of_epoch, std::uint64_t checkpoint,
            registration_id id = first) {
    auto part = feed_checkpoint{
      feed, {0}, {{slots[id], {of_epoch}, {checkpoint}}}};
    tell(collector, shard, heartbeat{channel, {++up}, {0}, {part}, {}});
  }
  /// A heartbeat that speaks for all streams.
  void beat_all(std::uint64_t acked, std::uint64_t checkpoint) {
    tell(collector, shard,
         heartbeat{channel, {++up}, {acked}, {{feed, {checkpoint}, {}}}, {}});
  }
  void credit_of(std::uint64_t bytes) {
    tell(collector, shard, credit{channel, {++up}, {{feed, bytes, bytes}}});
  }
  /// commit_ts of the rows that came for an epoch, or for a cohort.
  std::vector<std::uint64_t> rows(std::uint64_t of_epoch) {
    auto result = std::vector<std::uint64_t>{};
    for (auto x : collector.take<delivery>()) {
      std::erase_if(x.items, [&](const delivery_item& item) {
        return item.stream_epoch != epoch{of_epoch};
      });
      each_row(x,
               [&](row_view row) { result.push_back(row.commit_ts().value); });
    }
    return result;
  }
  /// The last one since this was called before.
  std::optional<handshake> take_handshake() {
    auto all = collector.take<handshake>();
    if (all.empty())
      return {};
    return all.back();
  }
  store_status status() {
    return ask<store_status>(store, store_status_query{});
  }
  std::vector<reset_record> resets() {
    return ask<reset_log>(shard, reset_log_query{}).records;
  }
  /// Timers of all kinds, floors and releases among them.
  void pass_time() { advance(std::chrono::milliseconds{2'500}); }

  std::map<registration_id, slot> slots;
};

using rows_at = std::vector<std::uint64_t>;

} // namespace sluice::test
