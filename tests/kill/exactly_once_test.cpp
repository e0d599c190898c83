// The application goes on while whoever replicates is killed. Triggers on both
// sides note each change of each row: the notes must be equal.

#include "tests/kill/rig.hpp"

using namespace sluice::kill_test;

namespace {

struct kills {
  int all = 0;
  int in_recovery = 0;
  int distinct = 0; ///< Between two positions.
  int start_ms = 0; ///< Until a start shows in the replica.
  std::int64_t position = 0;
};

// Kills at moments that are uniform over what a start and some work take; one
// in seven hits the start itself.
void kill_until(rig& uut, kills& done, int all, int distinct) {
  auto began = clock::now();
  done.position = uut.position();
  uut.start();
  uut.wait_for_progress(done.position);
  done.start_ms = static_cast<int>((clock::now() - began) / 1ms);
  auto latest = std::max(400, 3 * done.start_ms);
  for (auto first = true;; first = false) {
    if (done.all >= all && done.distinct >= distinct)
      return;
    REQUIRE(clock::now() - began < 200s);
    if (!first)
      uut.start();
    auto early = uut.random() % 7 == 0;
    // The moments are what is tested: here is nothing to wait for.
    std::this_thread::sleep_for(early ? uut.between(5, 30)
                                      : uut.between(20, latest));
    auto position = early ? done.position : uut.position();
    uut.kill();
    ++done.all;
    done.in_recovery += early ? 1 : 0;
    REQUIRE(position >= done.position);
    done.distinct += position > done.position ? 1 : 0;
    if (!early && position == done.position) // a slow machine, or a busy one
      latest = std::min(latest * 5 / 4, 5'000);
    done.position = position;
  }
}

void check_all(rig& uut, const kills& done) {
  auto more = [&] {
    return integer(uut.source, "SELECT max(seq) FROM sluice_log")
           > done.position;
  };
  REQUIRE(comes_true(20s, more));
  uut.stop_application();
  uut.finish();
  CHECK(uut.position() > done.position);
  uut.check_contents();
  uut.check_changes();
}

} // namespace

TEST_CASE("50 SIGKILLs at random moments, and each change is applied once") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  auto began = clock::now();
  // Segments come, are closed and go many times meanwhile.
  uut.settings = {"--segment-bytes", "65536"};
  uut.make_databases();
  uut.start_application(8'000);
  auto done = kills{};
  kill_until(uut, done, 50, 40);
  check_all(uut, done);
  CHECK(done.distinct >= 40);
  MESSAGE("seed ", uut.seed, ": ", done.all, " kills, ", done.in_recovery,
          " in recovery, ", done.distinct, " between distinct positions, ",
          (clock::now() - began) / 1ms, " ms, a start ", done.start_ms, " ms");
}

TEST_CASE("A kill tears transactions over two partitions, and all is applied") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  uut.settings = {"--partitions", "2"};
  uut.make_databases();
  uut.start_application(3'000);
  auto done = kills{};
  kill_until(uut, done, 10, 6);
  check_all(uut, done);
  for (const auto* part : {"/log/app/1", "/log/app/2"}) {
    auto bytes = std::uintmax_t{0};
    for (const auto& x : std::filesystem::directory_iterator(uut.state + part))
      bytes += x.file_size();
    CHECK(bytes > 50'000);
  }
  MESSAGE("seed ", uut.seed, ": ", done.all, " kills, ", done.distinct,
          " between distinct positions");
}

TEST_CASE("SIGTERM stops in order, and nothing is applied twice after it") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  SUBCASE("with one partition") {
    // nop
  }
  SUBCASE("with two partitions") {
    uut.settings = {"--partitions", "2"};
  }
  uut.make_databases();
  uut.start_application(3'000);
  auto before = uut.position();
  for (auto i = 0; i < 6; ++i) {
    uut.start();
    auto said = uut.logged().size();
    if (i % 3 == 2) { // Also while it starts, with tables that are behind.
      std::this_thread::sleep_for(uut.between(20, 100));
      uut.terminate();
    } else {
      uut.wait_for_progress(before + 300);
      uut.terminate();
      auto log = uut.logged().substr(said);
      CHECK_MESSAGE(log.find("not flushed") == std::string::npos, log);
    }
    before = uut.position();
  }
  auto done = kills{};
  done.position = before;
  check_all(uut, done);
}
