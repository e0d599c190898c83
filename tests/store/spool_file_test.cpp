// Spool files of a segment log: when they are there and when they go, what is
// read of them, and what is made of one that is damaged.

#include "tests/store/spools.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace log_test;

namespace {

using numbers = std::vector<std::uint64_t>;

const auto one = transaction_id{901};
const auto two = transaction_id{902};

std::vector<std::string> spool_files_of(const std::string& directory) {
  auto result = std::vector<std::string>{};
  for (const auto& x : fs::directory_iterator{directory})
    if (x.path().extension() == ".spool")
      result.push_back(x.path().string());
  std::sort(result.begin(), result.end());
  return result;
}

std::function<timestamp(table_id)> everything() {
  return [](table_id) { return timestamp::max(); };
}

// `chunks` of a row each.
void grow(log_engine& log, transaction_id of, std::uint64_t chunks,
          std::uint64_t from = 0) {
  for (auto i = from + 1; i <= from + chunks; ++i)
    spool(log, of, {{1 + i % 2, i, std::string(500, 'r')}});
}

// Positions of table 1's rows at `ts` or later, and why they end.
struct reading {
  numbers positions;
  error failure;
};

reading read(segment_log& log, std::uint64_t table, row_cursor after = {}) {
  auto result = reading{};
  for (auto done = block_index{}; done < log.last();) {
    auto plan = plan_scan(log, {{table}, after, log.last(), 1U << 20});
    result.failure = plan.failure;
    for (const auto& piece : plan.pieces) {
      auto block = log.disk()->read(piece.location);
      if (!block)
        result.failure = block.error();
      if (!block)
        return result;
      for (std::size_t i = 0; i < (*block)->rows(); ++i)
        if (auto x = (*block)->row(i);
            x.table().value == table && x.cursor() > after) {
          result.positions.push_back(x.cursor().position);
          after = x.cursor();
        }
    }
    if (result.failure)
      return result;
    done = plan.complete_to;
  }
  return result;
}

// Rows at 10, a spooled transaction of 6 chunks at 30, a row at 40; durable.
struct spooled_log {
  temporary_directory directory;
  std::vector<block_location> chunks = {};

  explicit spooled_log(bool row_behind = true) {
    auto log = open_segments(directory.path(), 1U << 20, 0);
    REQUIRE(log->append(block_of({{1, 10}}), {}).has_value());
    grow(*log, one, 6);
    commit(*log, one, 30, 25, 30);
    if (row_behind)
      REQUIRE(log->append(block_of({{1, 40, true, "x", 7}}), {}).has_value());
    REQUIRE(sync(*log).has_value());
    auto plan = plan_scan(*log, {all_tables, {}, log->last(), 1U << 20});
    for (std::size_t i = 1; i <= 6; ++i)
      chunks.push_back(plan.pieces.at(i).location);
  }
  [[nodiscard]] std::string file() const {
    return spool_files_of(directory.path()).at(0);
  }
  void damage(std::size_t chunk) const {
    auto bytes = slurp(file());
    bytes.at(chunks.at(chunk - 1).offset + 300) ^= 1;
    spill(file(), bytes);
  }
  [[nodiscard]] std::unique_ptr<segment_log> open() const {
    return open_segments(directory.path(), 1U << 20, 0);
  }
};

} // namespace

TEST_CASE("a spool file holds each byte once and a reference names it") {
  auto directory = temporary_directory{};
  auto log = open_segments(directory.path());
  auto before = log->stats().disk_bytes;
  grow(*log, one, 100);
  CHECK(log->stats().disk_bytes == before);
  auto size = fs::file_size(spool_files_of(directory.path()).at(0));
  CHECK(log->stats().spooled_bytes == size);
  commit(*log, one, 30, 25);
  CHECK(fs::file_size(spool_files_of(directory.path()).at(0)) == size);
  // The header, what says where 100 chunks are, and up to 63 bytes of zeros.
  CHECK(log->stats().disk_bytes - before - size >= 96 + 40 + 100 * 24);
  CHECK(log->stats().disk_bytes - before - size < 96 + 40 + 100 * 24 + 64);
  CHECK(log->stats().memory_bytes == 0);
}

TEST_CASE("the file of a spool that ended without rows is given out at once") {
  auto directory = temporary_directory{};
  auto log = open_segments(directory.path());
  auto gone = std::vector<std::uint64_t>{};
  SUBCASE("aborted") {
    grow(*log, one, 2);
    gone = log->abort_spooled(one);
  }
  SUBCASE("all left out") {
    grow(*log, one, 2);
    log->leave_out(one, one);
    gone = commit(*log, one, 30, 25).gone;
  }
  SUBCASE("repeated") {
    REQUIRE(log->append(block_of({{1, 50}}), {}).has_value());
    grow(*log, one, 2);
    gone = commit(*log, one, 30, 25).gone;
  }
  SUBCASE("abandoned, with the next release") {
    grow(*log, one, 2);
    REQUIRE(log->abandon_open().has_value());
    gone = log->release(everything());
  }
  REQUIRE(gone.size() == 1);
  CHECK(spool_files_of(directory.path()).size() == 1);
  REQUIRE(log->disk()->remove(gone).has_value());
  CHECK(spool_files_of(directory.path()).empty());
}

TEST_CASE("a spool file goes with the segment that names it") {
  auto directory = temporary_directory{};
  auto log = open_segments(directory.path(), 5000, 0);
  grow(*log, one, 3);
  commit(*log, one, 30, 25, 30);
  grow(*log, two, 20); // goes on
  for (std::uint64_t ts = 31; ts < 40; ++ts)
    REQUIRE(log->append(block_of({{2, ts, true, std::string(900, 'x')}}), {})
              .has_value());
  REQUIRE(sync(*log).has_value());
  auto plan = plan_scan(*log, {{1}, {}, log->last(), 1});
  auto gone = log->release(
    [](table_id x) { return timestamp{x.value == 1 ? 29U : 99U}; });
  CHECK(std::none_of(gone.begin(), gone.end(), is_spool));
  REQUIRE(log->disk()->remove(gone).has_value());
  gone = log->release(everything());
  CHECK(std::count(gone.begin(), gone.end(), plan.pieces.at(0).location.segment)
        == 1);
  REQUIRE(log->disk()->remove(gone).has_value());
  CHECK(spool_files_of(directory.path()).size() == 1);
  auto late = log->disk()->read(plan.pieces.at(0).location);
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code == errc::out_of_range);
  commit(*log, two, 50, 45);
  CHECK(scan(*log, 1) == numbers(10, 50));
  log.reset();
  log = open_segments(directory.path());
  CHECK(scan(*log, 1) == numbers(10, 50));
  CHECK(log->report().blocks_lost == 0);
}

TEST_CASE("a large spooled transaction ends its segment") {
  auto directory = temporary_directory{};
  auto log = open_segments(directory.path(), 20000, 0);
  grow(*log, one, 40);
  REQUIRE(log->append(block_of({{1, 10}}), {}).has_value());
  commit(*log, one, 30, 25);
  CHECK(log->stats().segments == 1);
  REQUIRE(log->append(block_of({{1, 40}}), {}).has_value());
  CHECK(log->stats().segments == 2);
}

TEST_CASE("a sync covers the spool file before the segment that names it") {
  auto directory = temporary_directory{};
  auto log = open_segments(directory.path());
  grow(*log, one, 2);
  CHECK(log->begin_sync().segments.empty());
  commit(*log, one, 30, 25);
  auto order = log->begin_sync();
  REQUIRE(order.segments.size() == 2);
  CHECK(is_spool(order.segments[0]));
  CHECK_FALSE(is_spool(order.segments[1]));
  CHECK(order.through == block_index{2});
  REQUIRE(sync(*log).has_value());
  CHECK(log->begin_sync().segments.empty());
}

TEST_CASE("a start deletes the spool files of transactions that went on") {
  auto x = spooled_log{};
  {
    auto log = x.open();
    grow(*log, one, 2);
    grow(*log, two, 2);
  }
  CHECK(spool_files_of(x.directory.path()).size() == 3);
  auto log = x.open();
  CHECK(spool_files_of(x.directory.path()).size() == 1);
  CHECK(read(*log, 1).positions == numbers{0, 2, 4, 6, 7});
  // And their numbers are not used again.
  grow(*log, one, 1);
  auto name = fs::path{spool_files_of(x.directory.path()).back()}.stem();
  CHECK(std::stoull(name.string()) > 4);
}

TEST_CASE("a spooled block that is damaged is lost alone") {
  for (std::size_t chunk = 1; chunk <= 6; ++chunk)
    for (auto row_behind : {true, false}) {
      CAPTURE(chunk);
      CAPTURE(row_behind);
      auto x = spooled_log{row_behind};
      x.damage(chunk);
      auto log = x.open();
      CHECK(log->report().blocks_lost == 1);
      CHECK(log->last() == block_index{row_behind ? 8U : 7U});
      CHECK(log->last_closed() == log->last());
      auto end = row_behind ? cursor(40, 7) : cursor(30, 6, 25);
      CHECK(log->appended_to() == std::max(end, log->appended_to()));
      for (std::uint64_t table = 1; table <= 2; ++table) {
        auto found = read(*log, table);
        auto wanted = table == 1 ? numbers{0} : numbers{};
        for (std::uint64_t i = 1; i < chunk; ++i)
          if (1 + i % 2 == table)
            wanted.push_back(i);
        CHECK(found.positions == wanted);
        CHECK(found.failure.code == errc::log_corrupt);
        CHECK(found.failure.detail
              == x.file() + ": byte "
                   + std::to_string(x.chunks[chunk - 1].offset) + ": block "
                   + std::to_string(1 + chunk) + " is damaged");
        // Whoever has it goes on behind it.
        found = read(*log, table, cursor(30, chunk, 25));
        CHECK_FALSE(found.failure);
      }
      CHECK(spool_files_of(x.directory.path()).size() == 1);
    }
}

TEST_CASE("a spool file that is missing is lost, and heals when it is back") {
  auto x = spooled_log{};
  auto path = x.file();
  auto bytes = slurp(path);
  fs::remove(path);
  {
    auto log = x.open();
    CHECK(log->report().blocks_lost == 6);
    auto found = read(*log, 1);
    CHECK(found.positions == numbers{0});
    CHECK(found.failure.detail.find(path + ": byte 0: block") == 0);
    CHECK(read(*log, 1, cursor(30, 6, 25)).positions == numbers{7});
  }
  spill(path, bytes);
  auto log = x.open();
  CHECK(log->report().blocks_lost == 0);
  CHECK(read(*log, 1).positions == numbers{0, 2, 4, 6, 7});
}

TEST_CASE("where a reference is lost its spool file stays") {
  auto x = spooled_log{};
  auto path = segment_files_of(x.directory.path()).at(0);
  auto bytes = slurp(path);
  auto reference = bytes.find(std::string("BTCH\x60\0\2\0", 8));
  REQUIRE(reference != std::string::npos);
  auto damaged = bytes;
  damaged[reference + 60] ^= 1;
  spill(path, damaged);
  {
    auto log = x.open();
    CHECK(log->report().blocks_lost == 6);
    CHECK(read(*log, 1).positions == numbers{0});
    CHECK(spool_files_of(x.directory.path()).size() == 1);
  }
  spill(path, bytes);
  auto log = x.open();
  CHECK(log->report().blocks_lost == 0);
  CHECK(read(*log, 1).positions == numbers{0, 2, 4, 6, 7});
}

TEST_CASE("bytes that change under a reader are told and not delivered") {
  auto x = spooled_log{};
  auto log = x.open();
  x.damage(4);
  auto found = read(*log, 1);
  CHECK(found.positions == numbers{0, 2});
  CHECK(found.failure.code == errc::log_corrupt);
  CHECK(found.failure.detail.find(x.file() + ": byte ") == 0);
}

TEST_CASE("a segment is rewritten with what is live of its spool files") {
  auto directory = temporary_directory{};
  auto log = open_segments(directory.path(), 5000, 0);
  auto slow = [](table_id x) {
    return x.value == 1 ? timestamp{} : timestamp::max();
  };
  for (std::uint64_t ts = 10; ts <= 200; ts += 10) {
    spool(*log, one, {{2, 1, std::string(900, 'f')}, {1, 2}});
    spool(*log, one, {{2, 3, std::string(900, 'f')}, {1, 4}});
    commit(*log, one, ts, 5, ts);
  }
  auto before = log->stats().disk_bytes;
  REQUIRE(sync(*log).has_value());
  auto order = log->plan_rewrite(slow, log->last());
  REQUIRE(order.has_value());
  while (order) {
    auto done = log->rewriter()->run(*order);
    REQUIRE(done.has_value());
    REQUIRE(log->disk()->remove(log->rewritten(*done)).has_value());
    order = log->plan_rewrite(slow, log->last());
  }
  CHECK(log->stats().disk_bytes < before / 2);
  CHECK(spool_files_of(directory.path()).size() < 4);
  auto wanted = numbers{};
  for (std::uint64_t ts = 10; ts <= 200; ts += 10)
    wanted.insert(wanted.end(), 2, ts);
  CHECK(scan(*log, 1) == wanted);
  log.reset();
  log = open_segments(directory.path(), 5000, 0);
  CHECK(log->report().blocks_lost == 0);
  CHECK(scan(*log, 1) == wanted);
}

// They are not in memory: it depends on whether the system still has them.
TEST_CASE("rows of a spool file whose sync failed are written again, or lost") {
  using sluice::test::disk_call;
  auto renewed = 0;
  auto lost = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    auto disk = std::make_shared<sluice::test::simulated_disk>(seed);
    auto open = [&] { return open_segments("/log", 1U << 20, 0, disk); };
    auto log = open();
    REQUIRE(log->append(block_of({{2, 10}}), {}).has_value());
    REQUIRE(sync(*log).has_value());
    grow(*log, one, 3);
    grow(*log, two, 3); // goes on
    commit(*log, one, 30, 25, 30);
    disk->fail(disk_call::sync);
    REQUIRE_FALSE(sync(*log).has_value());
    auto done = log->renew();
    auto wanted = numbers{0};
    if (done) {
      ++renewed;
      CHECK(log->synced_to() == block_index{4});
      auto gone = log->release([](table_id) { return timestamp{}; });
      CHECK(std::count_if(gone.begin(), gone.end(), is_spool) == 1);
      REQUIRE(log->disk()->remove(gone).has_value());
      wanted = {0, 1, 3};
      CHECK(read(*log, 2).positions == wanted);
    } else {
      ++lost;
      CHECK(done.error().code == errc::log_corrupt);
    }
    log.reset();
    auto luck = sluice::test::dice{seed};
    disk->crash(luck);
    log = open();
    CHECK(log->report().blocks_lost == 0);
    CHECK(read(*log, 2).positions == wanted);
  }
  CHECK(renewed > 0);
  CHECK(lost > 0);
}
