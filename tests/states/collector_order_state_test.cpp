#include "tests/states/collector_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// A feed in the order of transactions: one stream for all of its tables, whose
// rows come in cuts, grouped by table.

namespace {

struct fixture {
  static constexpr auto feed = feed_id{5};
  static constexpr auto writer = incarnation{3};

  fixture() {
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

} // namespace

TEST_CASE_FIXTURE(fixture, "all tables of a feed are one registration") {
  REQUIRE(registered.size() == 1);
  REQUIRE(registered[0].entries.size() == 1);
  CHECK(registered[0].entries[0].table == all_tables);
  REQUIRE(registered[0].spans.size() == 1);
  CHECK(registered[0].spans[0].feed == feed);
  CHECK(uut.status(feed).tables == 2);
}

TEST_CASE_FIXTURE(fixture, "the position moves with the cut, not inside it") {
  send(block_of({{8, 10}, {7, 20}, {8, 30}}), item_end::transaction);
  REQUIRE(batches.size() == 1);
  CHECK_FALSE(batches[0].torn);
  REQUIRE(batches[0].items.size() == 2);
  CHECK(batches[0].items[0].after.table == all_tables);
  CHECK(batches[0].items[0].after.cursor == row_cursor{}); // 10, 30 miss yet
  CHECK(batches[0].items[1].after.cursor.commit_ts == timestamp{30});
}

TEST_CASE_FIXTURE(fixture, "a transaction that goes on is torn until its end") {
  send(block_of({{7, 10}, {8, 20}}), item_end::cut);
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].torn);
  SUBCASE("with its last rows") {
    send(block_of({{8, 30}}), item_end::transaction);
    REQUIRE(batches.size() == 1);
    CHECK_FALSE(batches[0].torn);
  }
  SUBCASE("without further rows of the feed") {
    auto end = delivery{mark(), feed, 0, {}};
    end.items.push_back(
      {asked.stream, asked.stream_epoch, {next}, nullptr, 0, 0, {}});
    keep(uut.on_delivery(end, now));
    REQUIRE(batches.size() == 1);
    CHECK(batches[0].items.empty());
    CHECK_FALSE(batches[0].torn);
  }
}

TEST_CASE_FIXTURE(fixture,
                  "what comes again does not end a transaction behind it") {
  auto whole = block_of({{7, 10}, {8, 20}});
  auto part = block_of({{8, 30}, {7, 40}});
  send(whole, item_end::transaction);
  send(part, item_end::cut);
  lose();
  send(whole, item_end::transaction);
  CHECK(batches.empty()); // the sink has 30 and 40, and waits for the rest
  send(part, item_end::cut);
  CHECK(batches.empty());
  send(block_of({{7, 50}}), item_end::transaction);
  REQUIRE(batches.size() == 1);
  CHECK_FALSE(batches[0].torn);
}
