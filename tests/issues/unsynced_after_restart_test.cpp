// What a power cut did to a log, found by store/power_loss_test: rows that were
// called durable went, with the directory of a first start that was killed, or
// because a sync had failed, which Linux reports once; the log forgot where it
// stood; rows that were abandoned came back.

#include <doctest/doctest.h>

#include "store/segment_log.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

struct fixture {
  explicit fixture(std::uint64_t seed)
    : luck{seed}, disk{std::make_shared<simulated_disk>(seed)} {
    // nop
  }

  bool open() {
    log.reset();
    // A segment for each block.
    auto opened = segment_log::open({"/var/log", 1, 0, disk});
    if (opened)
      log = std::move(*opened);
    return opened.has_value();
  }

  status sync() {
    auto order = log->begin_sync();
    auto done = log->disk()->sync(order);
    if (done)
      log->synced(order);
    return done;
  }

  void lose_power(std::uint64_t sectors_lost) {
    disk->crash(luck, power_cut{sectors_lost, false, false});
    REQUIRE(open());
  }

  void append(std::initializer_list<sample> rows) {
    REQUIRE(log->append(block_of(rows), {}).has_value());
  }

  [[nodiscard]] std::vector<std::uint64_t> rows() {
    auto result = std::vector<std::uint64_t>{};
    auto plan = plan_scan(*log, {{1}, {}, log->last(), 1U << 20});
    for (const auto& piece : plan.pieces)
      for (auto ts : times(piece.block != nullptr
                             ? piece.block
                             : log->disk()->read(piece.location).value()))
        result.push_back(ts);
    return result;
  }

  dice luck;
  std::shared_ptr<simulated_disk> disk;
  std::unique_ptr<segment_log> log;
};

} // namespace

TEST_CASE("a log whose first start was killed keeps its directory") {
  for (std::uint64_t call = 1; call < 40; ++call)
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      CAPTURE(call);
      CAPTURE(seed);
      auto x = fixture{seed};
      x.disk->stop_at(call);
      x.open();
      x.disk->kill();
      REQUIRE(x.open());
      x.append({{1, 10}, end_mark});
      REQUIRE(x.sync().has_value());
      x.lose_power(100);
      REQUIRE(x.log->last() == block_index{1});
    }
}

TEST_CASE("rows whose sync failed are not durable by being found again") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    auto x = fixture{seed};
    REQUIRE(x.open());
    x.append({{1, 10}, end_mark});
    x.disk->fail(disk_call::sync);
    REQUIRE_FALSE(x.sync().has_value());
    x.disk->kill();
    REQUIRE(x.open());
    auto durable = x.log->synced_to();
    x.lose_power(100);
    REQUIRE(x.log->report().blocks_lost == 0);
    REQUIRE(x.log->last() >= durable);
  }
}

TEST_CASE("a log that let go of all durable rows knows where it stood") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    auto x = fixture{seed};
    REQUIRE(x.open());
    x.append({{1, 10}, end_mark});
    REQUIRE(x.sync().has_value());
    x.append({{1, 20}, end_mark});
    x.append({{1, 30}, end_mark});
    (void) x.log->release([](table_id) { return timestamp{30}; });
    x.lose_power(50);
    REQUIRE(x.log->appended_to() >= row_cursor{{10}, {10}, 0});
  }
}

TEST_CASE("abandoned rows do not come back with the end of others") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    auto x = fixture{seed};
    REQUIRE(x.open());
    // So many that a manifest and a block after it are in different sectors.
    auto expected = std::vector<std::uint64_t>{};
    for (std::uint64_t ts = 1; ts <= 40; ++ts) {
      x.append({{1, ts}, end_mark});
      expected.push_back(ts);
    }
    x.append({{1, 50}});
    REQUIRE(x.sync().has_value());
    REQUIRE(x.log->abandon_open().has_value());
    x.append({{1, 60}});
    x.append({{1, 60, 1}, end_mark});
    x.lose_power(70);
    auto found = x.rows();
    if (found.size() > expected.size())
      expected.insert(expected.end(), {60, 60});
    REQUIRE(found == expected);
  }
}
