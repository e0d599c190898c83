// A full disk gets room again whatever fails meanwhile.

#include "tests/store/small_disk.hpp"

using namespace log_test;
using sluice::test::dice;
using sluice::test::disk_call;
using sluice::test::power_cut;

TEST_CASE("a note that finds the disk full first does not stop the log") {
  auto uut = small_disk{};
  REQUIRE(uut.open());
  for (auto i = 0; i < 10; ++i)
    REQUIRE(uut.append());
  REQUIRE(sync(*uut.log));
  uut.disk->fill_up(0);
  REQUIRE(uut.log->disk()->make_room());     // for the note,
  uut.disk->fill_up(reserve * 3 / 4 - 4096); // which took a page
  uut.floor = uut.slow_floor = uut.rows;     // nobody needs a row
  auto goes_on = false;
  for (auto i = 0; i < 10 && !goes_on; ++i) {
    REQUIRE(sync(*uut.log));
    CHECK(uut.let_go());
    goes_on = uut.append().has_value();
  }
  CHECK(goes_on);
  uut.check();
}

TEST_CASE(
  "a sync that fails before files are deleted keeps them not for ever") {
  auto uut = small_disk{};
  REQUIRE(uut.open());
  uut.disk->fill_up(3 * segment);
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  REQUIRE(sync(*uut.log));
  uut.floor = uut.slow_floor = uut.rows;
  auto gone = uut.log->release(uut.floors());
  REQUIRE_FALSE(gone.empty());
  uut.disk->fail(disk_call::sync);
  CHECK_FALSE(uut.log->disk()->remove(gone));
  auto goes_on = false;
  for (auto i = 0; i < 10 && !goes_on; ++i) {
    REQUIRE(sync(*uut.log));
    auto more = uut.log->release(uut.floors());
    gone.insert(gone.end(), more.begin(), more.end());
    if (uut.log->disk()->remove(gone))
      gone.clear();
    goes_on = uut.append().has_value();
  }
  CHECK(gone.empty());
  CHECK(goes_on);
}

// Its rows were let go of, and the power fails before anything more is synced.
TEST_CASE("where a log stands is not said in a file that goes") {
  auto uut = small_disk{};
  REQUIRE(uut.open());
  uut.disk->fill_up(segment / 2);
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  uut.disk->make_space();
  SUBCASE("because a source starts over") {
    auto open = block_of({{fast, uut.rows + 1, false}});
    REQUIRE(uut.log->append(open, {}));
    REQUIRE(uut.log->abandon_open());
    REQUIRE(sync(*uut.log));
  }
  SUBCASE("because a sync failed") {
    for (auto i = 0; i < 20; ++i)
      REQUIRE(uut.append());
    auto order = uut.log->begin_sync();
    uut.disk->fail(disk_call::sync);
    REQUIRE_FALSE(uut.log->disk()->sync(order));
    REQUIRE(uut.log->renew());
    uut.check();
  }
  uut.floor = uut.slow_floor = uut.rows;
  auto gone = uut.log->release(uut.floors());
  auto stood = uut.rows;
  for (auto i = 0; i < 40; ++i)
    REQUIRE(uut.append());
  REQUIRE(uut.log->disk()->remove(gone));
  uut.log.reset();
  auto luck = dice{3};
  uut.disk->crash(luck, power_cut{100, true, false});
  auto done = uut.open();
  INFO((done ? "" : to_string(done.error())));
  REQUIRE(done);
  CHECK(uut.log->appended_to().commit_ts.value >= stood);
}

// Rows of 20,000 tables among those of one that has been read.
TEST_CASE("what does not fit into the reserve is rewritten in parts") {
  constexpr auto large = std::uint64_t{8} << 20U;
  auto disk = std::make_shared<simulated_disk>();
  auto options = segment_log_options{"/log", large, 0, disk};
  options.reserve_bytes = large;
  auto opened = segment_log::open(options);
  REQUIRE(opened);
  auto& log = **opened;
  disk->fill_up(8 * large);
  auto ts = std::uint64_t{0};
  for (auto full = false; !full;) {
    auto rows = std::vector<row>{};
    ++ts;
    for (std::uint64_t i = 0; i < 100; ++i) {
      auto other = 10 + (ts * 100 + i) % 20'000;
      rows.push_back({fast, ts, false, std::string(700, 'f'), 2 * i});
      rows.push_back({other, ts, i == 99, "s", 2 * i + 1});
    }
    full = !log.append(block_of(rows), {ts});
  }
  REQUIRE(sync(log));
  auto floors = [&](table_id x) { return timestamp{x.value == fast ? ts : 0}; };
  auto goes_on = false;
  for (auto i = 0; i < 10 && !goes_on; ++i) {
    REQUIRE(log.disk()->remove(log.release(floors)));
    if (auto order = log.plan_rewrite(floors, log.last())) {
      if (auto done = log.rewriter()->run(*order))
        REQUIRE(log.disk()->remove(log.rewritten(*done)));
      else
        log.rewrite_failed(done.error(), 0);
    }
    goes_on = log.append(block_of({{fast, ts, true, "x"}}), {ts}).has_value();
  }
  CHECK(goes_on);
}

// The segment that a full disk begins is durable, and nothing before it is.
TEST_CASE("a log of which nothing was durable opens after a power cut") {
  auto uut = small_disk{};
  REQUIRE(uut.open());
  uut.disk->fill_up(segment / 2);
  CHECK(uut.append_until_it_fails().code == errc::disk_full);
  REQUIRE(uut.log->synced_to() == block_index{});
  uut.log.reset();
  auto luck = dice{3};
  uut.disk->crash(luck, power_cut{100, true, false});
  uut.disk->make_space();
  auto done = uut.open();
  INFO((done ? "" : to_string(done.error())));
  REQUIRE(done);
  uut.rows = uut.log->appended_to().commit_ts.value;
  REQUIRE(uut.append());
  uut.check();
}
