#pragma once

#include <variant>
#include <vector>

#include "tests/states/collector_fixture.hpp"

namespace sluice::test {

/// One collector shard with a feed of tables 7 and 8 in the order of
/// transactions: one stream for both, whose rows come in cuts, grouped by
/// table.
struct order_fixture {
  static constexpr auto feed = feed_id{5};
  static constexpr auto writer = incarnation{3};

  order_fixture() {
    keep(uut.on_subscribe({{feed, "f", {}}}));
    keep(uut.on_tables({feed, {collector_fixture::info(7)}}, now));
    keep(uut.on_sink_opened(feed, {writer, {}, {}}, now));
    keep(uut.on_tables({feed, {collector_fixture::info(8)}}, now));
    keep(uut.on_ready({channel, registration, {0}, {}}, now));
    shake();
  }

  void keep(collector_shard_state::effects effects) {
    batches.clear();
    for (auto& x : effects) {
      if (auto* add = std::get_if<register_dispatchers>(&x)) {
        registered.push_back(*add);
        channel = add->channel;
        registration = add->entries.back().id;
      }
      else if (auto* reset = std::get_if<reset_streams>(&x))
        asked = reset->entries.back();
      else if (auto* to = std::get_if<collector_shard_state::to_sink>(&x))
        if (auto* rows = std::get_if<write_rows>(&to->message))
          batches.push_back(*rows);
    }
  }
  channel_mark mark() { return {channel, {++seq}, {}, {}}; }
  void shake() {
    keep(uut.on_handshake({mark(),
                           asked.stream,
                           asked.stream_epoch,
                           {},
                           {ddl(7, 1, 0).schema, ddl(8, 1, 0).schema}},
                          now));
    next = 2;
  }
  // The block as one cut.
  delivery cut(const block_ptr& block, item_end end) {
    auto result = delivery{mark(), feed, 10, {}};
    for (const auto& run : block->runs()) {
      result.items.push_back({asked.stream,
                              asked.stream_epoch,
                              {next},
                              block,
                              run.first,
                              run.count,
                              {},
                              item_end::open});
      next += run.count;
    }
    result.items.back().end = end;
    return result;
  }
  void send(const block_ptr& block, item_end end) {
    keep(uut.on_delivery(cut(block, end), now));
  }
  // Something was lost: the next item is not the one after the last.
  void lose() {
    ++next;
    send(block_of({{7, 999}}), item_end::transaction);
    shake();
  }

  collector_shard_state uut{{}};
  std::chrono::milliseconds now{0};
  channel_id channel;
  registration_id registration;
  std::vector<register_dispatchers> registered;
  reset_entry asked;
  std::vector<write_rows> batches;
  std::uint64_t seq = 0;
  std::uint64_t next = 2;
};

} // namespace sluice::test
