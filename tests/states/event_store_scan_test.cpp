#include "tests/states/event_store_bench.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

// Rows of table 7 at 20, 40, 60, a block each, and of table 8 at 40.
struct filled : event_store_bench {
  filled() {
    attach_source();
    append(block_of({{7, 20}, end_mark}), 20);
    append(block_of({{7, 40}, {8, 40}, end_mark}), 40);
    append(block_of({{7, 60}, end_mark}), 60);
    sent.clear();
  }
};

std::vector<std::uint64_t> found(const scan_result& result) {
  auto times = std::vector<std::uint64_t>{};
  for (const auto& x : result.rows)
    for (auto i = x.first; i < x.first + x.count; ++i)
      times.push_back(x.block->grouped(i).commit_ts().value);
  return times;
}

} // namespace

TEST_CASE("a scan gives every row of its table after the cursor") {
  auto bench = filled{};
  bench.scan(7, row_cursor::end_of({20}));
  auto result = bench.take_result();
  CHECK(result.failure == errc::none);
  CHECK(result.complete_to == block_index{3});
  CHECK(found(result) == std::vector<std::uint64_t>{40, 60});
}

TEST_CASE("a scan goes on between transactions that share a commit_ts") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.append(block_of({{7, 20, 0}, {7, 20, 1}, {7, 20, 2}, end_mark}), 20);
  bench.scan(7, {{20}, {20}, 0});
  auto result = bench.take_result();
  REQUIRE(result.rows.size() == 1);
  CHECK(result.rows[0].first == 1);
  CHECK(result.rows[0].count == 2);
}

TEST_CASE("a table without rows is empty and not an error") {
  auto bench = filled{};
  bench.scan(9, {});
  auto result = bench.take_result();
  CHECK(result.failure == errc::none);
  CHECK(result.rows.empty());
  CHECK(result.complete_to == block_index{3});
}

TEST_CASE("a scan ends with what is announced") {
  auto bench = filled{};
  bench.append(block_of({{7, 80}}), 60); // open
  bench.scan(7, row_cursor::end_of({40}));
  auto result = bench.take_result();
  CHECK(found(result) == std::vector<std::uint64_t>{60});
  CHECK(result.complete_to == block_index{3});
}

TEST_CASE("a scan of a range gets the rows of the keys in it") {
  auto bench = filled{}; // keys are as their times
  bench.append(block_of({{7, 80}, {7, 81}, {7, 82}, {7, 83}, end_mark}), 90);
  auto entry = scan_entry{};
  entry.table = {7};
  entry.after = row_cursor::end_of({20});
  entry.bytes_max = 1000;
  auto key = [](std::int64_t id) {
    auto value = value_view::of_integer(id);
    return encode_key({&value, 1});
  };
  entry.range = {key(60), key(83)};
  bench.run(bench.uut.on_scan_request(0, {{5}, {1}, bench.at.last, {entry}}));
  auto result = bench.take_result();
  CHECK(found(result) == std::vector<std::uint64_t>{60, 80, 81, 82});
  CHECK(result.rows.size() == 2); // stretches of blocks
  CHECK(result.complete_to == bench.at.last);
}

TEST_CASE("indices of another incarnation are not believed") {
  auto bench = filled{};
  auto entry = scan_entry{};
  entry.table = {7};
  entry.bytes_max = 1000;
  bench.run(bench.uut.on_scan_request(0, {{5}, {9}, {1}, {entry}}));
  CHECK(bench.take_result().complete_to == block_index{3});
}

TEST_CASE("a scan below what was let go is out of range and names the bounds") {
  auto bench = filled{};
  bench.load_feed(0, {{{7}, {120}}});
  bench.scan(7, row_cursor::end_of({110}));
  auto result = bench.take_result();
  CHECK(result.failure == errc::out_of_range);
  CHECK(result.lower == timestamp{120});
  CHECK(result.upper == timestamp{60});
  CHECK(bench.uut.status().out_of_range == 1);
  bench.scan(7, row_cursor::end_of({120}));
  CHECK(bench.take_result().failure == errc::none);
}

TEST_CASE("rows on disk are read once and then answered") {
  auto bench = filled{};
  bench.on_disk = true;
  bench.scan(7, row_cursor::end_of({20}));
  CHECK(bench.take<answer_scan>().empty());
  auto reads = bench.take<read_blocks>();
  REQUIRE(reads.size() == 1);
  REQUIRE(reads[0].at.size() == 2);
  bench.run(bench.uut.on_blocks_read(
    {reads[0].ticket, {bench.blocks[2], bench.blocks[3]}, {}}, bench.now));
  CHECK(found(bench.take_result()) == std::vector<std::uint64_t>{40, 60});
}

TEST_CASE("a scan in memory ends where a block must be read") {
  auto bench = filled{};
  bench.on_disk = true;
  bench.scan(7, row_cursor::end_of({0}), scan_lane::memory);
  CHECK(bench.take<read_blocks>().empty());
  auto result = bench.take_result();
  CHECK(result.on_disk);
  CHECK(result.rows.empty());
  CHECK(result.complete_to == block_index{0});
  bench.in_memory_to = 1;
  bench.scan(7, row_cursor::end_of({0}), scan_lane::memory);
  result = bench.take_result();
  CHECK(found(result) == std::vector<std::uint64_t>{20});
  CHECK(result.complete_to == block_index{1});
  CHECK(result.on_disk);
}

TEST_CASE("rows that cannot be read are a failure and never an empty answer") {
  auto code = errc::none;
  SUBCASE("of their checksum") {
    code = errc::log_corrupt;
  }
  SUBCASE("of the disk") {
    code = errc::log_io;
  }
  SUBCASE("because they were removed meanwhile") {
    code = errc::out_of_range;
  }
  auto bench = filled{};
  bench.on_disk = true;
  bench.scan(7, row_cursor::end_of({20}));
  auto reads = bench.take<read_blocks>();
  REQUIRE(reads.size() == 1);
  bench.run(bench.uut.on_blocks_read(
    {reads[0].ticket, {nullptr, bench.blocks[3]}, {{code, "x"}, {}}},
    bench.now));
  auto result = bench.take_result();
  CHECK(result.failure == code);
  CHECK(result.rows.empty());
  CHECK(result.complete_to == block_index{0});
}

TEST_CASE("what precedes a damaged block is answered, then the damage") {
  auto bench = filled{};
  bench.on_disk = true;
  bench.scan(7, {});
  auto reads = bench.take<read_blocks>();
  auto damage = error{errc::log_corrupt, "1.seg: byte 4096"};
  bench.run(
    bench.uut.on_blocks_read({reads.at(0).ticket,
                              {bench.blocks[1], nullptr, bench.blocks[3]},
                              {{}, damage, {}}},
                             bench.now));
  auto result = bench.take_result();
  CHECK(result.failure == errc::none);
  CHECK(found(result) == std::vector<std::uint64_t>{20});
  CHECK(result.complete_to == block_index{1});
  bench.scan(7, row_cursor::end_of({20}));
  reads = bench.take<read_blocks>();
  bench.run(bench.uut.on_blocks_read(
    {reads.at(0).ticket, {nullptr, bench.blocks[3]}, {damage, {}}}, bench.now));
  result = bench.take_result();
  CHECK(result.failure == errc::log_corrupt);
  CHECK(result.detail == damage.detail);
}

TEST_CASE("each scan of a request has the failure of its own blocks") {
  auto bench = filled{};
  bench.on_disk = true;
  auto first = scan_entry{};
  first.table = {7};
  first.bytes_max = 1000;
  auto second = first;
  second.after = row_cursor::end_of({20});
  auto third = first;
  third.after = row_cursor::end_of({40});
  bench.run(bench.uut.on_scan_request(
    0, {{5}, {1}, {3}, {first, second, third}, scan_lane::disk}));
  auto reads = bench.take<read_blocks>();
  REQUIRE(reads.at(0).at.size() == 3);
  bench.run(bench.uut.on_blocks_read(
    {reads[0].ticket,
     {nullptr, nullptr, bench.blocks[3]},
     {{errc::log_corrupt, "first"}, {errc::log_io, "second"}, {}}},
    bench.now));
  auto answers = bench.take<answer_scan>();
  const auto& results = answers.at(0).message.results;
  CHECK(results[0].failure == errc::log_corrupt);
  CHECK(results[0].detail == "first");
  CHECK(results[1].failure == errc::log_io);
  CHECK(found(results[2]) == std::vector<std::uint64_t>{60});
}

TEST_CASE("a log that lost blocks answers with their place") {
  auto bench = filled{};
  bench.in_the_way = {errc::log_corrupt, "2.seg: byte 4096"};
  bench.scan(7, {});
  auto result = bench.take_result();
  CHECK(result.failure == errc::log_corrupt);
  CHECK(result.detail == "2.seg: byte 4096");
  CHECK(result.rows.empty());
}

// -- floors -------------------------------------------------------------------

TEST_CASE("no floor moves before the feeds are loaded") {
  auto bench = filled{};
  bench.run(bench.uut.on_floor_report({{1}, {40}, {}}, bench.now));
  bench.advance(1000);
  CHECK(bench.uut.floor_of({7}) == timestamp{0});
  CHECK(bench.released_up_to.empty());
  CHECK(bench.blocks.size() == 3);
}

TEST_CASE("a table that no feed matches is kept") {
  auto bench = filled{};
  bench.load_feed(40);
  CHECK(bench.uut.floor_of({7}) == timestamp{40});
  CHECK(bench.uut.floor_of({99}) == timestamp{0});
}

TEST_CASE("a bulk floor only rises and a named one is believed") {
  auto bench = filled{};
  bench.load_feed(0);
  bench.run(bench.uut.on_floor_report({{1}, {900}, {}}, bench.now));
  for (std::uint64_t i = 0; i < 64; ++i)
    bench.run(bench.uut.on_floor_report({{1}, {800 + i}, {}}, bench.now));
  CHECK(bench.uut.floor_of({7}) == timestamp{900});
  bench.run(bench.uut.on_floor_report({{1}, {950}, {{{7}, {700}}}}, bench.now));
  CHECK(bench.uut.floor_of({7}) == timestamp{700}); // a restored sink
  CHECK(bench.uut.floor_of({8}) == timestamp{950});
}

TEST_CASE("the lowest feed decides and a removed one no longer does") {
  auto bench = filled{};
  bench.load_feed(60);
  auto message = feeds_loaded{};
  message.feeds = {{{2}, "second", {}}};
  message.floors = {{{2}, {20}, {{{8}, {}, {40}}}}};
  bench.run(bench.uut.on_feeds_loaded(message, bench.now));
  CHECK(bench.uut.floor_of({7}) == timestamp{20});
  CHECK(bench.uut.floor_of({8}) == timestamp{40});
  bench.run(bench.uut.on_feed_removed({2}, bench.now));
  CHECK(bench.uut.floor_of({7}) == timestamp{60});
}

TEST_CASE("rows at the floor go and rows above it stay") {
  auto bench = filled{};
  bench.load_feed(0);
  bench.run(bench.uut.on_floor_report({{1}, {40}, {}}, bench.now));
  bench.advance(1000);
  REQUIRE(bench.blocks.size() == 1);
  CHECK(times(bench.blocks.at(3)) == std::vector<std::uint64_t>{60});
  auto noted = bench.take<note_lost>();
  REQUIRE(noted.size() == 1);
  CHECK(noted[0].lost == std::vector<table_floor>{{{7}, {40}}});
  CHECK(bench.take<remove_segments>().size() == 1);
  bench.scan(7, row_cursor::end_of({20}));
  CHECK(bench.take_result().failure == errc::out_of_range);
}

TEST_CASE("nothing goes before it is noted that it may be gone") {
  auto bench = filled{};
  bench.load_feed(0);
  bench.notes_by_itself = false;
  bench.run(bench.uut.on_floor_report({{1}, {40}, {}}, bench.now));
  bench.advance(1000);
  auto noted = bench.take<note_lost>();
  REQUIRE(noted.size() == 1);
  CHECK(bench.blocks.size() == 3);
  bench.scan(7, row_cursor::end_of({20}));
  CHECK(bench.take_result().failure == errc::none); // the rows are there yet
  SUBCASE("once it is, they go") {
    bench.run(bench.uut.on_lost_noted({noted[0].lost, {}}, bench.now));
    CHECK(bench.blocks.size() == 1);
  }
  SUBCASE("floors that moved meanwhile wait for a note of their own") {
    bench.run(bench.uut.on_floor_report({{1}, {60}, {}}, bench.now));
    bench.run(bench.uut.on_lost_noted({noted[0].lost, {}}, bench.now));
    CHECK(bench.blocks.size() == 1);
    bench.advance(1000);
    CHECK(bench.take<note_lost>().at(0).lost.at(0).floor == timestamp{60});
  }
  SUBCASE("a sink restored meanwhile keeps its rows") {
    bench.run(bench.uut.on_floor_report({{1}, {40}, {{{7}, {20}}}}, bench.now));
    bench.run(bench.uut.on_lost_noted({noted[0].lost, {}}, bench.now));
    CHECK(bench.blocks.size() == 2);
  }
  SUBCASE("a note that failed is tried again") {
    auto failed = lost_noted{noted[0].lost, {errc::disk_full, ""}};
    bench.run(bench.uut.on_lost_noted(failed, bench.now));
    CHECK(bench.blocks.size() == 3);
    bench.advance(1000);
    CHECK(bench.take<note_lost>().size() == 1);
  }
}

TEST_CASE("an open scan holds its rows until it is answered") {
  auto bench = filled{};
  bench.load_feed(0);
  bench.on_disk = true;
  SUBCASE("from the end of a commit_ts on") {
    bench.scan(7, row_cursor::end_of({20}));
    CHECK(bench.take<read_blocks>().size() == 1);
    bench.run(bench.uut.on_floor_report({{1}, {60}, {}}, bench.now));
    CHECK(bench.uut.floor_of({7}) == timestamp{20});
  }
  SUBCASE("from the middle of a commit_ts on") {
    bench.scan(7, {{20}, {20}, 0});
    CHECK(bench.take<read_blocks>().size() == 1);
    bench.run(bench.uut.on_floor_report({{1}, {60}, {}}, bench.now));
    CHECK(bench.uut.floor_of({7}) == timestamp{19});
  }
  CHECK(bench.uut.floor_of({8}) == timestamp{60});
  bench.run(bench.uut.on_blocks_read(
    {1, {bench.blocks[2], bench.blocks[3]}, {}}, bench.now));
  CHECK(bench.take<answer_scan>().size() == 1);
  CHECK(bench.uut.floor_of({7}) == timestamp{60});
}

TEST_CASE("changed floors are stored at most once a second") {
  auto bench = filled{};
  bench.load_feed(0);
  bench.run(bench.uut.on_floor_report({{1}, {20}, {}}, bench.now));
  bench.run(bench.uut.on_floor_report({{1}, {40}, {{{8}, {20}}}}, bench.now));
  bench.advance(500);
  CHECK(bench.take<store_floor>().empty());
  bench.advance(500);
  auto stored = bench.take<store_floor>();
  REQUIRE(stored.size() == 1);
  CHECK(stored[0].floor == feed_floor{{1}, {40}, {{{8}, {}, {20}}}});
  bench.advance(1000);
  CHECK(bench.take<store_floor>().empty());
}
