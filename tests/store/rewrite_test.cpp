// Segments that are rewritten: the same answers, less disk, and the old state
// or the new one whatever happens.

#include "tests/store/counting_ops.hpp"
#include "tests/store/log_fixture.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace log_test;
using sluice::test::counting_ops;
using sluice::test::dice;
using sluice::test::simulated_disk;

namespace {

using numbers = std::vector<std::uint64_t>;

constexpr auto segment_bytes = std::uint64_t{32} << 10U;
constexpr auto slow = std::uint64_t{1};

// Table 1 needs everything, the others nothing.
timestamp only_slow(table_id table) {
  return table.value == slow ? timestamp{} : timestamp::max();
}

// Rows of a slow table among those of fast ones: `blocks` of about 1 KiB.
void grow(log_engine& log, std::uint64_t blocks, std::uint64_t from = 0) {
  for (auto i = from + 1; i <= from + blocks; ++i)
    REQUIRE(log
              .append(block_of({{2 + i % 2, i, false, std::string(900, 'f')},
                                {slow, i, true, "slow", 1}}),
                      {i})
              .has_value());
  REQUIRE(sync(log).has_value());
}

numbers up_to(std::uint64_t n) {
  auto result = numbers{};
  for (std::uint64_t i = 1; i <= n; ++i)
    result.push_back(i);
  return result;
}

std::unique_ptr<segment_log> open(const std::string& directory,
                                  std::shared_ptr<file_ops> ops = nullptr) {
  auto result = segment_log::open(
    {directory, segment_bytes, 0, std::move(ops), 4000});
  INFO((result ? "" : to_string(result.error())));
  REQUIRE(result.has_value());
  return std::move(*result);
}

// Rows of the slow table as far as they can be read.
numbers readable(log_engine& log) {
  auto result = numbers{};
  auto after = row_cursor{};
  for (auto done = block_index{}; done < log.last();) {
    auto plan = plan_scan(log, {{slow}, after, log.last(), 1000});
    if (plan.failure)
      return result;
    for (const auto& piece : plan.pieces) {
      auto block = log.disk()->read(piece.location);
      if (!block) {
        REQUIRE(block.error().code == errc::log_corrupt);
        return result;
      }
      for (std::size_t i = 0; i < (*block)->rows(); ++i)
        if (auto x = (*block)->row(i); x.table().value == slow) {
          result.push_back(x.commit_ts().value);
          after = x.cursor();
        }
    }
    done = plan.complete_to;
  }
  return result;
}

bool is_prefix(const numbers& x, const numbers& of) {
  return x.size() <= of.size() && std::equal(x.begin(), x.end(), of.begin());
}

std::vector<std::string> rewritten_files_of(const std::string& directory) {
  auto result = segment_files_of(directory);
  std::erase_if(result, [](const std::string& x) {
    return fs::path{x}.stem().extension().empty();
  });
  return result;
}

} // namespace

TEST_CASE("one slow table pins its own rows, not those of the others") {
  auto directory = temporary_directory{};
  auto log = open(directory.path());
  auto written = std::uint64_t{0};
  for (std::uint64_t i = 0; i < 10; ++i) {
    grow(*log, 100, 100 * i);
    auto before = log->stats().disk_bytes;
    (void) log->disk()->remove(log->release(only_slow));
    while (rewrite(*log, only_slow)) {
      // until the bound holds
    }
    auto stats = log->stats();
    written = std::max(written, before);
    CHECK(stats.disk_bytes
          <= 2 * log->live_bytes(only_slow) + 2 * segment_bytes);
    REQUIRE(scan(*log, slow) == up_to(100 * (i + 1)));
  }
  CHECK_FALSE(rewritten_files_of(directory.path()).empty());
  CHECK(scan(*log, slow, cursor(500, 1)).size() == 500);
  log.reset();
  log = open(directory.path());
  CHECK(scan(*log, slow) == up_to(1000));
  CHECK(log->report().blocks_lost == 0);
}

TEST_CASE("a log that is kept whole, or read in time, is written once") {
  auto directory = temporary_directory{};
  auto log = open(directory.path());
  grow(*log, 300);
  auto whole = [](table_id) { return timestamp{}; };
  CHECK_FALSE(log->plan_rewrite(whole, log->last()));
  auto all = [](table_id) { return timestamp::max(); };
  (void) log->disk()->remove(log->release(all));
  CHECK_FALSE(log->plan_rewrite(all, log->last()));
  CHECK(log->stats().bytes_rewritten == 0);
}

TEST_CASE("a rewrite ends, and what it wrote is not written again") {
  auto directory = temporary_directory{};
  auto log = open(directory.path());
  grow(*log, 300);
  while (rewrite(*log, only_slow)) {
    // until the bound holds
  }
  auto once = log->stats().bytes_rewritten;
  CHECK(once < 300 * 1000);
  CHECK_FALSE(log->plan_rewrite(only_slow, log->last()));
  log.reset();
  log = open(directory.path());
  CHECK_FALSE(log->plan_rewrite(only_slow, log->last()));
}

TEST_CASE("a scan of one table reads that table's rows only") {
  auto directory = temporary_directory{};
  auto ops = std::make_shared<counting_ops>();
  auto log = open(directory.path(), ops);
  grow(*log, 300);
  auto floors = [](table_id x) { return timestamp{x.value == 3 ? 300U : 0U}; };
  // Half of what the others have is above their floor.
  REQUIRE(log->plan_rewrite(only_slow, log->last()));
  auto order = log->plan_rewrite(only_slow, log->last());
  for (auto& x : order->floors)
    x.floor = floors(x.table);
  auto done = log->rewriter()->run(*order);
  REQUIRE(done.has_value());
  auto gone = log->rewritten(*done);
  REQUIRE(log->disk()->remove(gone).has_value());
  auto to = done->windows.back().last;
  ops->bytes_read = 0;
  auto plan = plan_scan(*log, {{slow}, {}, to, 1U << 20});
  for (const auto& piece : plan.pieces)
    (void) load(*log, piece);
  // 100 bytes of a row of the slow table, 950 of another.
  CHECK(plan.pieces.size() == done->windows.size());
  CHECK(ops->bytes_read * 3 < done->bytes);
}

TEST_CASE("a scan up to the middle of a rewritten block gets all of it") {
  auto directory = temporary_directory{};
  auto log = open(directory.path());
  grow(*log, 200);
  REQUIRE(rewrite(*log, only_slow));
  for (std::uint64_t to = 1; to <= 200; ++to) {
    auto plan = plan_scan(*log, {{slow}, {}, {to}, 1U << 20});
    auto last = std::uint64_t{0};
    for (const auto& piece : plan.pieces)
      last = load(*log, piece)->last_cursor().commit_ts.value;
    REQUIRE(plan.complete_to.value >= to);
    REQUIRE(last == plan.complete_to.value);
  }
}

TEST_CASE("a transaction ends though its last row is left out") {
  auto directory = temporary_directory{};
  auto opened = segment_log::open(
    {directory.path(), segment_bytes, 0, nullptr, 0}); // a window per block
  auto log = std::move(opened.value());
  for (std::uint64_t i = 1; i <= 150; ++i) {
    REQUIRE(log->append(block_of({{slow, i, false}}), {}).has_value());
    REQUIRE(log->append(block_of({{2, i, true, std::string(900, 'f'), 1}}), {})
              .has_value());
  }
  REQUIRE(sync(*log).has_value());
  REQUIRE(rewrite(*log, only_slow));
  auto open = timestamp{};
  auto plan = plan_scan(*log, {all_tables, {}, log->last(), 1U << 30});
  for (const auto& piece : plan.pieces) {
    auto block = load(*log, piece);
    auto end = block->ends().begin();
    for (std::size_t i = 0; i < block->rows(); ++i) {
      auto ts = block->row(i).commit_ts();
      REQUIRE((!open || open == ts));
      open = ts;
      if (end != block->ends().end() && *end == i + 1) {
        open = {};
        ++end;
      }
    }
  }
}

TEST_CASE("a process or a machine that stops in a rewrite loses nothing") {
  auto rewrites = 0;
  for (std::uint64_t stop = 1, stopped = true; stopped; ++stop) {
    CAPTURE(stop);
    for (auto power : {false, true}) {
      auto luck = dice{stop};
      auto disk = std::make_shared<simulated_disk>(stop);
      auto log = open("/var/sluice/log", disk);
      grow(*log, 120);
      grow(*log, 3, 120);
      disk->stop_at(disk->calls() + stop);
      auto order = log->plan_rewrite(only_slow, log->last());
      REQUIRE(order.has_value());
      if (auto done = log->rewriter()->run(*order)) {
        auto gone = log->rewritten(*done);
        rewrites += gone.empty() ? 0 : 1;
        (void) log->disk()->remove(gone);
      }
      stopped = disk->stopped() ? 1 : 0;
      if (power)
        disk->crash(luck);
      else
        disk->kill();
      log.reset();
      log = open("/var/sluice/log", disk);
      REQUIRE(scan(*log, slow) == up_to(123));
      REQUIRE(log->report().blocks_lost == 0);
      // It goes on from there, and another start finds the same.
      grow(*log, 10, 123);
      while (rewrite(*log, only_slow)) {
        // until the bound holds
      }
      log.reset();
      log = open("/var/sluice/log", disk);
      REQUIRE(scan(*log, slow) == up_to(133));
    }
  }
  CHECK(rewrites > 4);
}

TEST_CASE("a rewrite that finds the disk full leaves everything as it was") {
  auto disk = std::make_shared<simulated_disk>(1);
  auto log = open("/var/sluice/log", disk);
  grow(*log, 120);
  auto order = log->plan_rewrite(only_slow, log->last());
  REQUIRE(order.has_value());
  disk->fill_up(5000);
  auto done = log->rewriter()->run(*order);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().code == errc::disk_full);
  CHECK(scan(*log, slow) == up_to(120));
  disk->make_space();
  CHECK(rewrite(*log, only_slow));
  CHECK(scan(*log, slow) == up_to(120));
}

TEST_CASE("segments that were let go meanwhile do not come back") {
  auto directory = temporary_directory{};
  auto log = open(directory.path());
  grow(*log, 120);
  auto order = log->plan_rewrite(only_slow, log->last());
  REQUIRE(order.has_value());
  auto done = log->rewriter()->run(*order);
  REQUIRE(done.has_value());
  (void) log->disk()->remove(
    log->release([](table_id) { return timestamp::max(); }));
  auto before = log->stats().disk_bytes;
  CHECK(log->rewritten(*done) == numbers{order->into});
  CHECK(log->stats().disk_bytes == before);
}

TEST_CASE("a bit that flips in a rewritten segment is seen") {
  auto directory = temporary_directory{};
  auto path = directory.file("log");
  auto log = open(path);
  grow(*log, 150);
  REQUIRE(rewrite(*log, only_slow));
  log.reset();
  auto whole = image{path};
  auto file = rewritten_files_of(path).front();
  auto bytes = slurp(file);
  auto random = std::mt19937_64{7};
  auto seen = 0;
  for (auto i = 0; i < 150; ++i) {
    auto at = random() % bytes.size();
    CAPTURE(at);
    auto flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (i % 8)));
    whole.restore(path);
    if (i % 2 == 0)
      spill(file, flipped); // before the start, or under its eyes
    log = open(path);
    if (i % 2 != 0)
      spill(file, flipped);
    auto found = readable(*log);
    seen += found != up_to(150) ? 1 : 0;
    REQUIRE(is_prefix(found, up_to(150)));
    log.reset();
  }
  CHECK(seen > 75);
}

TEST_CASE("a segment with damage is not rewritten away") {
  auto directory = temporary_directory{};
  auto path = directory.file("log");
  auto log = open(path);
  grow(*log, 200);
  log.reset();
  auto second = segment_files_of(path).at(2);
  auto bytes = slurp(second);
  bytes[bytes.size() / 2] ^= 1;
  spill(second, bytes);
  log = open(path);
  auto lost = log->report().blocks_lost;
  REQUIRE(lost > 0);
  auto before = readable(*log);
  while (rewrite(*log, only_slow)) {
    // until nothing is worth it
  }
  CHECK(fs::exists(second));
  CHECK(readable(*log) == before);
  log.reset();
  log = open(path);
  CHECK(log->report().blocks_lost == lost);
}

TEST_CASE("a rewritten segment stands in when the mark that names it rots") {
  auto directory = temporary_directory{};
  auto path = directory.file("log");
  auto log = open(path);
  grow(*log, 150);
  REQUIRE(rewrite(*log, only_slow));
  log.reset();
  auto newest = segment_files_of(path).back();
  auto bytes = slurp(newest);
  auto mark = bytes.rfind("BTCH");
  bytes[mark + 100] ^= 1;
  spill(newest, bytes);
  log = open(path);
  CHECK(log->report().blocks_lost == 0);
  CHECK(scan(*log, slow) == up_to(150));
}
