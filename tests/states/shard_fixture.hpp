#pragma once

#include <algorithm>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "actors/dispatcher_shard_state.hpp"
#include "tests/support/rows.hpp"

namespace sluice::test {

using rows_at = std::vector<std::uint64_t>;

/// One dispatcher shard. The test plays everybody around it and looks at what
/// the last call made it send.
struct shard_fixture {
  static constexpr auto channel = channel_id{1, 1};
  static constexpr auto feed = feed_id{5};
  static constexpr auto first = registration_id{1, 1};
  incarnation store{1};

  explicit shard_fixture(dispatcher_shard_options options = {},
                         std::uint64_t credit = 1 << 20)
    : uut{options} {
    keep(uut.on_register({channel, {1}, {}}, now));
    grant(credit);
  }

  // -- as COLLECTOR_SHARD -----------------------------------------------------

  /// READY's slot; none if there was no READY.
  slot add(registration_id id, std::uint64_t start, std::uint64_t table = 7,
           feed_id of = feed) {
    auto who = registration{id, {of.value, table}, of, {table}, {start}};
    keep(uut.on_register({channel, {1}, {who}}, now));
    auto answers = take<ready>();
    if (answers.empty())
      return {};
    slots[id] = answers.back().stream;
    return slots[id];
  }
  void reset(std::uint64_t next, std::uint64_t ts, registration_id id = first) {
    keep(uut.on_reset({channel, {{id, slots[id], {next}, {ts}}}}));
  }
  /// In it the stream is an exception.
  void beat(std::uint64_t of, std::uint64_t checkpoint,
            registration_id id = first, std::uint64_t acked = 0) {
    auto part = feed_checkpoint{feed, {}, {{slots[id], {of}, {checkpoint}}}};
    keep(uut.on_heartbeat({channel, {++up}, {acked}, {part}, {}}));
  }
  /// It speaks for all streams.
  void beat_all(std::uint64_t acked, std::uint64_t checkpoint) {
    auto part = feed_checkpoint{feed, {checkpoint}, {}};
    keep(uut.on_heartbeat({channel, {++up}, {acked}, {part}, {}}));
  }
  void grant(std::uint64_t total, feed_id to = feed) {
    // Nothing is pinned at the first grant, so it is the limit.
    auto limit = limits.try_emplace(to, total).first->second;
    keep(uut.on_credit({channel, {++up}, {{to, total, limit}}}));
  }

  // -- as EVENT_STORE ---------------------------------------------------------

  void append(const block_ptr& block, std::uint64_t resolved) {
    auto message = progress{store, {}, {++last}, {resolved}};
    log_resolved = resolved;
    message.blocks.push_back({{last}, block});
    keep(uut.on_progress(message));
  }
  void resolve(std::uint64_t ts) {
    log_resolved = ts;
    keep(uut.on_progress({store, {}, {last}, {ts}}));
    keep(uut.on_schema_resolved({{ts}}), true);
  }
  /// Answers the open scan: all entries get these rows.
  void scanned(const block_ptr& block) {
    auto request = take_one<scan_request>();
    scanned(request, block);
  }
  void scanned(const scan_request& request, const block_ptr& block) {
    auto answer = scan_answer{request.scan, request.store, {}};
    for (const auto& entry : request.entries) {
      auto result = scan_result{entry, {}, request.to, errc::none, {}, {}};
      if (block)
        result.rows.push_back(
          {block, 0, static_cast<std::uint32_t>(block->rows())});
      answer.results.push_back(std::move(result));
    }
    keep(uut.on_scan_answer(answer));
  }

  // -- as SCHEMA_STORE --------------------------------------------------------

  /// Answers the open look-ups.
  void look_up(std::vector<ddl_event> later = {}) {
    for (const auto& x : take<schema_query>())
      answer(x, later);
  }
  void answer(const schema_query& x, std::vector<ddl_event> later = {},
              errc failure = errc::none) {
    auto schema = ddl(x.table.value, 1, 0).schema;
    keep(uut.on_schema_answer({x, {schema}, std::move(later), failure}), true);
  }

  /// Registered, reset to `start`, scanned and in sync.
  void join(registration_id id = first, std::uint64_t start = 20,
            std::uint64_t table = 7) {
    add(id, start, table);
    reset(1, start, id);
    look_up();
    log_resolved = std::max(log_resolved, start);
    keep(uut.on_progress({store, {}, {last}, {log_resolved}}), true);
    scanned(nullptr);
    REQUIRE(uut.find(id)->joined);
  }

  // -- what it sent -----------------------------------------------------------

  void keep(dispatcher_shard_state::effects effects, bool also = false) {
    if (!also)
      sent.clear();
    for (auto& x : effects)
      sent.push_back(std::move(x));
  }
  template <class Message>
  std::vector<Message> take() {
    auto result = std::vector<Message>{};
    for (const auto& x : sent)
      if (auto* found = std::get_if<Message>(&x))
        result.push_back(*found);
    std::erase_if(
      sent, [](const auto& x) { return std::holds_alternative<Message>(x); });
    return result;
  }
  template <class Message>
  Message take_one() {
    auto all = take<Message>();
    REQUIRE(all.size() == 1);
    return all[0];
  }
  /// commit_ts of the rows that were sent.
  rows_at rows() {
    auto result = rows_at{};
    for (const auto& x : take<delivery>())
      each_row(x,
               [&](row_view row) { result.push_back(row.commit_ts().value); });
    return result;
  }

  dispatcher_shard_state uut;
  dispatcher_shard_state::effects sent;
  std::map<registration_id, slot> slots;
  std::map<feed_id, std::uint64_t> limits;
  std::chrono::milliseconds now{0};
  std::uint64_t up = 0;
  std::uint64_t last = 0;
  std::uint64_t log_resolved = 0;
};

} // namespace sluice::test
