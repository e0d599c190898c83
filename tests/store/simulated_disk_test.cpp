// The simulated disk itself, and what a log on it costs.

#include <chrono>

#include <fcntl.h>
#include <fmt/format.h>

#include "tests/store/log_fixture.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace log_test;
using sluice::test::dice;
using sluice::test::disk_call;
using sluice::test::power_cut;
using sluice::test::simulated_disk;

namespace {

struct fixture {
  std::shared_ptr<open_file> open(const std::string& path) {
    return open_file::open(disk, path, O_RDWR | O_CREAT).value();
  }
  [[nodiscard]] std::string content(const std::string& path) {
    auto file = open(path);
    return file->read(0, file->size().value()).value();
  }
  void lose_all() { disk->crash(luck, power_cut{100, true, false}); }

  std::shared_ptr<simulated_disk> disk = std::make_shared<simulated_disk>();
  dice luck{7};
};

} // namespace

TEST_CASE_FIXTURE(fixture, "a power cut takes what was not synced") {
  auto file = open("f");
  REQUIRE(file->write({std::string(2000, 'a')}, 0).has_value());
  REQUIRE(file->sync_all().has_value());
  REQUIRE(sync_directory(disk, "/").has_value());
  REQUIRE(file->write({std::string(2000, 'b')}, 1000).has_value());
  SUBCASE("a kill takes nothing") {
    disk->kill();
    CHECK(content("f") == std::string(1000, 'a') + std::string(2000, 'b'));
  }
  SUBCASE("all of it at the worst") {
    lose_all();
    CHECK(content("f").substr(0, 2000) == std::string(2000, 'a'));
  }
  SUBCASE("sector by sector otherwise") {
    disk->crash(luck, power_cut{50, true, false});
    auto found = content("f").substr(0, 2000);
    CHECK(found.substr(0, 1000) == std::string(1000, 'a'));
    for (auto i = std::size_t{1024}; i < 1536; ++i)
      CHECK(found[i] == found[1024]);
  }
}

TEST_CASE_FIXTURE(fixture, "a name is durable after a sync of its directory") {
  auto file = open("f");
  REQUIRE(file->sync_all().has_value());
  lose_all();
  CHECK(disk->counts().names_lost + (disk->access("f") == 0 ? 1 : 0) == 1);
}

TEST_CASE_FIXTURE(fixture, "a sync after one that failed proves nothing") {
  auto lost = 0;
  for (auto i = 0; i < 20; ++i) {
    auto file = open("f");
    REQUIRE(sync_directory(disk, "/").has_value());
    REQUIRE(file->write({std::string(512, 'a')}, 0).has_value());
    REQUIRE(file->sync_all().has_value());
    REQUIRE(file->write({std::string(512, 'b')}, 0).has_value());
    disk->fail(disk_call::sync);
    REQUIRE_FALSE(file->sync_all().has_value());
    REQUIRE(file->sync_all().has_value());
    lose_all();
    lost += content("f") == std::string(512, 'a') ? 1 : 0;
  }
  CHECK(lost > 0);
  CHECK(lost < 20);
}

TEST_CASE_FIXTURE(fixture, "a full disk takes what fits") {
  auto file = open("f");
  disk->fill_up(100);
  auto done = file->write({std::string(101, 'a')}, 0);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().code == errc::disk_full);
  CHECK(file->size().value() == 100);
  disk->make_space();
  CHECK(file->write({std::string(101, 'a')}, 0).has_value());
}

TEST_CASE("the same seed gives the same bytes") {
  auto run = [] {
    auto disk = std::make_shared<simulated_disk>(3);
    auto luck = dice{4};
    auto bytes = std::string{};
    for (auto life = 0; life < 5; ++life) {
      auto log = open_segments("log", 5000, 0, disk);
      for (std::uint64_t ts = 1; ts < 9; ++ts)
        REQUIRE(log->append(block_of({{1, log->last().value + 1}}), {})
                  .has_value());
      log.reset();
      disk->crash(luck);
    }
    auto names = std::vector<std::string>{};
    disk->list("log", names);
    for (const auto& name : names) {
      auto file = open_file::open(disk, "log/" + name, O_RDONLY).value();
      bytes += name + file->read(0, file->size().value()).value();
    }
    return bytes;
  };
  CHECK(run() == run());
}

TEST_CASE("a log on a simulated disk is opened in no time") {
  constexpr auto count = 200;
  auto began = std::chrono::steady_clock::now();
  for (auto i = 0; i < count; ++i)
    open_segments("log", 1U << 20, 0, std::make_shared<simulated_disk>());
  auto took = std::chrono::duration<double, std::micro>(
    std::chrono::steady_clock::now() - began);
  fmt::print("an empty log is opened in {:.1f} us\n", took.count() / count);
  CHECK(took.count() / count < 5'000); // 100 times what it takes
}
