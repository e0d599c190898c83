// The cases of a gap, one by one.

#include "store/segment_files.hpp"
#include "tests/store/log_fixture.hpp"

using namespace log_test;

namespace {

using numbers = std::vector<std::uint64_t>;

constexpr auto everything = std::uint64_t{1} << 30;

void put(log_engine& log, const std::vector<row>& rows,
         std::uint64_t resolved = 0) {
  REQUIRE(log.append(block_of(rows), {resolved}).has_value());
}

scan_plan plan(log_engine& log, std::uint64_t table, row_cursor after) {
  return plan_scan(log, {{table}, after, log.last(), everything});
}

void flip(const std::string& path, std::size_t at) {
  auto bytes = slurp(path);
  bytes.at(at) = static_cast<char>(bytes.at(at) ^ 1);
  spill(path, bytes);
}

// Where block `index` lies.
block_location place(log_engine& log, std::uint64_t index) {
  for (const auto& x :
       plan_scan(log, {all_tables, {}, log.last(), 1U << 30}).pieces)
    if (x.index.value == index)
      return x.location;
  FAIL("no such block");
  return {};
}

std::string path_of(const std::string& directory, const block_location& at) {
  return segment_path(directory, at.segment);
}

} // namespace

TEST_CASE("a missing segment file is a gap, and stays one") {
  auto directory = temporary_directory{};
  auto at = block_location{};
  {
    auto log = open_segments(directory.path(), 1);
    for (std::uint64_t i = 1; i <= 6; ++i)
      put(*log, {{1, 10 * i}});
    REQUIRE(sync(*log).has_value());
    at = place(*log, 3);
  }
  auto path = path_of(directory.path(), at);
  auto copy = slurp(path);
  fs::remove(path);
  for (auto round = 0; round < 3; ++round) {
    auto log = open_segments(directory.path(), 1);
    CHECK(log->last() == block_index{6});
    CHECK(log->report().blocks_lost == 1);
    auto before = plan(*log, 1, {});
    CHECK(before.pieces.size() == 2);
    CHECK(before.complete_to == block_index{2});
    CHECK(plan(*log, 1, cursor(20)).failure
          == error{errc::log_corrupt, path
                                        + ": byte 0: the file is missing: "
                                          "block 3 is damaged"});
    CHECK(scan(*log, 1, cursor(30)) == numbers{40, 50, 60});
    CHECK(plan(*log, 2, {}).failure.code == errc::log_corrupt);
  }
  spill(path, copy); // somebody had one
  auto log = open_segments(directory.path(), 1);
  CHECK(log->report().blocks_lost == 0);
  CHECK(scan(*log, 1) == numbers{10, 20, 30, 40, 50, 60});
}

TEST_CASE("a plan ends before a gap, and the next one says why") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path());
    for (std::uint64_t i = 1; i <= 5; ++i)
      put(*log, {{1 + i % 2, 10 * i}});
    REQUIRE(sync(*log).has_value());
    auto at = place(*log, 3);
    flip(path_of(directory.path(), at), at.offset + at.size - 1);
  }
  auto log = open_segments(directory.path());
  for (auto table : {std::uint64_t{2}, all_tables.value}) {
    CAPTURE(table);
    auto first = plan(*log, table, {});
    CHECK_FALSE(first.failure);
    CHECK(first.complete_to == block_index{2});
    CHECK(first.pieces.size() == (table == 2 ? 1 : 2));
    CHECK(plan(*log, table, cursor(20)).failure.code == errc::log_corrupt);
    CHECK_FALSE(plan(*log, table, cursor(40)).failure);
    // Who does not come to it yet has nothing to do with it.
    CHECK_FALSE(plan_scan(*log, {{table}, {}, {2}, everything}).failure);
  }
}

TEST_CASE("the source goes on behind a gap at the end") {
  auto directory = temporary_directory{};
  auto at = block_location{};
  {
    auto log = open_segments(directory.path());
    put(*log, {{1, 10}}, 10);
    put(*log, {{1, 20}, {1, 21}}, 25);
    REQUIRE(sync(*log).has_value());
    at = place(*log, 2);
  }
  flip(path_of(directory.path(), at), at.offset + 100);
  for (auto round = 0; round < 2; ++round) {
    auto log = open_segments(directory.path());
    CHECK(log->last_closed() == block_index{2});
    CHECK(log->resolved() == timestamp{25});
    CHECK(log->appended_to() == row_cursor::end_of({25}));
    CHECK(plan(*log, 1, cursor(20)).failure.code == errc::log_corrupt);
    // The mark behind it says how far it went.
    CHECK(scan(*log, 1, cursor(21)).empty());
  }
  auto log = open_segments(directory.path());
  put(*log, {{1, 30}});
  CHECK(log->last() == block_index{3});
  CHECK(scan(*log, 1, cursor(21)) == numbers{30});
  CHECK(plan(*log, 1, cursor(20)).failure.code == errc::log_corrupt);
}

TEST_CASE("open rows that are lost are sent again, and are no gap") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path());
    put(*log, {{1, 10}}, 10);
    put(*log, {{1, 20, false}});
    put(*log, {{1, 21, false}});
    REQUIRE(sync(*log).has_value());
    auto at = place(*log, 3);
    flip(path_of(directory.path(), at), at.offset + 100);
  }
  auto log = open_segments(directory.path());
  CHECK(log->last() == block_index{1});
  CHECK(log->appended_to() == cursor(10));
  put(*log, {{1, 20}, {1, 21}});
  CHECK(scan(*log, 1) == numbers{10, 20, 21});
}

TEST_CASE("a gap that holds the end of a transaction closes it") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path());
    put(*log, {{1, 10, false}});
    put(*log, {{1, 20}, {1, 21, false}});
    put(*log, {{1, 22, false}});
    REQUIRE(sync(*log).has_value());
    auto at = place(*log, 2);
    flip(path_of(directory.path(), at), at.offset + 100);
  }
  for (auto round = 0; round < 2; ++round) {
    auto log = open_segments(directory.path());
    CHECK(log->last_closed() == block_index{2});
    CHECK(log->last() == block_index{2});
    CHECK(log->appended_to() == cursor(20));
    CHECK(plan_scan(*log, {{1}, {}, {2}, everything}).pieces.size() == 1);
    CHECK(plan(*log, 1, cursor(10)).failure.code == errc::log_corrupt);
    CHECK_FALSE(plan(*log, 1, cursor(20)).failure);
  }
  auto log = open_segments(directory.path());
  put(*log, {{1, 21}, {1, 22}});
  CHECK(scan(*log, 1, cursor(20)) == numbers{21, 22});
}

TEST_CASE("without a mark behind it a gap at the end has no end") {
  auto directory = temporary_directory{};
  auto open_before = false;
  SUBCASE("all before it is complete") {
    // nop
  }
  SUBCASE("a transaction is open before it") {
    open_before = true;
  }
  {
    auto log = open_segments(directory.path());
    put(*log, {{1, 10, !open_before}});
    auto order = log->begin_sync();
    put(*log, {{1, 20}});
    order = log->begin_sync();
    REQUIRE(log->disk()->sync(order).has_value());
    put(*log, {{1, 30, false}}); // so no mark is written
    log->synced(order);
    put(*log, {{1, 31, false}}); // says that the others are durable
    auto at = place(*log, 2);
    flip(path_of(directory.path(), at), at.offset + 100);
  }
  auto log = segment_log::open({directory.path()});
  if (open_before) {
    REQUIRE_FALSE(log.has_value());
    CHECK(log.error().code == errc::log_corrupt);
    CHECK(log.error().detail.find(": byte ") != std::string::npos);
    return;
  }
  REQUIRE(log.has_value());
  CHECK((*log)->last() == block_index{2});
  CHECK((*log)->appended_to() == cursor(10));
  CHECK(plan(**log, 1, cursor(10)).failure.code == errc::log_corrupt);
  put(**log, {{1, 30}, {1, 31}});
  CHECK(plan(**log, 1, cursor(10)).failure.code == errc::log_corrupt);
  CHECK(scan(**log, 1, cursor(30)) == numbers{31});
}

TEST_CASE("a damaged manifest does not bring abandoned rows back") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path());
    put(*log, {{1, 10}});
    put(*log, {{2, 20, false}});
    REQUIRE(sync(*log).has_value());
    REQUIRE(log->abandon_open().has_value());
    put(*log, {{1, 30}});
    REQUIRE(sync(*log).has_value());
  }
  auto last = segment_files_of(directory.path()).back();
  SUBCASE("the manifest") {
    flip(last, 4096 + 100);
  }
  SUBCASE("both copies of it") {
    flip(last, 4096 + 100);
    flip(last, slurp(last).find("BTCH", 4096 + 1) + 100);
  }
  SUBCASE("its header") {
    flip(last, 4096 + 10);
  }
  auto log = open_segments(directory.path());
  CHECK(log->last() == block_index{2});
  CHECK(scan(*log, 1) == numbers{10, 30});
  CHECK(scan(*log, 2).empty());
  CHECK(log->tables() == std::vector<table_id>{{1}});
  CHECK(log->stats().blocks == 2);
}

TEST_CASE("a segment with a gap goes when every table is past it") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path(), 4096 + 600);
    for (std::uint64_t i = 1; i <= 12; ++i)
      put(*log, {{1 + i % 2, 10 * i}});
    REQUIRE(sync(*log).has_value());
    REQUIRE(place(*log, 1).segment == place(*log, 2).segment);
    auto at = place(*log, 1);
    flip(path_of(directory.path(), at), at.offset + 100);
  }
  auto log = open_segments(directory.path(), 4096 + 600);
  auto all = std::uint64_t{0};
  auto floor_of = [&](table_id x) {
    return timestamp{x == all_tables ? all : 1000};
  };
  auto others = log->release(floor_of);
  CHECK_FALSE(others.empty());
  CHECK(plan(*log, 1, {}).failure.code == errc::log_corrupt);
  all = 20;
  auto tables = log->releasable(floor_of);
  CHECK(std::count(tables.begin(), tables.end(), all_tables) == 1);
  CHECK(log->release(floor_of).size() == 1);
  CHECK_FALSE(plan(*log, 1, {}).failure);
}

TEST_CASE("what says where a gap ends stays as long as the gap") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path(), 1);
    for (std::uint64_t i = 1; i <= 6; ++i)
      put(*log, {{1 + i % 2, 10 * i}});
    REQUIRE(sync(*log).has_value());
    auto at = place(*log, 2);
    flip(path_of(directory.path(), at), at.offset + 100);
  }
  auto log = open_segments(directory.path(), 1);
  auto gone = log->release(
    [](table_id x) { return timestamp{x == all_tables ? 0U : 1000U}; });
  CHECK(gone.size() == 4); // all but the one that is lost and the next
  REQUIRE(log->disk()->remove(gone).has_value());
  for (auto round = 0; round < 2; ++round) {
    CHECK(plan(*log, 1, cursor(10)).failure.code == errc::log_corrupt);
    CHECK_FALSE(plan(*log, 1, cursor(20)).failure);
    CHECK_FALSE(plan(*log, 1, cursor(50)).failure);
    log.reset();
    log = open_segments(directory.path(), 1);
  }
}

TEST_CASE("a gap takes as much memory as a block, however many it had") {
  for (auto count : {std::uint64_t{1000}, std::uint64_t{1} << 40}) {
    auto index = log_index{};
    auto row = block_summary{{{{1}, cursor(1), cursor(1), 10}},
                             {},
                             1,
                             1,
                             cursor(1),
                             cursor(1),
                             cursor(1)};
    index.begin_segment(1, {1});
    index.add(row, block_location{}, {});
    index.add_gap({count}, "1.seg: byte 4096");
    REQUIRE(index.blocks_of({1}).size() == 2);
    CHECK(index.stats().blocks == count);
    CHECK(index.last() == block_index{count});
    for (auto i : {std::uint64_t{2}, count / 2, count})
      CHECK(index.block({i}).location == block_location{});
    CHECK(plan_scan(index, {{1}, cursor(1), {count}, 1}).failure);
    // Only the first half of it was closed.
    index.restore({{count / 2}, cursor(1), {}});
    REQUIRE(index.settle_gaps());
    index.cut_open(2);
    CHECK(index.stats().blocks == count / 2);
    CHECK(index.gaps().blocks() == count / 2 - 1);
    CHECK(index.last() == block_index{count / 2});
    CHECK(index.segments().front() == segment_range{1, {1}, {count / 2}});
    index.release({1});
    CHECK(index.stats().blocks == 0);
  }
}
