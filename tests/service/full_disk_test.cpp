// A disk that is full, for real, under a whole service.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/service/sqlite_rig.hpp"
#include "tests/support/small_file_system.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

using numbers = std::vector<std::int64_t>;

constexpr auto rows_all = std::int64_t{1000}; // of 20 KB: more than the disk

struct bench : sqlite_rig {
  explicit bench(std::string disk, full_disk how = full_disk::wait) {
    options.directory = disk + "/service";
    options.segment_bytes = 1 << 20;
    options.credit_bytes = 1 << 20;
    options.when_full = how;
    make_table("items");
    start();
  }
  ~bench() { uut.reset(); }
  void insert(std::int64_t from, std::int64_t to) {
    run("WITH RECURSIVE n(i) AS (VALUES (" + std::to_string(from)
        + ") UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(to)
        + ") INSERT INTO items SELECT i, hex(zeroblob(10000)) FROM n");
  }
  /// One transaction after the other is in the log, until it is full; and then
  /// the rest, which fits into an empty one.
  void insert_all(const std::function<bool()>& full) {
    auto done = std::int64_t{0};
    while (done < rows_all && !full()) {
      insert(done + 1, done + 20);
      done += 20;
      REQUIRE(comes_true([&] {
        return full() || log().rows >= static_cast<std::uint64_t>(done);
      }));
    }
    REQUIRE(done < rows_all);
    insert(done + 1, rows_all);
  }
  void start() {
    open(options);
    create_feed("all");
    add_source();
    auto take = [this](const change_batch& batch, const acknowledger& done) {
      auto guard = std::lock_guard{mutex};
      for (const auto& x : batch)
        if (x.op() == row_op::insert)
          taken.push_back(x.value("id")->integer);
      if (acknowledges)
        done.ack();
      else
        unacknowledged = done;
      return status{};
    };
    REQUIRE(uut->subscribe("all", take));
  }
  void acknowledge_all() {
    auto guard = std::lock_guard{mutex};
    acknowledges = true;
    if (unacknowledged)
      unacknowledged->ack();
  }
  [[nodiscard]] numbers taken_rows() {
    auto guard = std::lock_guard{mutex};
    return taken;
  }
  [[nodiscard]] error source_failure() {
    auto x = uut->source();
    REQUIRE(x);
    return x->failure;
  }
  /// Nobody waits any more, and there is a reserve again.
  [[nodiscard]] bool has_room() {
    auto x = log();
    return !x.full && x.missing_bytes == 0;
  }

  service_options options;
  std::mutex mutex;
  numbers taken;
  bool acknowledges = false;
  std::optional<acknowledger> unacknowledged;
};

numbers all_rows() {
  auto result = numbers(rows_all);
  std::iota(result.begin(), result.end(), 1);
  return result;
}

} // namespace

TEST_CASE("rows wait for room on a full disk, and go on by themselves") {
  auto place = temporary_directory{};
  MOUNT_OR_SKIP(disk, place.file("disk"), "16m");
  auto x = bench{place.file("disk")};
  x.insert_all([&] { return x.log().full.code == errc::disk_full; });
  CHECK_FALSE(x.source_failure());
  CHECK_FALSE(x.log().failure);
  CHECK(x.log().waiting_bytes > 0);
  CHECK(x.log().missing_bytes >= x.log().waiting_bytes);
  SUBCASE("when their consumer has taken what is there") {
    x.acknowledge_all();
    CHECK(comes_true([&] { return x.taken_rows().size() >= rows_all; }));
    CHECK(x.taken_rows() == all_rows());
  }
  SUBCASE("when somebody makes space") {
    REQUIRE(disk.resize("200m"));
    REQUIRE(comes_true([&] { return x.has_room(); }));
    x.acknowledge_all();
    CHECK(comes_true([&] { return x.taken_rows().size() >= rows_all; }));
    CHECK(x.taken_rows() == all_rows());
  }
  SUBCASE("after a restart, too, and a stop does not wait for it") {
    auto begin = std::chrono::steady_clock::now();
    (void) x.uut->stop(200ms);
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
    x.unacknowledged.reset();
    x.acknowledges = true;
    x.start();
    auto got = std::set<std::int64_t>{};
    CHECK(comes_true([&] {
      auto now = x.taken_rows();
      got.insert(now.begin(), now.end());
      return got.size() == rows_all;
    }));
  }
  CHECK(comes_true([&] { return x.has_room(); }));
}

TEST_CASE("a service starts on a disk that filled up meanwhile") {
  auto place = temporary_directory{};
  MOUNT_OR_SKIP(disk, place.file("disk"), "16m");
  auto x = bench{place.file("disk")};
  x.run("INSERT INTO items VALUES (1, 'first')");
  REQUIRE(comes_true([&] { return x.taken_rows().size() == 1; }));
  (void) x.uut->stop(100ms);
  x.unacknowledged.reset();
  x.taken.clear();
  {
    auto others = std::ofstream{place.file("disk/others")};
    auto piece = std::string(1 << 12, 'x');
    while (others.write(piece.data(), 1 << 12))
      others.flush();
  }
  x.start();
  x.run("INSERT INTO items VALUES (2, 'second')");
  REQUIRE(comes_true([&] { return !x.taken_rows().empty(); }));
  CHECK(x.taken_rows() == numbers{1});
  CHECK(comes_true([&] { return x.log().full.code == errc::disk_full; }));
  std::filesystem::remove(place.file("disk/others"));
  CHECK(comes_true([&] { return x.taken_rows() == numbers{1, 2}; }));
}

TEST_CASE("on demand a full disk is the source's failure until there is room") {
  auto place = temporary_directory{};
  MOUNT_OR_SKIP(disk, place.file("disk"), "16m");
  auto x = bench{place.file("disk"), full_disk::fail};
  x.insert_all([&] { return x.source_failure().code == errc::disk_full; });
  CHECK_FALSE(x.log().full);
  x.acknowledge_all();
  CHECK(comes_true([&] { return x.taken_rows().size() >= rows_all; }));
  CHECK(x.taken_rows() == all_rows());
  CHECK(comes_true([&] { return !x.source_failure(); }));
}
