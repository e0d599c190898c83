#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "actors/service.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"
#include "store/sqlite_db.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

// A feed that takes everything, and files that one insert fills.
struct bench {
  explicit bench(const retention_budget& retention) {
    auto opened = sqlite_db::open(home.file("app.db"));
    REQUIRE(opened);
    db = std::move(*opened);
    REQUIRE(db->exec("PRAGMA journal_mode = WAL"));
    REQUIRE(db->exec("CREATE TABLE a (id INTEGER PRIMARY KEY, text TEXT)"));
    auto options = service_options{};
    options.directory = home.file("service");
    options.segment_bytes = 64 << 10;
    options.retention = retention;
    auto started = service::open(options);
    REQUIRE(started);
    uut.emplace(std::move(*started));
    REQUIRE(uut->create_feed("first"));
    auto source = sqlite_source_options{};
    source.path = home.file("app.db");
    REQUIRE(uut->add_source("app", make_sqlite_source(source)));
    deliver("first", of_first);
    for (auto i = 1; i <= 10; ++i) {
      REQUIRE(db->exec("INSERT INTO a (text) VALUES (hex(zeroblob(40000)))"));
      REQUIRE(comes_true([&] { return of_first == i; }));
    }
  }
  void deliver(const std::string& feed, std::atomic<int>& rows) {
    auto count = [&rows](const change_batch& batch, const acknowledger& done) {
      for (const auto& x : batch)
        rows += x.op() == row_op::insert ? 1 : 0;
      done.ack();
      return status{};
    };
    REQUIRE(uut->subscribe(feed, count));
  }
  [[nodiscard]] store_status log() {
    auto x = uut->log();
    REQUIRE(x);
    return x->front();
  }

  temporary_directory home;
  std::unique_ptr<sqlite_db> db;
  std::atomic<int> of_first = 0;
  std::atomic<int> of_second = 0;
  std::optional<service> uut;
};

} // namespace

TEST_CASE("a feed that comes later gets what retention has kept") {
  auto x = bench{{1h}};
  CHECK(comes_true([&] { return x.log().retained_bytes > 800'000; }));
  REQUIRE(x.uut->create_feed("second"));
  x.deliver("second", x.of_second);
  CHECK(comes_true([&] { return x.of_second == 10; }));
}

TEST_CASE("what is beyond the budget goes, and a feed that wants it is told") {
  auto x = bench{{1h, 200'000}};
  CHECK(comes_true([&] { return x.log().segments < 6; }));
  auto kept = x.log().retained_bytes;
  CHECK(kept > 200'000);
  CHECK(kept < 200'000 + 3 * 90'000); // whole files
  REQUIRE(x.uut->create_feed("second"));
  x.deliver("second", x.of_second);
  CHECK(comes_true([&] {
    auto feed = x.uut->status_of("second");
    return feed && feed->stopped
           && feed->failure.code == errc::lost_by_retention;
  }));
}
