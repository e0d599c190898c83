#include <chrono>

#include "tests/store/each_engine.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace log_test;
using namespace std::chrono_literals;
using sluice::test::simulated_disk;

TEST_CASE("the newest bytes are retained, in whole segments") {
  with_each_engine([](log_engine& uut) {
    for (std::uint64_t ts = 1; ts <= 40; ++ts)
      put(uut, {{1, ts, true, std::string(1000, 'x')}});
    CHECK(uut.retained({24h}).floor == timestamp{0});
    CHECK(uut.retained({}).floor == timestamp::max());
    CHECK(uut.retained({24h, 0}).floor == timestamp{40});
    auto one_file = uut.stats().segments == 1;
    CHECK(uut.retained({24h, 10'000}).floor == timestamp{one_file ? 0U : 30U});
  });
}

namespace {

// A log of one block per file, in which time passes as the test says.
struct aging_log {
  explicit aging_log(std::chrono::seconds now) { restart(now); }
  void restart(std::chrono::seconds now) {
    log.reset();
    at(now);
    auto options = segment_log_options{"log", 1, 0, disk};
    auto opened = segment_log::open(options);
    REQUIRE(opened);
    log = std::move(*opened);
  }
  void at(std::chrono::seconds now) { disk->set_wall_clock(now); }
  [[nodiscard]] retained_rows retained(std::chrono::seconds age) const {
    return log->retained({age});
  }

  std::shared_ptr<simulated_disk> disk = std::make_shared<simulated_disk>();
  std::unique_ptr<segment_log> log;
};

} // namespace

TEST_CASE("rows are retained until they are old enough, over restarts, too") {
  auto uut = aging_log{1000s};
  put(*uut.log, {{1, 10}});
  uut.at(1100s);
  put(*uut.log, {{1, 20}});
  uut.at(1200s);
  put(*uut.log, {{1, 30}});
  auto restarted = false;
  SUBCASE("") {
    // nop
  }
  SUBCASE("") {
    uut.restart(1250s);
    restarted = true;
  }
  uut.at(1299s);
  CHECK(uut.retained(200s) == retained_rows{{0}, 1s});
  uut.at(1300s); // the row at 10 came before 1100, when the next file began
  CHECK(uut.retained(200s) == retained_rows{{10}, 100s});
  uut.at(1400s);
  CHECK(uut.retained(200s).floor == timestamp{20});
  // The file that is written to is always new; a restart begins another.
  uut.at(1450s);
  CHECK(uut.retained(200s)
        == (restarted ? retained_rows{{30}, {}} : retained_rows{{20}, {}}));
  uut.at(1000s); // the clock was set back
  CHECK(uut.retained(200s).floor == timestamp{0});
}

TEST_CASE("a rewritten segment is as old as what it replaces") {
  auto uut = aging_log{1000s};
  auto add = [&](std::uint64_t ts) {
    put(*uut.log, {{1, ts, false}, {2, ts, true, std::string(900, 'x'), 1}});
  };
  add(10);
  uut.at(1100s);
  add(20);
  uut.at(1200s);
  add(30);
  REQUIRE(sync(*uut.log));
  auto table_1 = [](table_id x) {
    return x.value == 1 ? timestamp{} : timestamp::max();
  };
  uut.at(1250s);
  REQUIRE(rewrite(*uut.log, table_1));
  while (rewrite(*uut.log, table_1)) {
    // One segment each.
  }
  uut.at(1300s);
  CHECK(uut.retained(200s) == retained_rows{{10}, 100s});
  uut.restart(1300s);
  CHECK(uut.retained(200s) == retained_rows{{10}, 100s});
}
