#include <atomic>
#include <chrono>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "store/segment_files.hpp"
#include "tests/service/sqlite_rig.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

// Its log is in files of 64 KiB; of the rows nearly nothing is in memory.
struct bench : sqlite_rig {
  bench() {
    make_table("a");
    make_table("b");
  }
  void insert(const std::string& table, int bytes = 10) {
    run("INSERT INTO " + table + " (text) VALUES (hex(zeroblob("
        + std::to_string(bytes / 2) + ")))");
  }
  void start() {
    auto options = service_options{};
    options.credit_bytes = 16 << 10;
    options.memory_budget = 64 << 10;
    options.segment_bytes = 64 << 10;
    open(options);
    create_feed("late");
    create_feed("late_b", "b");
    create_feed("early");
    add_source();
  }
  // It has stopped because of what was done to `path`.
  bool stopped_at(const std::string& feed, const std::string& path) {
    return comes_true([&] {
      auto x = uut->status_of(feed);
      REQUIRE(x);
      return x->stopped && x->failure.code == errc::log_corrupt
             && x->failure.detail.find(path + ": byte ") != std::string::npos;
    });
  }
};

void flip(const std::string& path, std::streamoff at) {
  auto file = std::fstream{path,
                           std::ios::in | std::ios::out | std::ios::binary};
  file.seekg(at);
  auto byte = static_cast<char>(file.get() ^ 1);
  file.seekp(at);
  file.put(byte);
  REQUIRE(file.good());
}

} // namespace

TEST_CASE("a flipped byte stops the feed that needs it, and no other") {
  auto x = bench{};
  x.start();
  auto early = std::atomic<int>{0};
  x.count("early", early);
  auto all = 0;
  // Two rows of b with many of a between them, in other blocks.
  auto insert = [&](const std::string& table, int bytes) {
    x.insert(table, bytes);
    REQUIRE(comes_true([&, n = ++all] { return early == n; }));
  };
  insert("b", 10);
  for (auto i = 0; i < 40; ++i)
    insert("a", 5'000);
  insert("b", 10);
  auto path = segment_path(x.home.file("service/log/app/1"), 1);
  flip(path, 40'000);

  auto late = std::atomic<int>{0};
  auto late_b = std::atomic<int>{0};
  x.count("late", late);
  CHECK(x.stopped_at("late", path));
  CHECK(late > 1); // what is before it
  CHECK(late < 40);
  // No row of b is in that block, and the log knew before.
  x.count("late_b", late_b);
  CHECK(comes_true([&] { return late_b == 2; }));
  insert("a", 10);
  insert("b", 10);
  CHECK(comes_true([&] { return late_b == 3; }));

  CHECK(x.uut->stop().empty());
  early = all = 0;
  late = late_b = 0;
  x.start();
  x.count("early", early);
  x.count("late", late);
  x.count("late_b", late_b);
  CHECK(x.stopped_at("late", path));
  insert("b", 10);
  CHECK(comes_true([&] { return late_b == 1; }));
  CHECK(early == 1);
  CHECK(late < 40);
}
