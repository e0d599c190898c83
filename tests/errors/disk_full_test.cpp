// A disk that is full, for real: a small file system in memory.
#include "desk.hpp"
#include "tests/support/small_file_system.hpp"

using namespace sluice::error_test;

namespace {

/// Takes the space that rows would take.
void fill(const std::string& path) {
  auto out = std::ofstream{path};
  auto piece = std::string(1 << 16, 'x');
  while (out.write(piece.data(), static_cast<std::streamsize>(piece.size())))
    out.flush();
}

void add_megabytes(desk& uut, int count) {
  uut.sql("app.db", fmt::format("WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL"
                                " SELECT i + 1 FROM n WHERE i < {})"
                                " INSERT INTO items SELECT i, 'big',"
                                " randomblob(10000) FROM n",
                                1000 + count * 100));
}

} // namespace

TEST_CASE("a full disk of the log is one line") {
  auto uut = desk{};
  MOUNT_OR_SKIP(disk, uut.at("disk"), "24m");
  auto job = command{.state = "disk/state"};
  uut.verifies(job);
  add_megabytes(uut, 2);
  fill(uut.at("disk/ballast"));
  constexpr auto remedy = "Make space; rows wait at the source meanwhile.";
  uut.fails(job, "disk_full", "disk/state/", remedy);
  uut.app_goes_on();
  fs::remove(uut.at("disk/ballast"));
  uut.verifies(job);
}

TEST_CASE("a disk that fills up while a run goes on is one line") {
  auto uut = desk{};
  MOUNT_OR_SKIP(disk, uut.at("disk"), "24m");
  auto job = command{.state = "disk/state"};
  add_megabytes(uut, 30);
  uut.fails(job, "disk_full", "disk/state/log/app/1/",
            "Make space; rows wait at the source meanwhile.");
  uut.app_goes_on();
  REQUIRE(disk.resize("200m"));
  uut.verifies(job);
}

TEST_CASE("without --once a run waits for space and says so") {
  auto uut = desk{};
  MOUNT_OR_SKIP(disk, uut.at("disk"), "24m");
  auto job = command{.state = "disk/state", .once = false};
  auto run = uut.start(job);
  desk::wait_until(*run, [&] { return uut.replicated() == 3; });
  fill(uut.at("disk/ballast"));
  add_megabytes(uut, 2);
  desk::wait_until(*run, [&] {
    return run->out().find("disk_full: disk/state/") != std::string::npos;
  });
  CHECK(run->err().empty());
  fs::remove(uut.at("disk/ballast"));
  desk::wait_until(*run, [&] { return uut.replicated() == 204; });
  run->signal(SIGTERM);
  CHECK(run->wait() == 0);
  CHECK(run->err().empty());
  uut.verifies(job = {.state = "disk/state"});
}

TEST_CASE("a full disk of the replica is one line") {
  auto uut = desk{};
  MOUNT_OR_SKIP(disk, uut.at("disk"), "24m");
  auto job = command{.replica = "disk/replica.db"};
  uut.verifies(job);
  add_megabytes(uut, 2);
  fill(uut.at("disk/ballast"));
  uut.fails(job, "sink_unavailable",
            "disk/replica.db: ", "Make space on its disk.");
  uut.app_goes_on();
  fs::remove(uut.at("disk/ballast"));
  uut.verifies(job);
}
