// A log's files from a second thread, as a service's helpers use them. Says
// most in preset tsan.

#include <thread>

#include "tests/store/log_fixture.hpp"

using namespace log_test;

TEST_CASE("a helper syncs, reads and removes while the log goes on") {
  auto directory = temporary_directory{};
  auto log = open_segments(directory.path(), 5000, 0);
  auto ts = std::uint64_t{0};
  auto append_some = [&] {
    for (auto i = 0; i < 20; ++i) {
      ++ts;
      auto block = block_of({{1, ts, true, std::string(100, 'x')}});
      REQUIRE(log->append(block, {ts}).has_value());
    }
  };
  append_some();
  for (auto round = 0; round < 20; ++round) {
    auto floor = timestamp{ts < 100 ? 0 : ts - 100};
    auto gone = log->release([&](table_id) { return floor; });
    auto order = log->begin_sync();
    auto plan = plan_scan(
      *log, {{1}, row_cursor::end_of(floor), log->last(), 1U << 20});
    auto disk = log->disk();
    auto good = false;
    auto helper = std::thread{[&] {
      good = disk->sync(order) && disk->remove(gone);
      for (const auto& piece : plan.pieces)
        good = good && (piece.block != nullptr || disk->read(piece.location));
    }};
    append_some();
    helper.join();
    REQUIRE(good);
    log->synced(order);
  }
  CHECK(log->synced_to() > block_index{});
  CHECK(log->stats().segments_removed > 0);
  CHECK(scan(*log, 1, row_cursor::end_of({ts - 100})).size() == 100);
}
