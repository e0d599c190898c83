#pragma once

#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "actors/collector_shard_state.hpp"
#include "tests/support/rows.hpp"

namespace sluice::test {

/// One collector shard with one feed of tables 7 and 8. The test plays
/// DISPATCHER_SHARD and SINK and looks at what the last call made it send.
struct collector_fixture {
  using state = collector_shard_state;
  static constexpr auto feed = feed_id{5};
  static constexpr auto writer = incarnation{3};

  collector_fixture() {
    keep(uut.on_subscribe({{feed, "f", per_table()}}));
    keep(uut.on_tables({feed, {info(7)}}, now));
  }
  static table_info info(std::uint64_t table, std::uint64_t created = 0) {
    return {{table}, "t" + std::to_string(table), {1}, {created}};
  }
  static table_position position(std::uint64_t cursor,
                                 std::uint64_t checkpoint) {
    return {{7}, {{cursor}, {cursor}, 0}, {checkpoint}};
  }

  // -- as SINK ----------------------------------------------------------------

  void open(std::vector<table_position> positions, std::uint64_t low,
            incarnation as = writer) {
    keep(uut.on_sink_opened(feed, {as, std::move(positions), {low}}, now));
    note();
  }
  void durable(std::uint64_t batch, std::uint64_t low,
               incarnation as = writer) {
    keep(uut.on_durable(feed, {as, batch, {low}}));
  }
  void fail(bool final = false) {
    keep(uut.on_sink_failed(
      feed, {writer, {errc::sink_unavailable, "away"}, final}, now));
  }

  // -- as DISPATCHER_SHARD ----------------------------------------------------

  channel_mark mark() { return {channel, {++seq}, {}, {}}; }
  void make_ready(std::uint32_t at = 0) {
    keep(uut.on_ready({channel, registration, {at}, {}}, now));
    for (const auto& x : look<reset_streams>())
      asked = x.entries.back();
  }
  void shake(std::uint64_t lower) {
    keep(uut.on_handshake({mark(),
                           asked.stream,
                           asked.stream_epoch,
                           {lower},
                           {ddl(7, 1, 0).schema}},
                          now));
  }
  void send(std::uint64_t first_seq, const block_ptr& block,
            std::uint64_t complete_to, epoch of = {}) {
    auto count = block ? static_cast<std::uint32_t>(block->rows()) : 0;
    keep(uut.on_delivery({mark(),
                          feed,
                          10,
                          {{asked.stream,
                            of ? of : asked.stream_epoch,
                            {first_seq},
                            block,
                            0,
                            count,
                            {complete_to}}}},
                         now));
  }
  /// Rows for the cohort, up to `to`.
  void send_cohort(const block_ptr& block, row_cursor to,
                   std::vector<std::uint32_t> runs = {}) {
    keep(uut.on_delivery({mark(), feed, 10, {}, {{block, std::move(runs), to}}},
                         now));
  }
  void watermark_of(std::uint64_t resolved,
                    std::vector<cohort_change> in_sync = {},
                    std::vector<cohort_change> behind = {}) {
    keep(uut.on_watermark(
      {mark(), {{resolved}, {}}, std::move(behind), std::move(in_sync)}, now));
  }
  void catch_up(std::uint64_t resolved, std::uint64_t at) {
    watermark_of(resolved, {{asked.stream, asked.stream_epoch, {at}}});
  }
  /// Open at 20, registered, reset and in sync.
  void start() {
    open({position(20, 20)}, 20);
    make_ready();
    shake(20);
    catch_up(20, 2);
  }
  /// Its shard has forgotten the stream.
  void register_anew() {
    keep(uut.on_unknown({channel, registration}, now));
    note();
    make_ready(1);
    shake(20);
  }
  /// What was reset now.
  void restarted() {
    auto all = look<reset_streams>();
    REQUIRE(all.size() == 1);
    asked = all[0].entries.back();
  }
  void advance(std::chrono::milliseconds by) {
    now += by;
    keep(uut.on_tick(now));
  }

  // -- what it sent -----------------------------------------------------------

  void keep(state::effects effects) { sent = std::move(effects); }
  void note() {
    for (const auto& x : look<register_dispatchers>()) {
      channel = x.channel;
      registration = x.entries.back().id;
    }
  }
  template <class Message>
  std::vector<Message> look() const {
    auto result = std::vector<Message>{};
    constexpr auto for_sink = std::disjunction_v<
      std::is_same<Message, open_sink>, std::is_same<Message, write_rows>,
      std::is_same<Message, store_watermark>>;
    for (const auto& x : sent) {
      if constexpr (for_sink) {
        if (auto* to = std::get_if<state::to_sink>(&x))
          if (auto* found = std::get_if<Message>(&to->message))
            result.push_back(*found);
      } else if (auto* found = std::get_if<Message>(&x)) {
        result.push_back(*found);
      }
    }
    return result;
  }
  template <class Message>
  Message look_one() const {
    auto all = look<Message>();
    REQUIRE(all.size() == 1);
    return all[0];
  }
  /// commit_ts of the rows that went to the sink.
  std::vector<std::uint64_t> written() const {
    auto result = std::vector<std::uint64_t>{};
    for (const auto& x : look<write_rows>())
      each_row(x,
               [&](row_view row) { result.push_back(row.commit_ts().value); });
    return result;
  }
  std::uint64_t effective() const {
    return uut.effective_resolved(feed, {7}).value;
  }

  state uut{};
  state::effects sent;
  std::chrono::milliseconds now{0};
  channel_id channel;
  registration_id registration;
  reset_entry asked;
  std::uint64_t seq = 0;
};

using rows_at = std::vector<std::uint64_t>;

} // namespace sluice::test
