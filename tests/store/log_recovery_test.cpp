// What a segment log finds when it is opened again.

#include <algorithm>

#include "store/segment_format.hpp"
#include "tests/store/log_fixture.hpp"

using namespace log_test;

namespace {

using numbers = std::vector<std::uint64_t>;

void put(log_engine& log, const std::vector<row>& rows,
         std::uint64_t resolved = 0) {
  REQUIRE(log.append(block_of(rows), {resolved}).has_value());
}

errc code_of_opening(const std::string& directory) {
  auto log = segment_log::open({directory});
  return log ? errc::none : log.error().code;
}

} // namespace

TEST_CASE("a log is the same after it was closed and opened") {
  auto directory = temporary_directory{};
  auto before = numbers{};
  for (int round = 0; round < 5; ++round) {
    auto log = open_segments(directory.path(), 6000);
    CHECK(scan(*log, 1) == before);
    auto next = static_cast<std::uint64_t>(round) * 100;
    for (std::uint64_t i = 1; i <= 20; ++i)
      put(*log, {{1, next + i}, {2, next + i + 20}}, next + i - 1 + 20);
    before = scan(*log, 1);
    CHECK(log->last() == block_index{20 * (next / 100 + 1)});
    CHECK(log->appended_to() == cursor(next + 40));
  }
  auto log = open_segments(directory.path());
  CHECK(log->last() == block_index{100});
  CHECK(log->last_closed() == block_index{100});
  CHECK(log->synced_to() == block_index{100});
  CHECK(log->resolved() == timestamp{439});
  CHECK(log->appended_to() == cursor(440));
  CHECK(log->report().blocks == 100);
  CHECK(log->report().bytes_cut == 0);
  CHECK(scan(*log, 1) == before);
}

TEST_CASE("opening a log again and again leaves one empty file") {
  auto directory = temporary_directory{};
  for (int i = 0; i < 5; ++i)
    (void) open_segments(directory.path());
  CHECK(segment_files_of(directory.path()).size() == 1);
}

TEST_CASE("a batch torn at any byte is cut, what was before it stays") {
  auto directory = temporary_directory{};
  auto torn = temporary_directory{};
  std::uint64_t begin = 0;
  {
    auto log = open_segments(directory.file("a"));
    put(*log, {{1, 10}, {1, 11}}, 10);
    put(*log, {{1, 20}}, 20);
    begin = log->stats().disk_bytes;
    put(*log, {{1, 30}, {2, 31, true, std::string(77, 'z')}}, 31);
  }
  auto whole = image{directory.file("a")};
  auto path = segment_files_of(directory.file("a")).back();
  auto bytes = slurp(path);
  auto name = fs::path{path}.filename().string();
  auto end = bytes.size();
  REQUIRE(begin < end);
  // Without its padding the batch is still whole.
  auto log_end = begin + batch_header_size;
  {
    auto log = open_segments(directory.file("a"));
    log_end = plan_scan(*log, {{2}, {}, {3}, 1}).pieces.at(0).location.offset
              + plan_scan(*log, {{2}, {}, {3}, 1}).pieces.at(0).location.size;
  }
  for (auto cut = begin; cut < end; ++cut) {
    CAPTURE(cut);
    whole.restore(torn.file("b"));
    spill(torn.file("b/" + name), bytes.substr(0, cut));
    auto log = open_segments(torn.file("b"));
    auto complete = cut >= log_end;
    REQUIRE(log->last() == block_index{complete ? 3U : 2U});
    REQUIRE(scan(*log, 1)
            == (complete ? numbers{10, 11, 20, 30} : numbers{10, 11, 20}));
    REQUIRE(log->resolved() == timestamp{complete ? 31U : 20U});
    if (!complete)
      REQUIRE(log->report().bytes_cut == cut - begin);
    // It goes on, and once more.
    put(*log, {{1, 40}});
    log.reset();
    log = open_segments(torn.file("b"));
    REQUIRE(log->last() == block_index{complete ? 4U : 3U});
    REQUIRE(scan(*log, 1).back() == 40);
  }
}

TEST_CASE("zeros where a batch should be are cut") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path());
    put(*log, {{1, 10}});
  }
  auto path = segment_files_of(directory.path()).back();
  spill(path, slurp(path) + std::string(8192, '\0'));
  auto log = open_segments(directory.path());
  CHECK(scan(*log, 1) == numbers{10});
  CHECK(log->report().bytes_cut == 8192);
}

TEST_CASE("a flipped bit is never delivered") {
  auto directory = temporary_directory{};
  auto damaged = temporary_directory{};
  auto intact = std::vector<numbers>{{}, {10, 11}, {10, 11, 20}};
  {
    auto log = open_segments(directory.file("a"));
    put(*log, {{1, 10}, {1, 11}});
    put(*log, {{1, 20}});
  }
  auto whole = image{directory.file("a")};
  auto path = segment_files_of(directory.file("a")).back();
  auto name = fs::path{path}.filename().string();
  auto bytes = slurp(path);
  // The header's 4 KiB are one checksum: a few of its bytes will do.
  auto step = [](std::size_t at) { return at >= 64 && at < 4080 ? 97U : 1U; };
  for (std::size_t at = 0; at < bytes.size(); at += step(at)) {
    for (auto bit : {0, 7}) {
      CAPTURE(at);
      CAPTURE(bit);
      auto flipped = bytes;
      flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at])
                                      ^ (1U << bit));
      whole.restore(damaged.file("b"));
      spill(damaged.file("b/" + name), flipped);
      auto log = segment_log::open({damaged.file("b")});
      // Nothing was synced, so it is a torn tail.
      REQUIRE(log.has_value());
      auto rows = scan(**log, 1);
      REQUIRE(rows == intact.at((*log)->last().value));
    }
  }
}

TEST_CASE("a bit that flips while the log is open is seen by the read") {
  auto directory = temporary_directory{};
  auto log = open_segments(directory.path(), 1U << 20, 0);
  put(*log, {{1, 10, true, std::string(300, 'a')}});
  auto at = plan_scan(*log, {{1}, {}, {1}, 1}).pieces.at(0).location;
  auto path = segment_files_of(directory.path()).back();
  auto bytes = slurp(path);
  for (auto i = at.offset; i < at.offset + at.size; ++i) {
    CAPTURE(i);
    auto flipped = bytes;
    flipped[i] = static_cast<char>(static_cast<unsigned char>(flipped[i]) ^ 4U);
    spill(path, flipped);
    auto block = log->disk()->read(at);
    REQUIRE_FALSE(block.has_value());
    REQUIRE(block.error().code == errc::log_corrupt);
  }
  spill(path, bytes);
  CHECK(log->disk()->read(at).has_value());
}

TEST_CASE("an open tail is left out and the source sends it again") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path(), 4500);
    put(*log, {{1, 10}}, 9);
    put(*log, {{1, 20}, {2, 21, false}}, 20);
    put(*log, {{2, 22, false}, {3, 23, false}}, 22);
    put(*log, {{2, 24, false}});
    REQUIRE(sync(*log).has_value());
  }
  for (int i = 0; i < 3; ++i) {
    auto log = open_segments(directory.path(), 4500);
    CHECK(log->last() == block_index{2});
    CHECK(log->last_closed() == block_index{2});
    CHECK(log->appended_to() == cursor(20));
    CHECK(log->resolved() == timestamp{9});
    CHECK(scan(*log, 1) == numbers{10, 20});
    CHECK(scan(*log, 2).empty());
    CHECK(log->tables() == std::vector<table_id>{{1}});
    if (i == 0)
      CHECK(log->report().bytes_cut > 0);
  }
  auto log = open_segments(directory.path(), 4500);
  put(*log, {{2, 21}, {2, 22}, {3, 23}, {2, 24}});
  CHECK(log->last() == block_index{3});
  log.reset();
  log = open_segments(directory.path(), 4500);
  CHECK(scan(*log, 2) == numbers{21, 22, 24});
}

TEST_CASE("abandoned rows do not come back with a restart") {
  auto directory = temporary_directory{};
  auto follows = false;
  auto goes = false;
  SUBCASE("nothing follows") {
    // nop
  }
  SUBCASE("other rows follow") {
    follows = true;
  }
  SUBCASE("other rows follow and their segments are released") {
    follows = goes = true;
  }
  for (auto segment_bytes : {1U, 4500U, 100000U}) {
    CAPTURE(segment_bytes);
    auto path = directory.file(std::to_string(segment_bytes));
    {
      auto log = open_segments(path, segment_bytes);
      put(*log, {{1, 10}, {2, 15, false}});
      put(*log, {{2, 20, false}});
      put(*log, {{2, 21, false}});
      REQUIRE(sync(*log).has_value());
      REQUIRE(log->abandon_open().has_value());
      CHECK(log->synced_to() <= block_index{1});
      for (std::uint64_t ts = 30; follows && ts < 33; ++ts)
        put(*log, {{3, ts}});
      REQUIRE(sync(*log).has_value());
      if (goes) {
        auto gone = log->release(
          [](table_id x) { return timestamp{x.value == 3 ? 99U : 0U}; });
        REQUIRE(log->disk()->remove(gone).has_value());
      }
    }
    auto log = open_segments(path, segment_bytes);
    CHECK(scan(*log, 2).empty());
    CHECK(scan(*log, 1) == numbers{10});
    CHECK(log->last_closed() == log->last());
    CHECK(log->last() == block_index{follows ? 4U : 1U});
  }
}

TEST_CASE("a released segment is gone after a restart and leaves no hole") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path(), 1);
    for (std::uint64_t i = 1; i <= 30; ++i)
      put(*log, {{i % 3, i}}, i);
    REQUIRE(sync(*log).has_value());
    auto floor_of = [](table_id x) {
      return timestamp{x.value == 1 ? 99U : 0U};
    };
    auto gone = log->release(floor_of);
    CHECK(gone.size() == 10);
    SUBCASE("killed before any file was deleted") {
      // nop
    }
    SUBCASE("killed in the middle") {
      gone.resize(5);
      REQUIRE(log->disk()->remove(gone).has_value());
    }
    SUBCASE("all files deleted") {
      REQUIRE(log->disk()->remove(gone).has_value());
    }
  }
  auto log = open_segments(directory.path(), 1);
  CHECK(log->last() == block_index{30});
  CHECK(log->resolved() == timestamp{30});
  CHECK(scan(*log, 0).size() == 10);
  CHECK(scan(*log, 1).empty());
  CHECK(scan(*log, 2).size() == 10);
}

TEST_CASE("rows that follow a release in the same file are found again") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path(), 7000);
    for (std::uint64_t i = 1; i <= 30; ++i)
      put(*log, {{1, i}});
    REQUIRE(sync(*log).has_value());
    auto gone = log->release([](table_id) { return timestamp{15}; });
    CHECK(!gone.empty());
    REQUIRE(log->disk()->remove(gone).has_value());
    auto segments = log->stats().segments;
    put(*log, {{1, 31}});
    put(*log, {{1, 32}});
    CHECK(log->stats().segments == segments);
  }
  auto log = open_segments(directory.path(), 7000);
  CHECK(scan(*log, 1).back() == 32);
}

TEST_CASE("a log keeps its place when all of its rows were released") {
  auto directory = temporary_directory{};
  {
    auto log = open_segments(directory.path());
    put(*log, {{1, 10}}, 15);
    put(*log, {{1, 20}}, 18);
  }
  for (int i = 0; i < 3; ++i) {
    auto log = open_segments(directory.path());
    auto gone = log->release([](table_id) { return timestamp{99}; });
    REQUIRE(log->disk()->remove(gone).has_value());
    CHECK(log->last() == block_index{2});
    CHECK(log->last_closed() == block_index{2});
    CHECK(log->appended_to() == cursor(20));
    CHECK(log->resolved() == timestamp{18});
    CHECK(log->tables().empty());
  }
  auto log = open_segments(directory.path());
  put(*log, {{1, 20}, {1, 21}});
  CHECK(log->last() == block_index{3});
  CHECK(scan(*log, 1) == numbers{21});
}

TEST_CASE("two logs cannot have one directory, two partitions have two") {
  auto directory = temporary_directory{};
  auto first = open_segments(directory.file("1"));
  auto again = segment_log::open({directory.file("1")});
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == errc::log_locked);
  CHECK(again.error().detail.find(directory.file("1")) != std::string::npos);
  auto second = open_segments(directory.file("2"));
  put(*first, {{1, 10}});
  put(*second, {{1, 20}});
  CHECK(scan(*first, 1) == numbers{10});
  CHECK(scan(*second, 1) == numbers{20});
  first.reset();
  CHECK(code_of_opening(directory.file("1")) == errc::none);
}

TEST_CASE("a log is locked as long as somebody can delete its files") {
  auto directory = temporary_directory{};
  auto log = open_segments(directory.path());
  auto disk = log->disk();
  auto rewriter = log->rewriter();
  log.reset();
  CHECK(code_of_opening(directory.path()) == errc::log_locked);
  disk.reset();
  CHECK(code_of_opening(directory.path()) == errc::log_locked);
  rewriter.reset();
  CHECK(code_of_opening(directory.path()) == errc::none);
}

TEST_CASE("a newer format is refused by name") {
  auto directory = temporary_directory{};
  auto uuid = store_uuid{};
  {
    auto log = open_segments(directory.path());
    put(*log, {{1, 10}});
  }
  auto path = segment_files_of(directory.path()).back();
  auto bytes = slurp(path);
  std::copy_n(bytes.begin() + 16, 16, uuid.begin());
  SUBCASE("of a segment") {
    auto header = encode(file_header{segment_format + 1, uuid, 1, {1}});
    spill(path, header + bytes.substr(header.size()));
  }
  SUBCASE("of a batch") {
    auto header = batch_header{};
    header.kind = static_cast<batch_kind>(6);
    auto batch = encode(header, {uuid, 1, bytes.size()}, {});
    spill(path, bytes + batch);
  }
  SUBCASE("of a batch by a flag") {
    auto header = batch_header{};
    header.flags = 1;
    auto batch = encode(header, {uuid, 1, bytes.size()}, {});
    spill(path, bytes + batch);
  }
  CHECK(code_of_opening(directory.path()) == errc::log_format_newer);
}

TEST_CASE("a flag that readers may ignore is ignored") {
  auto header = batch_header{};
  header.kind = batch_kind::mark;
  header.flags = 0x10000;
  auto bytes = encode(header, {{}, 1, 4096}, {});
  CHECK(decode_batch_header(bytes, {{}, 1, 4096}).has_value());
}

TEST_CASE("a batch of another place, file or store does not pass") {
  auto header = batch_header{};
  header.kind = batch_kind::mark;
  auto bytes = encode(header, {{}, 1, 4096}, {});
  CHECK(decode_batch_header(bytes, {{}, 1, 4096}).has_value());
  CHECK_FALSE(decode_batch_header(bytes, {{}, 1, 8192}).has_value());
  CHECK_FALSE(decode_batch_header(bytes, {{}, 2, 4096}).has_value());
  CHECK_FALSE(decode_batch_header(bytes, {{1}, 1, 4096}).has_value());
}

TEST_CASE("a file of another store is refused") {
  auto directory = temporary_directory{};
  for (const auto* name : {"a", "b"})
    put(*open_segments(directory.file(name)), {{1, 10}});
  fs::copy_file(segment_files_of(directory.file("a")).back(),
                directory.file("b/00000000000000000002.seg"));
  CHECK(code_of_opening(directory.file("b")) == errc::log_corrupt);
}
