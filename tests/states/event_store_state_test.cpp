#include "actors/event_store_state.hpp"

#include "tests/states/event_store_bench.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

event_store_options synced_level() {
  auto result = event_store_options{};
  result.level = durability::synced;
  return result;
}

} // namespace

// -- appends ------------------------------------------------------------------

TEST_CASE("a newer writer takes over and the older one is refused") {
  auto bench = event_store_bench{};
  bench.attach_source(1);
  CHECK(bench.take<source_attached>().size() == 1);
  bench.attach_source(2);
  CHECK(bench.take<source_attached>().size() == 1);
  bench.append(block_of({{7, 20}, end_mark}), 20); // by writer 1
  auto refused = bench.take<refuse_source>();
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].message.reason.code == errc::stale_source);
  bench.attach_source(1);
  CHECK(bench.take<source_attached>().empty());
  CHECK(bench.take<refuse_source>().size() == 1);
  CHECK(bench.take<adopt_source>().size() == 2); // not by the third
  CHECK(bench.blocks.empty());
}

TEST_CASE("a repeated number is answered again and not appended") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  --bench.number;
  bench.append(block_of({{7, 20}, end_mark}), 20);
  CHECK(bench.take<rows_appended>().size() == 2);
  CHECK(bench.blocks.size() == 1);
}

TEST_CASE("a gap between numbers is refused until the source attaches again") {
  auto bench = event_store_bench{};
  bench.attach_source();
  ++bench.number;
  bench.append(block_of({{7, 20}, end_mark}), 20);
  auto refused = bench.take<append_failed>();
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].number == 2);
  CHECK(refused[0].reason.code == errc::append_out_of_order);
  bench.attach_source();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  CHECK(bench.take<rows_appended>().size() == 1);
}

TEST_CASE("after a failed append nothing behind it is taken") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.append_failure = {errc::log_io, "EIO"};
  bench.append(block_of({{7, 20}, end_mark}), 20);
  bench.append_failure = {};
  bench.append(nullptr, 40); // was on its way already
  auto refused = bench.take<append_failed>();
  REQUIRE(refused.size() == 2);
  CHECK(refused[0].reason.code == errc::log_io);
  CHECK(refused[1].reason.code == errc::append_out_of_order);
  CHECK(bench.uut.status().resolved == timestamp{0});
}

TEST_CASE("rows at or below the promised resolved are dropped and counted") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.resolve(30);
  bench.append(block_of({{7, 20}, {7, 30}, end_mark, {7, 40}, end_mark}), 40);
  CHECK(times(bench.blocks.at(1)) == std::vector<std::uint64_t>{40});
  CHECK(bench.uut.status().rows_below_resolved == 2);
  bench.resolve(60);
  bench.append(block_of({{7, 50}, end_mark}), 60);
  CHECK(bench.blocks.size() == 1);
  CHECK(bench.uut.status().rows_below_resolved == 3);
  CHECK(bench.take<rows_appended>().size() == 4);
}

TEST_CASE("a source that attaches again resumes behind what was promised") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  bench.resolve(40);
  bench.take<source_attached>();
  bench.attach_source(2);
  auto attached = bench.take<source_attached>();
  REQUIRE(attached.size() == 1);
  CHECK(attached[0].appended_to == row_cursor::end_of({40}));
  CHECK(attached[0].resolved == timestamp{40});
}

// -- announcing ---------------------------------------------------------------

TEST_CASE("a resolved that does not rise is not announced again") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.attach_shard();
  bench.resolve(10);
  bench.resolve(8);
  bench.resolve(10);
  auto notices = bench.take_progress();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0] == progress{{1}, {}, {0}, {10}});
}

TEST_CASE("a shard that attaches hears at once where the log is") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  bench.run(bench.uut.on_attach_shard(0));
  auto notices = bench.take<send_progress>();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].message == progress{{1}, {}, {1}, {20}});
}

TEST_CASE("an appended block is announced with its rows") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.attach_shard();
  auto block = block_of({{7, 20}, end_mark});
  bench.append(block, 20);
  auto notices = bench.take_progress();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0] == progress{{1}, {{{1}, block}}, {1}, {20}});
}

TEST_CASE("the store merges while a shard has a progress to take") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.attach_shard();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.append(block_of({{7, 60}, end_mark}), 60);
  auto first = bench.take_progress();
  REQUIRE(first.size() == 1);
  CHECK(first[0].last == block_index{1});
  auto second = bench.take_progress();
  REQUIRE(second.size() == 1);
  REQUIRE(second[0].blocks.size() == 2);
  CHECK(second[0].blocks[0].index == block_index{2});
  CHECK(second[0].last == block_index{3});
  CHECK(second[0].resolved == timestamp{60});
}

TEST_CASE("a slow shard loses the oldest blocks and not the newest") {
  auto options = event_store_options{};
  options.window_bytes =
    2 * block_of({{7, 20}, end_mark})->footprint(); // room for two
  auto bench = event_store_bench{options};
  bench.attach_source();
  bench.attach_shard();
  for (auto ts : std::vector<std::uint64_t>{20, 40, 60, 80})
    bench.append(block_of({{7, ts}, end_mark}), ts);
  bench.take_progress();
  auto late = bench.take_progress();
  REQUIRE(late.size() == 1);
  REQUIRE(late[0].blocks.size() == 2);
  CHECK(late[0].blocks[0].index == block_index{3});
  CHECK(late[0].last == block_index{4});
}

TEST_CASE("rows of an open transaction are not announced") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.attach_shard();
  bench.append(block_of({{7, 20}, end_mark, {7, 40}}), 20);
  CHECK(bench.take_progress().empty());
  bench.append(block_of({{7, 40, 1}, end_mark}), 40);
  auto notices = bench.take_progress();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].blocks.size() == 2);
  CHECK(notices[0].resolved == timestamp{40});
}

TEST_CASE("an open transaction is forgotten when its source starts over") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.attach_shard();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  bench.append(block_of({{7, 40}}), 20);
  bench.take_progress();
  bench.attach_source();
  auto block = block_of({{7, 40}, {7, 40, 1}, end_mark});
  bench.append(block, 40);
  auto notices = bench.take_progress();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0] == progress{{1}, {{{2}, block}}, {2}, {40}});
}

TEST_CASE("at level synced rows are announced only after their sync") {
  auto bench = event_store_bench{synced_level()};
  bench.attach_source();
  bench.attach_shard();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  CHECK(bench.take_progress().empty());
  bench.advance(50);
  CHECK(bench.take_progress().empty());
  bench.finish_sync();
  auto notices = bench.take_progress();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].last == block_index{1});
  CHECK(notices[0].resolved == timestamp{20});
}

// -- syncs and confirming -----------------------------------------------------

TEST_CASE("the source hears what is durable after a sync and not before") {
  auto bench = event_store_bench{};
  bench.load_feeds();
  bench.attach_source();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  bench.advance(50);
  bench.append(block_of({{7, 40}, end_mark}), 40);
  CHECK(bench.take<source_confirmed>().empty());
  bench.finish_sync();
  auto confirmed = bench.take<source_confirmed>();
  REQUIRE(confirmed.size() == 1);
  CHECK(confirmed[0].ts == timestamp{20});
}

TEST_CASE("a resolved without unsynced rows is confirmed at the next tick") {
  auto bench = event_store_bench{};
  bench.load_feeds();
  bench.attach_source();
  bench.resolve(20);
  bench.resolve(40);
  bench.advance(50);
  auto confirmed = bench.take<source_confirmed>();
  REQUIRE(confirmed.size() == 1);
  CHECK(confirmed[0].ts == timestamp{40});
}

TEST_CASE("a source that attaches hears what is durable already") {
  auto bench = event_store_bench{};
  bench.load_feeds();
  bench.attach_source();
  bench.resolve(20);
  bench.advance(50);
  CHECK(bench.take<source_confirmed>().size() == 1);
  bench.attach_source(2);
  bench.advance(50);
  CHECK(bench.take<source_confirmed>().size() == 1);
}

TEST_CASE("one sync at a time and none when there is nothing to sync") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.advance(50);
  CHECK(bench.take<sync_log>().empty());
  bench.append(block_of({{7, 20}, end_mark}), 20);
  bench.advance(50);
  CHECK(bench.sent.size() > 0);
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.advance(50);
  CHECK(bench.take<sync_log>().size() == 1);
}

TEST_CASE("many bytes are synced before their time") {
  auto options = event_store_options{};
  options.sync_bytes = 1;
  auto bench = event_store_bench{options};
  bench.attach_source();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  CHECK(bench.take<sync_log>().size() == 1);
}

TEST_CASE("what a failed sync left out is confirmed once it was renewed") {
  auto bench = event_store_bench{};
  bench.load_feeds();
  bench.attach_source();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  bench.advance(50);
  bench.append(block_of({{7, 40}, end_mark}), 40);
  CHECK(bench.take<source_confirmed>().empty());
  bench.run(bench.uut.on_log_synced({{{1}, {1}}, {errc::log_io, "EIO"}}));
  auto confirmed = bench.take<source_confirmed>();
  REQUIRE(confirmed.size() == 1);
  CHECK(confirmed[0].ts == timestamp{40});
  bench.append(block_of({{7, 60}, end_mark}), 60);
  CHECK(bench.take<append_failed>().empty());
  CHECK_FALSE(bench.uut.status().failure);
  CHECK(bench.uut.status().syncs_failed == 1);
  CHECK(bench.uut.status().sync_failure.code == errc::log_io);
}

TEST_CASE("after a failed sync that is not renewed nothing more is taken") {
  auto bench = event_store_bench{};
  bench.load_feeds();
  bench.attach_source();
  bench.append(block_of({{7, 20}, end_mark}), 20);
  bench.advance(50);
  bench.renew_failure = {errc::log_corrupt, "gone"};
  bench.run(bench.uut.on_log_synced({{{1}, {1}}, {errc::log_io, "EIO"}}));
  CHECK(bench.take<source_confirmed>().empty());
  bench.append(block_of({{7, 40}, end_mark}), 40);
  auto refused = bench.take<append_failed>();
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].reason.code == errc::log_io);
  CHECK(bench.uut.status().failure.code == errc::log_io);
}

TEST_CASE("an idle store arms no timer") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.attach_shard();
  CHECK(bench.take<wake_store>().empty());
  bench.append(block_of({{7, 20}, end_mark}), 20);
  CHECK(bench.take<wake_store>().size() == 1);
  bench.advance(50);
  bench.finish_sync();
  bench.take<wake_store>();
  bench.advance(50);
  CHECK(bench.take<wake_store>().empty());
}
