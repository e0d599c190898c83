#include "shard_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// A feed's cohort: who is in it, who gets what of a block, and in which order.

namespace {

constexpr auto second = registration_id{1, 2};

struct versioned {
  std::uint64_t table = 0;
  std::uint64_t ts = 0;
  std::uint64_t version = 0;
};

block_ptr block_with(const std::vector<versioned>& rows) {
  auto result = row_block_builder{};
  for (const auto& x : rows) {
    auto id = value_view::of_integer(static_cast<std::int64_t>(x.ts));
    auto header = row_header{};
    header.table = {x.table};
    header.cursor = {{x.ts}, {x.ts}, 0};
    header.schema = {x.version};
    result.add(header, {true}, {}, {&id, 1});
  }
  return result.finish();
}
block_ptr row_at(std::uint64_t ts, std::uint64_t table = 7) {
  return block_of({{table, ts}});
}
std::uint64_t row_size() {
  return row_at(40)->grouped(0).size_bytes();
}
// Table 8 waits for a scan.
void scan_second(shard_fixture& all, std::uint64_t start = 20) {
  all.add(second, start, 8);
  all.reset(1, start, second);
  all.look_up();
}
// Tables 7 and 8 are in it; the store alone says what is resolved.
void both_in_sync(shard_fixture& all) {
  all.join();
  all.join(second, 20, 8);
  all.resolve(20);
  all.keep(all.uut.on_schema_resolved({{1'000}}));
}
// What was sent, in its order: rows and DDL by their ts, a leaving as 0.
rows_at order_of(const shard_fixture& all) {
  auto result = rows_at{};
  for (const auto& x : all.sent) {
    if (const auto* rows = std::get_if<delivery>(&x))
      each_row(*rows,
               [&](row_view row) { result.push_back(row.commit_ts().value); });
    else if (const auto* change = std::get_if<schema_change>(&x))
      result.push_back(change->event.ts.value);
    else if (const auto* mark = std::get_if<watermark>(&x))
      result.insert(result.end(), mark->behind.size(), 0);
  }
  return result;
}

} // namespace

// -- what it gets -------------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture,
                  "rows of the cohort take no sequence, its changes do") {
  join();
  resolve(20);
  append(row_at(40), 20);
  auto rows = take_one<delivery>();
  CHECK(rows.items.empty());
  CHECK(rows.cohort.size() == 1);
  CHECK(uut.find(first)->last_seq() == sequence{2}); // handshake, joining
  append(block_with({{7, 60, 2}}), 20);              // it leaves
  CHECK(take_one<watermark>().behind
        == std::vector{cohort_change{slots[first], {1}, {3}}});
  CHECK(uut.find(first)->last_seq() == sequence{3});
}

TEST_CASE_FIXTURE(shard_fixture, "a cohort gets no rows of who is not in it") {
  join();
  resolve(20);
  append(block_of({{6, 39}, {7, 40}, {8, 41}}), 41);
  CHECK(rows() == rows_at{40});
}

TEST_CASE_FIXTURE(shard_fixture, "a DDL of a member cuts the block for its "
                                 "cohort") {
  both_in_sync(*this);
  keep(uut.on_ddl({ddl(7, 2, 50)}));
  append(block_with({{7, 40, 1}, {8, 45, 1}, {7, 60, 2}, {8, 61, 1}}), 61);
  CHECK(order_of(*this) == rows_at{40, 45, 50, 60, 61});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "rows of a schema that nobody has told of wait for it") {
  both_in_sync(*this);
  append(block_with({{7, 40, 1}, {8, 41, 2}}), 41);
  CHECK(rows() == rows_at{40});
  CHECK(uut.find(first)->joined);
  CHECK_FALSE(uut.find(second)->joined);
}

// -- who leaves ---------------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture,
                  "that a stream leaves is told before the next rows") {
  both_in_sync(*this);
  append(block_with({{7, 40, 1}, {8, 41, 2}}), 41);
  CHECK(order_of(*this) == rows_at{0, 40});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "who leaves a cohort scans behind what that was sent") {
  both_in_sync(*this);
  append(block_of({{7, 40}, {8, 41}}), 20);
  append(block_with({{8, 60, 2}}), 20);
  auto request = take_one<scan_request>();
  CHECK(request.entries.at(0).registration == second);
  CHECK(request.entries.at(0).after == row_cursor{{41}, {41}, 0});
}

TEST_CASE("who waits for a cohort that all have left scans") {
  auto all = shard_fixture{{}, row_size()};
  all.join();
  all.resolve(20);
  all.append(row_at(40), 40);
  all.append(row_at(60), 60); // no credit for it
  scan_second(all);
  all.grant(row_size() + 1); // for a scan only
  all.scanned(nullptr);
  REQUIRE_FALSE(all.uut.find(second)->joined); // ahead of its cohort
  all.reset(2, 20);
  all.look_up();
  auto request = all.take_one<scan_request>();
  CHECK(request.entries.at(0).registration == second);
  all.scanned(request, nullptr);
  CHECK(all.uut.find(second)->joined);
}

// -- who joins ----------------------------------------------------------------

TEST_CASE("who joins inside of a block gets what its cohort has of it") {
  auto all = shard_fixture{{}, 16 * row_size()};
  all.join();
  all.resolve(20);
  for (std::uint64_t ts = 21; ts < 34; ++ts)
    all.append(row_at(ts), 20);
  scan_second(all);
  auto request = all.take_one<scan_request>();
  all.append(
    block_of(
      {{8, 49}, {7, 50}, {7, 51}, {7, 52}, {8, 53}, {7, 54}, {7, 55}, {7, 56}}),
    56);
  REQUIRE(all.rows() == rows_at{50, 51, 52}); // what the credit covers
  all.grant(18 * row_size());
  REQUIRE(all.rows().empty()); // its rest waits for all of that
  all.scanned(request, nullptr);
  CHECK(all.uut.find(second)->joined);
  CHECK(all.rows() == rows_at{49});
  CHECK(all.take_one<watermark>().in_sync.size() == 1);
  all.grant(32 * row_size());
  auto rows = all.rows();
  std::sort(rows.begin(), rows.end());
  CHECK(rows == rows_at{53, 54, 55, 56});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "who starts above the log's end waits for its cohort") {
  join();
  resolve(20);
  scan_second(*this, 90);
  scanned(nullptr);
  CHECK_FALSE(uut.find(second)->joined);
  append(block_of({{7, 40}, {8, 41}}), 41);
  CHECK(rows() == rows_at{40});
  append(block_of({{7, 95}, {8, 96}}), 96);
  CHECK(uut.find(second)->joined);
  auto own = rows();
  std::sort(own.begin(), own.end());
  CHECK(own == rows_at{95, 96});
}

// -- the digest ---------------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture,
                  "a digest says up to where the cohort was sent rows") {
  join();
  resolve(20);
  append(row_at(40), 40);
  append(row_at(60, 9), 60); // nothing of it is sent
  keep(uut.on_digest_request({channel}));
  CHECK(take_one<digest>().cohorts
        == std::vector{cohort_place{feed, {{40}, {40}, 0}}});
}

// Raised to a row that only the former store had, the place of the cohort would
// pass over rows that come again.
TEST_CASE_FIXTURE(shard_fixture,
                  "who has rows that a restarted store lacks waits for them") {
  resolve(20);
  keep(uut.on_schema_resolved({{1'000}}));
  append(row_at(60, 8), 50);
  scan_second(*this);
  auto request = take_one<scan_request>();
  auto cut = scan_result{request.entries.at(0), {}, {}, errc::none, {}, {}};
  cut.rows.push_back({row_at(60, 8), 0, 1});
  keep(uut.on_scan_answer({request.scan, request.store, {cut}}));
  REQUIRE(rows() == rows_at{60});
  store = {2};
  last = 0; // the block is lost
  resolve(50);
  scanned(nullptr);
  CHECK_FALSE(uut.find(second)->joined);
  append(block_of({{8, 60}, {8, 80}}), 80); // once more, and another row
  CHECK(rows() == rows_at{80});
  CHECK(uut.find(second)->joined);
}

TEST_CASE_FIXTURE(shard_fixture,
                  "who joins after a log lost its tail gets what comes again") {
  join();
  resolve(20);
  keep(uut.on_schema_resolved({{1'000}}));
  append(row_at(55), 50);
  REQUIRE(rows() == rows_at{55});
  store = {2};
  last = 0; // the block is lost
  resolve(50);
  scanned(nullptr); // what the cohort reads
  scan_second(*this);
  scanned(nullptr);
  CHECK_FALSE(uut.find(second)->joined);
  append(block_of({{8, 52}, {7, 55}, {8, 60}}), 80);
  CHECK(rows() == rows_at{52, 60});
  CHECK(uut.find(second)->joined);
  append(block_of({{8, 90}, {7, 91}}), 91);
  CHECK(rows() == rows_at{91, 90});
}

TEST_CASE("rows of one stream from a former log move no cohort past the rest") {
  auto options = dispatcher_shard_options{};
  options.window_bytes = 1;
  auto all = shard_fixture{options, row_size()};
  all.join();
  all.resolve(20);
  all.keep(all.uut.on_schema_resolved({{1'000}}));
  all.append(row_at(40), 40);
  all.append(row_at(60), 50); // no credit: the cohort has to read it
  all.grant(1 << 20);
  auto request = all.take_one<scan_request>();
  auto cold = scan_result{request.entries.at(0), {}, {}, errc::none, {}, {}};
  cold.on_disk = true; // that takes a while
  all.keep(all.uut.on_scan_answer({request.scan, request.store, {cold}}));
  scan_second(all);
  request = all.take_one<scan_request>();
  auto part = scan_result{request.entries.at(0), {}, {}, errc::none, {}, {}};
  part.rows.push_back({row_at(70, 8), 0, 1});
  all.keep(all.uut.on_scan_answer({request.scan, request.store, {part}}));
  REQUIRE(all.rows() == rows_at{70});
  all.store = {2};
  all.last = 1; // rows 60 and 70 are lost
  all.resolve(50);
  all.scanned(nullptr); // what the cohort reads,
  all.scanned(nullptr); // and the other stream
  CHECK_FALSE(all.uut.find(second)->joined);
  all.append(block_of({{7, 60}, {8, 70}}), 80); // once more
  CHECK(all.rows() == rows_at{60});
  CHECK(all.uut.find(second)->joined);
}

TEST_CASE_FIXTURE(shard_fixture, "a cohort of nobody has no place") {
  join();
  resolve(20);
  keep(uut.on_schema_resolved({{1'000}}));
  append(row_at(55), 50);
  reset(2, 20); // its only stream
  look_up();
  store = {2};
  last = 0; // the row is lost
  resolve(50);
  scanned(nullptr);
  CHECK(uut.find(first)->joined);
  append(row_at(55), 80);
  CHECK(rows() == rows_at{55});
}
