// A sync that fails: what it left out is written again, elsewhere.

#include "tests/store/log_fixture.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace log_test;
using sluice::test::dice;
using sluice::test::disk_call;
using sluice::test::power_cut;
using sluice::test::simulated_disk;

namespace {

using numbers = std::vector<std::uint64_t>;

constexpr auto directory = "/log";

struct fixture {
  std::shared_ptr<simulated_disk> disk = std::make_shared<simulated_disk>();
  std::uint64_t tail_bytes = 1U << 20U;
  std::unique_ptr<segment_log> log = open();

  std::unique_ptr<segment_log> open() const {
    return open_segments(directory, 8000, tail_bytes, disk);
  }
  void append(std::uint64_t from, std::uint64_t to) {
    for (auto ts = from; ts <= to; ++ts)
      REQUIRE(log
                ->append(block_of({{1, ts, true, std::string(900, 'x')},
                                   {2, ts, true, "y", 1}}),
                         {ts})
                .has_value());
  }
  // Also of what is in memory only: nothing is held on this disk.
  void loses_power() {
    log.reset();
    auto luck = dice{3};
    disk->crash(luck, power_cut{100, true, false});
    log = open();
  }
  void fails_to_sync() {
    disk->fail(disk_call::sync);
    auto done = sync(*log);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == errc::log_io);
  }
};

numbers up_to(std::uint64_t n) {
  auto result = numbers{};
  for (std::uint64_t i = 1; i <= n; ++i)
    result.push_back(i);
  return result;
}

} // namespace

TEST_CASE_FIXTURE(fixture, "what a failed sync left out is durable elsewhere") {
  append(1, 5);
  REQUIRE(sync(*log).has_value());
  append(6, 20); // in several segments
  fails_to_sync();
  append(21, 23); // the log goes on meanwhile
  CHECK(log->synced_to() == block_index{5});
  REQUIRE(log->renew().has_value());
  CHECK(log->synced_to() == block_index{23});
  CHECK(scan(*log, 1) == up_to(23));
  loses_power();
  CHECK(log->report().blocks_lost == 0);
  CHECK(scan(*log, 1) == up_to(23));
  CHECK(scan(*log, 2) == up_to(23));
}

TEST_CASE_FIXTURE(fixture, "a log goes on after what it wrote again") {
  append(1, 12);
  fails_to_sync();
  REQUIRE(log->renew().has_value());
  append(13, 30);
  REQUIRE(sync(*log).has_value());
  CHECK(log->synced_to() == block_index{30});
  CHECK(scan(*log, 1) == up_to(30));
  // The files that it was in before go with the next ones.
  auto gone = log->release([](table_id) { return timestamp{15}; });
  CHECK_FALSE(gone.empty());
  REQUIRE(log->disk()->remove(gone).has_value());
  CHECK(scan(*log, 1).back() == 30);
  loses_power();
  CHECK(scan(*log, 1).front() <= 16);
  CHECK(scan(*log, 1).back() == 30);
}

TEST_CASE_FIXTURE(fixture, "rows of an open transaction are written again") {
  append(1, 3);
  fails_to_sync();
  REQUIRE(log->append(block_of({{1, 4, false}}), {3}).has_value());
  REQUIRE(log->renew().has_value());
  CHECK(log->last() == block_index{4});
  CHECK(log->last_closed() == block_index{3});
  REQUIRE(log->append(block_of({{1, 4, true, "x", 1}}), {4}).has_value());
  CHECK(log->appended_to().commit_ts == timestamp{4});
  REQUIRE(sync(*log).has_value());
  loses_power();
  CHECK(scan(*log, 1) == numbers{1, 2, 3, 4, 4});
}

TEST_CASE("what is in memory no more is read, and believed if it is intact") {
  auto renewed = 0;
  auto refused = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    auto uut = fixture{std::make_shared<simulated_disk>(seed), 0};
    uut.append(1, 3);
    uut.fails_to_sync();
    if (auto done = uut.log->renew()) {
      ++renewed;
      uut.loses_power();
      CHECK(scan(*uut.log, 1) == up_to(3));
    } else {
      ++refused;
      CHECK(done.error().code == errc::log_corrupt);
      CHECK(uut.log->synced_to() == block_index{0});
    }
  }
  CHECK(renewed > 0);
  CHECK(refused > 0);
}

TEST_CASE_FIXTURE(fixture, "a disk whose syncs all fail is given up") {
  append(1, 8);
  disk->fail(disk_call::sync, 1, 100);
  CHECK_FALSE(sync(*log).has_value());
  CHECK_FALSE(log->renew().has_value());
  CHECK(log->synced_to() == block_index{0});
  CHECK(scan(*log, 1) == up_to(8)); // reads go on
}

TEST_CASE("ended between any two calls, a log has what it wrote again or not") {
  auto calls = std::uint64_t{0};
  for (std::uint64_t n = 0; n <= calls; ++n)
    for (auto power : {false, true}) {
      CAPTURE(n);
      CAPTURE(power);
      auto uut = fixture{};
      uut.append(1, 5);
      REQUIRE(sync(*uut.log).has_value());
      uut.append(6, 20);
      uut.fails_to_sync();
      auto before = uut.disk->calls();
      if (n > 0)
        uut.disk->stop_at(n);
      auto done = uut.log->renew().has_value();
      if (n == 0)
        calls = uut.disk->calls() - before;
      auto durable = uut.log->synced_to().value;
      uut.log.reset();
      auto luck = dice{n};
      if (power)
        uut.disk->crash(luck, power_cut{50, n % 2 == 0, false});
      else
        uut.disk->kill();
      uut.log = uut.open();
      CHECK(uut.log->report().blocks_lost == 0);
      auto found = scan(*uut.log, 1);
      REQUIRE(found.size() >= durable);
      REQUIRE(found == up_to(found.size()));
      CHECK((durable == 20) == done);
    }
  CHECK(calls > 20);
}
