#include "shard_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// A feed whose sink is slow: its streams wait together, and go on together.

namespace {

constexpr auto second = registration_id{1, 2};
constexpr auto other = feed_id{6};

block_ptr row_at(std::uint64_t ts, std::uint64_t table = 7) {
  return block_of({{table, ts}});
}
std::uint64_t row_size() {
  return row_at(40)->grouped(0).size_bytes();
}
// With a window of so many bytes, and credit for one row.
shard_fixture with_window(std::uint64_t bytes) {
  auto options = dispatcher_shard_options{};
  options.window_bytes = bytes;
  return shard_fixture{options, row_size()};
}
// In sync; from now on the store alone says what is resolved.
void into_sync(shard_fixture& all) {
  all.join();
  all.resolve(20);
  all.keep(all.uut.on_schema_resolved({{1'000}}));
}
std::vector<late_feed> late_at(std::uint64_t ts) {
  return {late_feed{shard_fixture::feed, {ts}}};
}

} // namespace

TEST_CASE("a feed without credit waits, and no stream of it is behind") {
  auto all = shard_fixture{{}, row_size()};
  into_sync(all);
  all.append(row_at(40), 40);
  CHECK(all.rows() == rows_at{40});
  all.append(row_at(60), 60);
  CHECK(all.rows().empty());
  auto mark = all.take_one<watermark>();
  CHECK(mark.behind.empty());
  CHECK(mark.promise.resolved == timestamp{60});
  CHECK(mark.promise.late == late_at(59));
  CHECK(all.take<scan_request>().empty());
  all.grant(2 * row_size()); // no new block comes
  CHECK(all.rows() == rows_at{60});
  mark = all.take_one<watermark>();
  CHECK(mark.promise == channel_promise{{60}, {}});
}

TEST_CASE("rows that come behind a block that waits do not pass it") {
  auto all = shard_fixture{{}, 2 * row_size()};
  into_sync(all);
  all.append(row_at(40), 40);
  all.append(block_of({{7, 50}, {7, 51}, {7, 52}, {7, 53}}), 53);
  CHECK(all.rows() == rows_at{50}); // more than its credit: not as a whole
  all.append(row_at(60), 60);
  CHECK(all.rows().empty());
  all.grant(4 * row_size());
  CHECK(all.rows() == rows_at{51, 52});
  all.grant(6 * row_size());
  CHECK(all.rows() == rows_at{53, 60});
}

TEST_CASE("a block that the credit covers does not pass one that waits") {
  auto all = shard_fixture{{}, 8 * row_size()};
  into_sync(all);
  for (std::uint64_t ts = 30; ts < 37; ++ts)
    all.append(row_at(ts), ts);
  all.append(block_of({{7, 40}, {7, 41}}), 41); // there is credit for one
  CHECK(all.rows().empty());
  all.append(row_at(50), 50);
  CHECK(all.rows().empty());
  all.grant(15 * row_size());
  CHECK(all.rows() == rows_at{40, 41, 50});
}

TEST_CASE("a late feed gets no DDL before the rows before it") {
  auto all = shard_fixture{{}, row_size()};
  into_sync(all);
  all.append(row_at(40), 40);
  all.keep(all.uut.on_ddl({ddl(7, 2, 70)}));
  all.append(row_at(60), 80);
  CHECK(all.take<schema_change>().empty());
  all.grant(2 * row_size());
  CHECK(all.rows() == rows_at{60});
  CHECK(all.take_one<schema_change>().event.ts == timestamp{70});
}

TEST_CASE("a heartbeat speaks for a late feed up to its last row") {
  auto all = shard_fixture{{}, row_size()};
  into_sync(all);
  all.append(row_at(40), 40);
  all.append(row_at(60), 60);
  auto seq = all.take_one<watermark>().mark.seq;
  all.beat_all(seq.value, 60);
  CHECK(all.uut.checkpoint_of(all.first) == timestamp{59});
}

TEST_CASE("a stream that scanned past its late cohort waits for it") {
  auto all = shard_fixture{{}, row_size()};
  into_sync(all);
  all.append(row_at(40), 40);
  all.append(row_at(60), 60);
  all.take<watermark>();
  all.add(second, 20, 8);
  all.reset(1, 20, second);
  all.look_up();
  all.grant(row_size() + 1); // for a scan, not for the row that waits
  auto request = all.take_one<scan_request>();
  all.append(row_at(70, 8), 70);
  all.scanned(request, nullptr);
  CHECK_FALSE(all.uut.find(second)->joined);
  CHECK(all.rows().empty()); // behind the row of the other table
  all.grant(3 * row_size());
  CHECK(all.rows() == rows_at{70, 60}); // single streams come first
  CHECK(all.uut.find(second)->joined);
  CHECK(all.take_one<watermark>().in_sync.size() == 1);
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a feed without credit holds up no other feed") {
  into_sync(*this);
  grant(row_size(), other);
  add(second, 20, 7, other);
  reset(1, 20, second);
  look_up();
  scanned(nullptr);
  REQUIRE(uut.find(second)->joined);
  append(row_at(40), 40);
  CHECK(take<delivery>().size() == 2); // one per feed
  append(row_at(60), 60);
  CHECK(take_one<delivery>().feed == feed);
  CHECK(take_one<watermark>().promise.late
        == std::vector{late_feed{other, {59}}});
}

// -- when the window has moved on ---------------------------------------------

TEST_CASE("a late feed reads blocks that have left the window") {
  auto all = with_window(1);
  into_sync(all);
  all.append(row_at(40), 40);
  all.append(row_at(60), 60);
  CHECK(all.rows().empty());
  CHECK(all.take_one<watermark>().promise.late == late_at(59));
  CHECK(all.take<scan_request>().empty()); // not before there is credit
  all.grant(2 * row_size());
  auto request = all.take_one<scan_request>();
  REQUIRE(request.entries.size() == 1);
  CHECK_FALSE(request.entries[0].registration);
  CHECK(request.entries[0].table == all_tables);
  CHECK(request.entries[0].after == row_at(60)->first_cursor().previous());
  all.scanned(request, row_at(60));
  CHECK(all.rows() == rows_at{60});
  CHECK(all.take_one<watermark>().promise == channel_promise{{60}, {}});
  all.grant(3 * row_size());
  all.append(row_at(70), 70);
  CHECK(all.rows() == rows_at{70});
}

TEST_CASE("a feed that reads promises no more than it has of a commit_ts") {
  auto all = with_window(1);
  into_sync(all);
  all.append(row_at(40), 40);
  auto block = block_of({{7, 60, 0}, {7, 60, 1}});
  all.append(block, 60);
  all.grant(2 * row_size());
  all.scanned(block);
  CHECK(all.rows() == rows_at{60}); // the credit ends
  all.append(row_at(70), 70);
  CHECK(all.take_one<watermark>().promise.late == late_at(59));
}

TEST_CASE("a feed that wants little of what it missed scans tables") {
  auto all = with_window(1);
  into_sync(all);
  all.append(row_at(40), 40);
  all.append(block_of({{7, 60}, {9, 61}, {9, 62}, {9, 63}, {9, 64}}), 64);
  CHECK(all.rows().empty());
  auto mark = all.take_one<watermark>();
  CHECK(mark.behind
        == std::vector{cohort_change{all.slots[all.first], {1}, {3}}});
  CHECK(mark.promise.late.empty());
  all.keep(all.uut.on_tick(std::chrono::milliseconds{400}));
  CHECK(all.take_one<watermark>().behind.empty()); // not said again
  all.grant(2 * row_size());
  auto request = all.take_one<scan_request>();
  CHECK(request.entries.at(0).registration == all.first);
}

TEST_CASE("a block that was read may reach into the window") {
  auto all = with_window(row_at(60)->footprint());
  into_sync(all);
  all.append(row_at(40), 40);
  all.append(row_at(60), 60);
  all.append(row_at(70), 70);
  all.grant(4 * row_size());
  auto request = all.take_one<scan_request>();
  all.scanned(request, block_of({{7, 60}, {7, 70}}));
  CHECK(all.rows() == rows_at{60, 70});
  all.append(row_at(80), 80);
  CHECK(all.rows() == rows_at{80});
}

TEST_CASE_FIXTURE(shard_fixture, "a slow feed reads what the store left out") {
  into_sync(*this);
  ++last; // a block that the shard never sees
  append(row_at(60), 70);
  auto request = take_one<scan_request>();
  CHECK(request.to == block_index{2});
  CHECK_FALSE(request.entries.at(0).registration);
  CHECK(request.entries.at(0).after == row_cursor::end_of({20}));
  CHECK(take_one<watermark>().promise.late == late_at(20));
  scanned(request, block_of({{7, 40}, {7, 60}}));
  CHECK(rows() == rows_at{40, 60});
  CHECK(take_one<watermark>().promise == channel_promise{{70}, {}});
}

TEST_CASE_FIXTURE(shard_fixture, "a restarted store is read anew") {
  into_sync(*this);
  append(row_at(40), 50);
  append(row_at(60), 50);
  store = {2};
  last = 1; // the second block is lost
  resolve(50);
  auto request = take_one<scan_request>();
  CHECK(request.store == incarnation{2});
  CHECK(request.entries.at(0).after == row_at(60)->last_cursor());
  CHECK(uut.find(first)->joined);
  scanned(request, nullptr);
  append(row_at(60), 70); // once more, as it was lost
  CHECK(rows().empty());
  append(row_at(80), 80);
  CHECK(rows() == rows_at{80});
}

TEST_CASE("a feed reads on when a scan leaves the credit kept for it") {
  auto options = dispatcher_shard_options{};
  options.window_bytes = 1;
  auto all = shard_fixture{options, 8 * row_size()};
  into_sync(all);
  for (std::uint64_t ts = 40; ts < 48; ++ts)
    all.append(row_at(ts), ts);
  all.append(row_at(60), 60);
  all.grant(8 * row_size() + 1);
  auto request = all.take_one<scan_request>();
  auto cold = scan_result{request.entries[0], {}, {}, errc::none, {}, {}};
  cold.on_disk = true;
  all.keep(all.uut.on_scan_answer({request.scan, request.store, {cold}}));
  request = all.take_one<scan_request>();
  CHECK(request.entries.at(0).bytes_max == 1);
  all.add(second, 20, 8);
  all.reset(1, 20, second);
  all.look_up();
  all.grant(16 * row_size()); // nothing is in flight any more
  auto scan = all.take_one<scan_request>();
  CHECK(scan.entries.at(0).registration == second);
  CHECK(scan.entries.at(0).bytes_max > 7 * row_size());
  all.scanned(request, row_at(60));
  CHECK(all.rows().empty());
  all.scanned(scan, nullptr); // from now on nobody grants anything
  all.scanned(row_at(60));
  CHECK(all.rows() == rows_at{60});
}

namespace {

// A cohort that reads; what it asked for is not answered.
struct reading_fixture : shard_fixture {
  scan_request request;

  reading_fixture() : shard_fixture{with_window(1)} {
    into_sync(*this);
    append(row_at(40), 40);
    append(row_at(60), 60);
    grant(2 * row_size());
    request = take_one<scan_request>();
  }
};

} // namespace

TEST_CASE("a feed of which nobody is joined any more stops reading") {
  auto all = reading_fixture{};
  auto request = all.request;
  all.reset(2, 20); // as all are when a sink has failed
  all.look_up();
  all.grant(1 << 20);
  // There is more of the log.
  auto result = scan_result{request.entries[0], {}, {1}, errc::none, {}, {}};
  all.keep(all.uut.on_scan_answer({request.scan, request.store, {result}}));
  auto next = all.take_one<scan_request>();
  REQUIRE(next.entries.size() == 1);
  CHECK(next.entries[0].registration == all.first);
}

TEST_CASE("what can't be read each stream finds out by itself") {
  auto all = reading_fixture{};
  auto request = all.request;
  auto result = scan_result{request.entries[0], {}, request.to,
                            errc::log_corrupt,  {}, {}};
  all.keep(all.uut.on_scan_answer({request.scan, request.store, {result}}));
  CHECK(all.take_one<watermark>().behind.size() == 1);
  CHECK(all.take_one<scan_request>().entries.at(0).registration == all.first);
}
