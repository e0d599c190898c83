#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/service/sqlite_rig.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

constexpr auto segment_bytes = std::uint64_t{64} << 10;

// Feeds: "all", and "slow" that wants one table only.
struct bench : sqlite_rig {
  bench() {
    make_table("busy");
    make_table("slow");
  }
  ~bench() { uut.reset(); }
  // Row n of `slow` among 40 of `busy`, which fill a segment.
  void fill(int n) {
    run("INSERT INTO slow VALUES (" + std::to_string(n) + ", 'kept')");
    run("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 40) INSERT INTO busy (text) SELECT hex(zeroblob(1000)) "
        "FROM n");
  }
  void start() {
    auto options = service_options{};
    options.segment_bytes = segment_bytes;
    open(options);
    create_feed("all");
    create_feed("slow", "slow");
    add_source();
  }
  void deliver_slow() {
    auto take = [this](const change_batch& batch, const acknowledger& done) {
      auto guard = std::lock_guard{mutex};
      for (const auto& x : batch)
        if (x.op() == row_op::insert)
          slow_ids.push_back(x.value("id")->integer);
      done.ack();
      return status{};
    };
    REQUIRE(uut->subscribe("slow", take));
  }
  [[nodiscard]] std::vector<std::int64_t> taken_of_slow() {
    auto guard = std::lock_guard{mutex};
    return slow_ids;
  }
  [[nodiscard]] bool within_bound() {
    auto x = log();
    return x.disk_bytes <= 2 * x.live_bytes + 2 * segment_bytes;
  }

  std::mutex mutex;
  std::vector<std::int64_t> slow_ids;
  std::atomic<int> delivered = 0;
};

} // namespace

TEST_CASE("a table that nobody reads keeps its rows, and no others") {
  auto x = bench{};
  x.start();
  x.count("all", x.delivered);
  for (auto n = 1; n <= 20; ++n) {
    x.fill(n);
    REQUIRE(comes_true([&] { return x.delivered == n * 41; }));
  }
  // Before the first release all counts as live.
  CHECK(comes_true(
    [&] { return x.log().bytes_rewritten > 0 && x.within_bound(); }));
  auto before = x.log();
  CHECK(before.live_bytes > 0);
  CHECK(before.segments < 10);
  CHECK_FALSE(before.rewrite_failure);

  auto expected = std::vector<std::int64_t>{};
  SUBCASE("and they come when it is read, in order") {
    x.deliver_slow();
  }
  SUBCASE("also after a restart") {
    CHECK(x.uut->stop(0s).size() <= 1);
    x.start();
    x.deliver_slow();
    x.count("all", x.delivered);
    x.fill(21);
    expected.push_back(21);
  }
  for (std::int64_t n = 20; n > 0; --n)
    expected.insert(expected.begin(), n);
  CHECK(comes_true([&] { return x.taken_of_slow() >= expected; }));
  CHECK(x.taken_of_slow() == expected);
  CHECK(comes_true([&] { return x.log().segments <= 1; }));
}
