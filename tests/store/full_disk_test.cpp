// A disk that fills up: it takes no rows, and rows can go, so that it takes
// rows again.

#include <array>

#include <fmt/format.h>

#include "tests/store/small_disk.hpp"

using namespace log_test;
using sluice::test::dice;
using sluice::test::power_cut;

namespace {

using numbers = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("rows that nobody needs go while the disk is full") {
  auto uut = small_disk{};
  REQUIRE(uut.open().has_value());
  uut.disk->fill_up(3 * segment);
  auto full = uut.append_until_it_fails();
  CHECK(full.code == errc::disk_full);
  CHECK_FALSE(uut.has_reserve());
  auto before = uut.rows;
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  CHECK(uut.rows == before); // not in what was the reserve's room
  uut.check();
  REQUIRE(sync(*uut.log).has_value());
  uut.floor = uut.slow_floor = uut.rows - 20;
  CHECK(uut.let_go());
  REQUIRE(uut.append().has_value());
  CHECK(uut.has_reserve());
  uut.check();
}

TEST_CASE("all of a full disk can go, also what was written last") {
  auto uut = small_disk{};
  REQUIRE(uut.open().has_value());
  uut.disk->fill_up(segment / 2); // less than a segment
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  REQUIRE(uut.rows > 3);
  REQUIRE(sync(*uut.log).has_value());
  uut.floor = uut.slow_floor = uut.rows;
  CHECK(uut.let_go());
  CHECK(scan(*uut.log, slow).empty());
  for (auto i = 0; i < 4; ++i)
    REQUIRE(uut.append().has_value());
  uut.check();
  // A restart knows where it stands, though no row is left of before.
  REQUIRE(sync(*uut.log).has_value());
  uut.floor = uut.slow_floor = uut.rows;
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  auto stands = uut.log->appended_to();
  uut.log.reset();
  REQUIRE(uut.open().has_value());
  CHECK(uut.log->appended_to() == stands);
}

TEST_CASE("a rewrite on a full disk takes the room of the reserve") {
  auto uut = small_disk{};
  REQUIRE(uut.open().has_value());
  uut.disk->fill_up(6 * segment);
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  // Somebody else has taken the rest.
  uut.disk->fill_up(0);
  REQUIRE(sync(*uut.log).has_value());
  uut.floor = uut.rows; // one slow row in each block pins all segments
  auto before = uut.log->stats().disk_bytes;
  SUBCASE("which was given up before") {
    uut.disk->fill_up(reserve * 3 / 4);
  }
  SUBCASE("which is given up by it") {
    uut.log.reset();
    uut.disk->make_space();
    REQUIRE(uut.open().has_value());
    REQUIRE(uut.append().has_value());
    REQUIRE(uut.has_reserve());
    REQUIRE(sync(*uut.log).has_value());
    uut.disk->fill_up(0);
  }
  CHECK(uut.let_go());
  CHECK(uut.log->stats().bytes_rewritten > 0);
  CHECK(uut.log->stats().disk_bytes < before / 2);
  uut.check();
  REQUIRE(uut.append().has_value());
  CHECK(uut.has_reserve());
}

TEST_CASE("a reserve that was given up is missing after a restart, too") {
  auto uut = small_disk{};
  REQUIRE(uut.open().has_value());
  uut.disk->fill_up(2 * segment);
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  REQUIRE(sync(*uut.log).has_value());
  uut.log.reset();
  uut.disk->kill();
  REQUIRE(uut.open().has_value()); // in room that was the reserve's
  CHECK_FALSE(uut.has_reserve());
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  uut.check();
  uut.disk->make_space();
  REQUIRE(uut.append().has_value());
  CHECK(uut.has_reserve());
}

TEST_CASE("a log starts on a full disk with the room of its reserve") {
  auto uut = small_disk{};
  REQUIRE(uut.open().has_value());
  for (auto i = 0; i < 10; ++i)
    REQUIRE(uut.append().has_value());
  uut.log.reset();
  uut.disk->kill();
  uut.disk->fill_up(0);
  REQUIRE(uut.open().has_value());
  uut.check();
  uut.floor = uut.slow_floor = uut.rows;
  CHECK(uut.let_go());
  REQUIRE(uut.append().has_value());
}

TEST_CASE("a disk that is too small for a reserve is used without one") {
  auto uut = small_disk{};
  uut.disk->fill_up(reserve / 2);
  REQUIRE(uut.open().has_value());
  for (auto i = 0; i < 3; ++i)
    REQUIRE(uut.append().has_value());
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  CHECK(uut.has_reserve()); // none is missing
  uut.check();
  // It is made with a later segment, once there is room.
  uut.disk->make_space();
  auto before = uut.disk->bytes();
  for (std::uint64_t i = 0; i < 2 * segment / 1000; ++i)
    REQUIRE(uut.append().has_value());
  CHECK(uut.disk->bytes() > before + 2 * segment + reserve / 2);
}

TEST_CASE("where no room can be set aside there is no reserve") {
  struct plain_disk : simulated_disk {
    int allocate(int, off_t) override {
      errno = EOPNOTSUPP;
      return -1;
    }
  };
  auto uut = small_disk{std::make_shared<plain_disk>()};
  REQUIRE(uut.open().has_value());
  REQUIRE(uut.append().has_value());
  uut.disk->fill_up(2 * segment);
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  uut.disk->make_space();
  REQUIRE(uut.append().has_value());
  uut.check();
}

TEST_CASE("a log that wants no reserve any more gives its room back") {
  auto uut = small_disk{};
  REQUIRE(uut.open().has_value());
  auto with = uut.disk->bytes();
  uut.log.reset();
  uut.reserve_bytes = 0;
  REQUIRE(uut.open().has_value());
  CHECK(uut.disk->bytes() < with - reserve / 2);
}

// -- enumerated ---------------------------------------------------------------

namespace {

/// Fills the disk, lets go, and goes on, until a call fails for another reason
/// than a full disk. Without one it ends with everything as it should be.
bool live(small_disk& x, std::uint64_t room) {
  if (!x.open())
    return false;
  x.disk->fill_up(room);
  for (auto round = 0; round < 3; ++round) {
    auto why = x.append_until_it_fails();
    if (why.code != errc::disk_full || !sync(*x.log))
      return false;
    x.floor = x.rows;
    x.slow_floor = round == 1 ? x.rows : x.slow_floor;
    (void) x.let_go();
    if (x.disk->stopped())
      return false;
  }
  return true;
}

/// Whatever happened: the rows are there, and it comes to take some again.
void goes_on(small_disk& x, std::uint64_t at_least) {
  auto attempted = x.rows + 1;
  auto opened = x.open();
  INFO((opened ? "" : to_string(opened.error())));
  REQUIRE(opened.has_value());
  x.rows = x.log->appended_to().commit_ts.value;
  REQUIRE(x.rows >= at_least);
  REQUIRE(x.rows <= attempted);
  x.check();
  for (auto tries = 0; !x.append(); ++tries) {
    REQUIRE(tries < 3);
    REQUIRE(sync(*x.log).has_value());
    x.floor = x.slow_floor = x.rows;
    (void) x.let_go();
  }
  x.check();
}

} // namespace

TEST_CASE("wherever the disk is full, rows go and others come") {
  auto tried = 0;
  for (auto room = segment / 2; room < 3 * segment; room += 61, ++tried) {
    CAPTURE(room);
    auto x = small_disk{};
    REQUIRE(live(x, room));
    x.check();
    x.log.reset();
    x.disk->kill();
    goes_on(x, x.rows);
  }
  fmt::print("full disks: {}\n", tried);
  CHECK(tried > 500);
}

TEST_CASE("ended between any two calls on a full disk, a log goes on") {
  const auto cuts = std::array<power_cut, 4>{{{0, true, false},
                                              {50, true, false},
                                              {100, false, false},
                                              {50, false, true}}};
  auto tried = 0;
  for (auto room : {segment / 2, 2 * segment + 777}) {
    auto whole = small_disk{};
    REQUIRE(live(whole, room));
    auto calls = whole.disk->calls();
    for (std::uint64_t n = 1; n <= calls; ++n)
      for (std::size_t how = 0; how <= cuts.size(); ++how, ++tried) {
        CAPTURE(room);
        CAPTURE(n);
        CAPTURE(how);
        auto x = small_disk{std::make_shared<simulated_disk>(n)};
        x.disk->stop_at(n);
        (void) live(x, room);
        REQUIRE(x.disk->stopped());
        auto kept = x.log == nullptr ? 0 : x.log->synced_to().value;
        auto acknowledged = x.rows;
        x.log.reset();
        auto luck = dice{n};
        if (how == cuts.size()) {
          x.disk->kill();
        } else {
          x.disk->crash(luck, cuts[how]);
          x.disk->fill_up(2 * segment); // names that came back took room
        }
        goes_on(x, how == cuts.size() ? acknowledged : kept);
      }
  }
  fmt::print("ended on a full disk: {}\n", tried);
  CHECK(tried > 1000);
}
