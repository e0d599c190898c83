#include <atomic>
#include <chrono>

#include <doctest/doctest.h>

#include "tests/service/sqlite_rig.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

// A feed that takes everything, and files that one insert fills.
struct bench : sqlite_rig {
  explicit bench(const retention_budget& retention) {
    make_table("a");
    auto options = service_options{};
    options.segment_bytes = 64 << 10;
    options.retention = retention;
    open(options);
    create_feed("first");
    add_source();
    count("first", of_first);
    for (auto i = 1; i <= 10; ++i) {
      run("INSERT INTO a (text) VALUES (hex(zeroblob(40000)))");
      REQUIRE(comes_true([&] { return of_first == i; }));
    }
  }
  ~bench() { uut.reset(); }

  std::atomic<int> of_first = 0;
  std::atomic<int> of_second = 0;
};

} // namespace

TEST_CASE("a feed that comes later gets what retention has kept") {
  auto x = bench{{1h}};
  CHECK(comes_true([&] { return x.log().retained_bytes > 800'000; }));
  x.create_feed("second");
  x.count("second", x.of_second);
  CHECK(comes_true([&] { return x.of_second == 10; }));
}

TEST_CASE("what is beyond the budget goes, and a feed that wants it is told") {
  auto x = bench{{1h, 200'000}};
  CHECK(comes_true([&] { return x.log().segments < 6; }));
  auto kept = x.log().retained_bytes;
  CHECK(kept > 200'000);
  CHECK(kept < 200'000 + 3 * 90'000); // whole files
  x.create_feed("second");
  x.count("second", x.of_second);
  CHECK(comes_true([&] {
    auto feed = x.uut->status_of("second");
    return feed && feed->stopped
           && feed->failure.code == errc::lost_by_retention;
  }));
}
