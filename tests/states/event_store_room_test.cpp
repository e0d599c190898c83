// Appends that find the disk full.

#include "tests/states/event_store_bench.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

const auto no_space = error{errc::disk_full, "1.seg: no space"};

struct full : event_store_bench {
  explicit full(full_disk how = full_disk::wait)
    : event_store_bench{with(how)} {
    attach_source();
    append(block_of({{7, 20}, end_mark}), 20);
    load_feed(0);
    take<rows_appended>();
    append_failure = no_space;
  }
  static event_store_options with(full_disk how) {
    auto result = event_store_options{};
    result.when_full = how;
    return result;
  }
  std::vector<std::uint64_t> answered() {
    auto result = std::vector<std::uint64_t>{};
    for (const auto& x : take<rows_appended>())
      result.push_back(x.number);
    return result;
  }
  // Whatever is due, until nothing is.
  void run_on() {
    for (auto i = 0; i < 20; ++i)
      advance(0);
  }
};

using numbers = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("rows wait for room, and go on in their order") {
  auto bench = full{};
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.append(block_of({{7, 60}, end_mark}), 60);
  bench.resolve(70);
  bench.append(block_of({{7, 80}, end_mark}), 80);
  CHECK(bench.answered().empty());
  CHECK(bench.take<append_failed>().empty());
  bench.append_failure = {};
  bench.advance(999);
  CHECK(bench.answered().empty());
  bench.advance(1);
  bench.run_on();
  CHECK(bench.answered() == numbers{2, 4, 5}); // 4: and 3
  CHECK(times(bench.blocks.at(2)) == numbers{40});
  CHECK(times(bench.blocks.at(3)) == numbers{60});
  CHECK(times(bench.blocks.at(4)) == numbers{80});
  CHECK(bench.uut.status().resolved == timestamp{80});
  bench.append(block_of({{7, 90}, end_mark}), 90);
  CHECK(bench.answered() == numbers{6});
}

TEST_CASE("rows that come while others still wait do not overtake them") {
  auto bench = full{};
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.append(block_of({{7, 60}, end_mark}), 60);
  bench.append_failure = {};
  bench.advance(1000); // takes one
  CHECK(bench.answered() == numbers{2});
  bench.append(block_of({{7, 80}, end_mark}), 80);
  CHECK(bench.answered().empty());
  bench.run_on();
  CHECK(bench.answered() == numbers{3, 4});
  CHECK(times(bench.blocks.at(4)) == numbers{80});
}

TEST_CASE("the status says since when rows wait, for what, and how many") {
  auto bench = full{};
  CHECK_FALSE(bench.uut.status(bench.now).full);
  auto rows = block_of({{7, 40}, end_mark});
  bench.append(rows, 40);
  bench.append(rows, 40);
  bench.append_failure = {errc::disk_full, "reserve: no space"};
  bench.advance(1500);
  auto status = bench.uut.status(bench.now);
  CHECK(status.full == no_space);
  CHECK(status.full_ms == 1500);
  CHECK(status.waiting_bytes == 2 * rows->bytes().size());
  CHECK_FALSE(status.failure);
  bench.append_failure = {};
  bench.advance(1000);
  bench.run_on();
  status = bench.uut.status(bench.now);
  CHECK_FALSE(status.full);
  CHECK(status.full_ms == 0);
  CHECK(status.waiting_bytes == 0);
}

TEST_CASE("files that are gone let rows go on at once") {
  auto bench = full{};
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.append_failure = {};
  bench.run(bench.uut.on_segments_removed({}, bench.now));
  CHECK(bench.answered() == numbers{2});
}

TEST_CASE("files that could not be deleted are tried again while rows wait") {
  auto bench = full{};
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.run(bench.uut.on_segments_removed({{errc::log_io, "EIO"}}, bench.now));
  CHECK(bench.take<remove_segments>().empty());
  bench.advance(1000);
  CHECK(bench.take<remove_segments>().size() == 1);
}

TEST_CASE("a full disk is looked over for what may go, though no floor moves") {
  auto how = full_disk::wait;
  SUBCASE("while rows wait") {
    // nop
  }
  SUBCASE("when they fail") {
    how = full_disk::fail;
  }
  auto bench = full{how};
  bench.advance(1000);
  bench.run(bench.uut.on_floor_report({{1}, {20}, {}}, bench.now));
  bench.advance(1000);
  bench.released_up_to.clear();
  bench.advance(1000);
  CHECK(bench.released_up_to.empty());
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.advance(1000);
  CHECK(bench.released_up_to.size() == 1);
}

TEST_CASE("another failure ends the wait, and the source starts over") {
  auto bench = full{};
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.append(block_of({{7, 60}, end_mark}), 60);
  bench.append_failure = {errc::log_io, "EIO"};
  bench.advance(1000);
  auto failed = bench.take<append_failed>();
  REQUIRE(failed.size() == 1);
  CHECK(failed[0].number == 2);
  CHECK(failed[0].reason.code == errc::log_io);
  CHECK_FALSE(bench.uut.status(bench.now).full);
  bench.append_failure = {};
  bench.attach_source();
  bench.append(block_of({{7, 40}, end_mark}), 40);
  CHECK(bench.answered() == numbers{1});
}

TEST_CASE("a sync that fails for good ends the wait") {
  auto bench = full{};
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.advance(50);
  bench.renew_failure = {errc::log_io, "EIO"};
  bench.run(bench.uut.on_log_synced({{{1}, {1}}, {errc::log_io, "EIO"}}));
  auto failed = bench.take<append_failed>();
  REQUIRE(failed.size() == 1);
  CHECK(failed[0].number == 2);
  CHECK(failed[0].reason.code == errc::log_io);
}

TEST_CASE("a sync that fails for good ends the wait to attach, too") {
  auto bench = full{};
  bench.advance(50);
  bench.abandon_failure = no_space;
  bench.attach_source(2);
  bench.renew_failure = {errc::log_io, "EIO"};
  bench.run(bench.uut.on_log_synced({{{1}, {1}}, {errc::log_io, "EIO"}}));
  auto failed = bench.take<append_failed>();
  REQUIRE(failed.size() == 1);
  CHECK(failed[0].number == 0);
}

TEST_CASE("a source that starts over takes back what waits") {
  auto bench = full{};
  bench.append(block_of({{7, 40}, end_mark}), 40);
  bench.attach_source(2);
  CHECK(bench.take<source_attached>().size() == 2);
  bench.append_failure = {};
  bench.advance(1000);
  bench.run_on();
  CHECK(bench.answered().empty());
  CHECK(bench.blocks.size() == 1);
  bench.run(bench.uut.on_append({{2}, 1, block_of({{7, 40}, end_mark}), {40}},
                                bench.now));
  CHECK(bench.answered() == numbers{1});
}

TEST_CASE("a source waits for room to attach, too") {
  auto bench = full{};
  bench.take<source_attached>();
  bench.abandon_failure = no_space;
  bench.attach_source(2);
  CHECK(bench.take<append_failed>().empty());
  CHECK(bench.uut.status(bench.now).full == no_space);
  bench.advance(1000);
  CHECK(bench.take<source_attached>().empty());
  bench.abandon_failure = {};
  bench.advance(1000);
  CHECK(bench.take<source_attached>().size() == 1);
  CHECK_FALSE(bench.uut.status(bench.now).full);
}

TEST_CASE("on demand a full disk is the source's failure") {
  auto bench = full{full_disk::fail};
  bench.append(block_of({{7, 40}, end_mark}), 40);
  auto failed = bench.take<append_failed>();
  REQUIRE(failed.size() == 1);
  CHECK(failed[0].reason == no_space);
  CHECK_FALSE(bench.uut.status(bench.now).full);
  bench.append_failure = {};
  bench.advance(1000);
  CHECK(bench.answered().empty());
  bench.attach_source();
  bench.append(block_of({{7, 40}, end_mark}), 40);
  CHECK(bench.answered() == numbers{1});
}
