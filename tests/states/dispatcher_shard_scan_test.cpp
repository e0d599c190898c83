#include "shard_fixture.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

// Rows of a dispatcher shard: fast path, scans, credit, DDL among them.

namespace {

constexpr auto second = registration_id{1, 2};

dispatcher_shard_options small_window() {
  auto result = dispatcher_shard_options{};
  result.window_bytes = 1;
  return result;
}

} // namespace

// -- fast path ----------------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture,
                  "a joined dispatcher takes rows from the block") {
  join();
  append(block_of({{7, 40}, {8, 50}, {7, 60}}), 60);
  CHECK(rows() == rows_at{40, 60});
  CHECK(take<scan_request>().empty());
}

TEST_CASE_FIXTURE(shard_fixture,
                  "who is joined and idle gets the promise only") {
  join();
  append(block_of({{8, 40}}), 50);
  keep(uut.on_schema_resolved({{50}}));
  CHECK(take<delivery>().empty());
  CHECK(take_one<watermark>().promise.resolved == timestamp{50});
  keep(uut.on_schema_resolved({{60}})); // the store is at 50 still
  CHECK(take<watermark>().empty());
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a watermark is repeated until it is acknowledged") {
  join();
  resolve(50);
  auto seen = take<watermark>().back().mark.seq.value;
  keep(uut.on_tick(400ms));
  auto again = take_one<watermark>();
  CHECK(again.promise.resolved == timestamp{50});
  CHECK(again.mark.seq.value == seen + 1);
  beat_all(seen + 1, 20);
  keep(uut.on_tick(800ms)); // acknowledges the heartbeat
  beat_all(take_one<watermark>().mark.seq.value, 20);
  keep(uut.on_tick(1'200ms));
  CHECK(take<watermark>().empty());
}

TEST_CASE_FIXTURE(shard_fixture,
                  "rows go before the watermark that speaks for them") {
  join();
  keep(uut.on_schema_resolved({{40}}));
  append(block_of({{7, 40}}), 40);
  auto kinds = std::vector<std::size_t>{};
  for (const auto& x : sent)
    if (std::holds_alternative<delivery>(x)
        || std::holds_alternative<watermark>(x))
      kinds.push_back(x.index());
  auto is = [](auto x) { return dispatcher_shard_state::effect{x}.index(); };
  CHECK(kinds == std::vector{is(delivery{}), is(watermark{})});
}

// -- scans --------------------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture, "a scan ends where the window begins") {
  add(first, 20);
  reset(1, 20);
  look_up();
  append(block_of({{7, 40}}), 40);
  auto request = take_one<scan_request>(); // up to block 1
  append(block_of({{7, 60}}), 60);
  append(block_of({{7, 80}}), 80);
  CHECK(take<delivery>().empty());
  scanned(request, block_of({{7, 40}}));
  CHECK(rows() == rows_at{40, 60, 80});
  CHECK(uut.find(first)->joined);
}

TEST_CASE("a scan that ends before the window goes on") {
  auto all = shard_fixture{small_window()};
  all.add(all.first, 20);
  all.reset(1, 20);
  all.look_up();
  all.append(block_of({{7, 40}}), 40);
  auto request = all.take_one<scan_request>();
  all.append(block_of({{7, 60}}), 60);
  all.append(block_of({{7, 80}}), 80);
  all.scanned(request, block_of({{7, 40}}));
  CHECK(all.rows() == rows_at{40});
  CHECK_FALSE(all.uut.find(all.first)->joined);
  auto next = all.take_one<scan_request>();
  CHECK(next.to == block_index{3});
  CHECK(next.entries[0].after == row_cursor{{40}, {40}, 0});
}

TEST_CASE_FIXTURE(shard_fixture, "a scan that was cut goes on at its cursor") {
  add(first, 20);
  reset(1, 20);
  look_up();
  append(block_of({{7, 40}, {7, 60}}), 60);
  auto request = take_one<scan_request>();
  auto result = scan_result{request.entries[0], {}, {0}, errc::none, {}, {}};
  result.rows.push_back({block_of({{7, 40}}), 0, 1});
  keep(uut.on_scan_answer({request.scan, request.store, {result}}));
  CHECK(rows() == rows_at{40});
  CHECK_FALSE(uut.find(first)->joined);
  CHECK(take_one<scan_request>().entries[0].after == row_cursor{{40}, {40}, 0});
}

TEST_CASE_FIXTURE(shard_fixture, "a scan of an old epoch gives nothing") {
  add(first, 20);
  reset(1, 20);
  look_up();
  append(block_of({{7, 40}}), 40);
  auto request = take_one<scan_request>();
  reset(2, 20);
  look_up();
  scanned(request, block_of({{7, 40}}));
  CHECK(take<delivery>().empty());
  CHECK_FALSE(uut.find(first)->joined);
  CHECK(uut.find(first)->last_seq() == sequence{1});
  auto again = take_one<scan_request>(); // the new epoch's own
  CHECK(again.entries[0].stream_epoch == epoch{2});
  scanned(again, block_of({{7, 40}}));
  CHECK(rows() == rows_at{40});
}

TEST_CASE_FIXTURE(shard_fixture, "a scan that comes twice gives nothing") {
  add(first, 20);
  reset(1, 20);
  look_up();
  append(block_of({{7, 40}}), 40);
  auto request = take_one<scan_request>();
  scanned(request, block_of({{7, 40}}));
  scanned(request, block_of({{7, 40}}));
  CHECK(sent.empty());
}

TEST_CASE_FIXTURE(shard_fixture, "a scan of a former store gives nothing") {
  add(first, 20);
  reset(1, 20);
  look_up();
  append(block_of({{7, 40}}), 40);
  auto request = take_one<scan_request>();
  keep(uut.on_progress({{2}, {}, {1}, {40}}));
  scanned(request, block_of({{7, 40}}));
  CHECK(sent.empty());
}

TEST_CASE_FIXTURE(shard_fixture, "one scan is outstanding at a time") {
  add(first, 20);
  reset(1, 20);
  look_up();
  append(block_of({{7, 40}}), 40);
  auto request = take_one<scan_request>();
  add(second, 20, 8);
  reset(1, 20, second);
  look_up();
  CHECK(take<scan_request>().empty());
  scanned(request, nullptr);
  CHECK(take_one<scan_request>().entries[0].registration == second);
}

TEST_CASE_FIXTURE(shard_fixture, "a scan out of range ends the registration") {
  add(first, 20);
  reset(1, 20);
  look_up();
  append(block_of({{7, 90}}), 90);
  auto request = take_one<scan_request>();
  auto result = scan_result{request.entries[0], {},   {},
                            errc::out_of_range, {70}, {90}};
  keep(uut.on_scan_answer({request.scan, request.store, {result}}));
  CHECK(take_one<refused>()
        == refused{channel, first, errc::lost_by_retention, {20}, {70}});
  CHECK(uut.find(first) == nullptr);
  CHECK_FALSE(add(first, 20)); // answered again, with the same
  CHECK(take_one<refused>().reason == errc::lost_by_retention);
}

TEST_CASE_FIXTURE(shard_fixture,
                  "who needs a damaged block is told, and others go on") {
  join();
  join(second, 20, 8);
  reset(2, 20);
  look_up();
  auto request = take_one<scan_request>();
  reset(2, 20, second);
  look_up();
  auto result = scan_result{
    request.entries.at(0), {}, request.to, errc::log_corrupt, {}, {}, "here"};
  keep(uut.on_scan_answer({request.scan, request.store, {result}}));
  auto told = refused{channel, first, errc::log_corrupt, {20}, {}, "here"};
  CHECK(take<refused>() == std::vector{told});
  CHECK(uut.find(first) == nullptr);
  scanned(nullptr);
  CHECK(uut.find(second)->joined);
  CHECK_FALSE(add(first, 20)); // answered again, with the same
  CHECK(take_one<refused>().detail == "here");
  keep(uut.on_tick(1'000ms));
  CHECK(take<scan_request>().empty());
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a damaged block without a row of the feed is passed over") {
  add(first, 20, all_tables.value);
  reset(1, 20);
  auto query = take_one<schema_query>();
  auto later = std::vector<ddl_event>{};
  auto tables = std::vector<table_id>{{8}};
  auto passes = true;
  SUBCASE("as far as is known") {
    // nop
  }
  SUBCASE("but not if there is one") {
    tables = {{7}, {8}};
    passes = false;
  }
  SUBCASE("but not if nobody knows") {
    tables.clear();
    passes = false;
  }
  SUBCASE("but not if a table of the feed began inside of it") {
    later = {ddl(8, 1, 35)};
    passes = false;
  }
  SUBCASE("also if a table of the feed began behind it") {
    later = {ddl(8, 1, 45)};
  }
  append(block_of({{8, 40}}), 50);
  keep(uut.on_schema_answer({query, {ddl(7, 1, 0).schema}, later, errc::none}));
  auto request = take_one<scan_request>();
  auto result = scan_result{
    request.entries.at(0), {}, {}, errc::log_corrupt, {}, {}, "here"};
  result.damaged_tables = tables;
  result.damaged_to = {{40}, {40}, 0};
  keep(uut.on_scan_answer({request.scan, request.store, {result}}));
  CHECK(take<refused>().empty() == passes);
  if (passes)
    CHECK(take_one<scan_request>().entries.at(0).after
          == row_cursor{{40}, {40}, 0});
}

TEST_CASE_FIXTURE(shard_fixture, "a scan that failed promises nothing") {
  add(first, 20);
  reset(1, 20);
  look_up();
  append(block_of({{7, 40}}), 40);
  auto request = take_one<scan_request>();
  auto result = scan_result{request.entries[0], {}, {}, errc::log_io, {}, {}};
  keep(uut.on_scan_answer({request.scan, request.store, {result}}));
  CHECK(take<delivery>().empty());
  CHECK_FALSE(uut.find(first)->joined);
  CHECK(uut.find(first)->complete_to() == timestamp{20});
  keep(uut.on_tick(1'000ms)); // and is tried again
  CHECK(take_one<scan_request>().entries[0].registration == first);
}

TEST_CASE("who can't join yet is told how far it is") {
  auto all = shard_fixture{small_window()};
  all.add(all.first, 20);
  all.reset(1, 20);
  all.look_up();
  all.keep(all.uut.on_schema_resolved({{50}}));
  all.append(block_of({{8, 40}}), 50);
  auto request = all.take_one<scan_request>();
  all.append(block_of({{8, 60}}), 60);
  all.append(block_of({{8, 80}}), 80);
  all.scanned(request, nullptr);
  CHECK_FALSE(all.uut.find(all.first)->joined);
  auto items = all.take_one<delivery>().items;
  REQUIRE(items.size() == 1);
  CHECK(items[0]
        == delivery_item{all.slots[all.first], {1}, {2}, nullptr, 0, 0, {50}});
}

// -- credit -------------------------------------------------------------------

TEST_CASE("a promise does not end a transaction that joining tore") {
  auto block = block_of({{7, 40, 0}, {7, 40, 1}, {7, 40, 2}, {7, 40, 3}});
  auto row = block->grouped(0).size_bytes();
  auto all = shard_fixture{{}, 3 * row};
  all.resolve(25);
  all.add(all.first, 20, all_tables.value);
  all.reset(1, 20);
  for (const auto& x : all.take<schema_query>())
    all.keep(
      all.uut.on_schema_answer({x, {ddl(7, 1, 0).schema}, {}, errc::none}));
  auto request = all.take_one<scan_request>();
  // These come while the scan is under way, and the credit ends in them.
  all.append(block_of({{7, 30}, end_mark}), 30);
  all.append(block, 40);
  all.scanned(request, nullptr);
  auto items = all.take_one<delivery>().items;
  REQUIRE(items.size() == 2);
  CHECK(items[0].end == item_end::transaction);
  CHECK(items[1].count == 2);
  CHECK(items[1].end == item_end::cut);
}

// -- DDL among rows -----------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture, "rows, DDL, promise stand in this order") {
  join();
  keep(uut.on_ddl({ddl(7, 2, 50)}));
  append(block_of({{7, 40}, {7, 50}}), 50);
  keep(uut.on_schema_resolved({{50}}), true);
  auto kinds = std::vector<std::size_t>{};
  for (const auto& x : sent)
    if (std::holds_alternative<delivery>(x)
        || std::holds_alternative<schema_change>(x)
        || std::holds_alternative<watermark>(x))
      kinds.push_back(x.index());
  auto is = [](auto x) { return dispatcher_shard_state::effect{x}.index(); };
  CHECK(kinds
        == std::vector{is(delivery{}), is(schema_change{}), is(watermark{})});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "rows of an unknown version wait for its DDL") {
  join();
  auto builder = row_block_builder{};
  auto id = value_view::of_integer(60);
  auto header = row_header{};
  header.table = {7};
  header.cursor = {{60}, {60}, 0};
  header.schema = {2};
  builder.add(header, {true}, {}, {&id, 1});
  builder.end();
  auto block = builder.finish();
  append(block, 60);
  CHECK(take<delivery>().empty());
  auto request = take_one<scan_request>();
  scanned(request, block);
  CHECK(take<delivery>().empty()); // never without its schema
  keep(uut.on_ddl({ddl(7, 2, 50)}));
  keep(uut.on_tick(1'000ms));
  scanned(block);
  CHECK(take_one<schema_change>().event.schema.version == schema_version{2});
  CHECK(rows() == rows_at{60});
}

TEST_CASE_FIXTURE(shard_fixture, "a digest lists all streams of the channel") {
  join();
  add(second, 30, 8);
  keep(uut.on_digest_request({channel}));
  auto answer = take_one<digest>();
  CHECK(answer.last);
  REQUIRE(answer.entries.size() == 2);
  CHECK(answer.entries[0]
        == digest_entry{first, slots[first], {1}, {2}, false, {20}});
  CHECK(answer.entries[1]
        == digest_entry{second, slots[second], {0}, {0}, true, {0}});
  keep(uut.on_remove({channel, {1}, {first}}));
  keep(uut.on_digest_request({channel}));
  CHECK(take_one<digest>().entries.size() == 1);
}

// -- two lanes ----------------------------------------------------------------

namespace {

constexpr auto third = registration_id{1, 3};

// Its rows up to the first that must be read from disk.
scan_answer cut_at_disk(const scan_request& request, const block_ptr& block) {
  auto answer = scan_answer{request.scan, request.store, {}};
  for (const auto& entry : request.entries) {
    auto result = scan_result{entry, {}, {}, errc::none, {}, {}};
    if (block)
      result.rows.push_back(
        {block, 0, static_cast<std::uint32_t>(block->rows())});
    result.on_disk = true;
    answer.results.push_back(std::move(result));
  }
  return answer;
}

// Wants to scan, from the beginning.
void wants_scan(shard_fixture& x, registration_id id) {
  x.add(id, 20);
  x.reset(1, 20, id);
  x.look_up();
}

} // namespace

TEST_CASE_FIXTURE(shard_fixture, "who must read from disk takes another lane") {
  ++last;
  keep(uut.on_progress({store, {}, {last}, {90}}));
  wants_scan(*this, first);
  auto request = take_one<scan_request>();
  CHECK(request.lane == scan_lane::memory);
  keep(uut.on_scan_answer(cut_at_disk(request, block_of({{7, 40}}))));
  CHECK(rows() == rows_at{40});
  auto cold = take_one<scan_request>();
  CHECK(cold.lane == scan_lane::disk);
  CHECK(cold.entries[0].after == row_cursor{{40}, {40}, 0});
  CHECK_FALSE(uut.find(first)->joined);
  SUBCASE("and delays nobody in the other") {
    wants_scan(*this, second);
    auto warm = take_one<scan_request>();
    CHECK(warm.lane == scan_lane::memory);
    CHECK(warm.entries[0].registration == second);
    scanned(warm, block_of({{7, 60}}));
    CHECK(uut.find(second)->joined);
    // The next who must read waits for the first.
    wants_scan(*this, third);
    keep(uut.on_scan_answer(cut_at_disk(take_one<scan_request>(), nullptr)));
    CHECK(take<scan_request>().empty());
    scanned(cold, block_of({{7, 60}}));
    auto next = take_one<scan_request>();
    CHECK(next.lane == scan_lane::disk);
    CHECK(next.entries[0].registration == third);
  }
  SUBCASE("and joins from there") {
    scanned(cold, block_of({{7, 60}}));
    CHECK(rows() == rows_at{60});
    CHECK(uut.find(first)->joined);
  }
  SUBCASE("and stays there when the answer is cut") {
    auto answer = scan_answer{cold.scan, cold.store, {}};
    answer.results.push_back({cold.entries[0], {}, {}, errc::none, {}, {}});
    keep(uut.on_scan_answer(answer));
    CHECK(take_one<scan_request>().lane == scan_lane::disk);
  }
  SUBCASE("and a reset begins in memory again") {
    reset(2, 20);
    look_up();
    auto again = take_one<scan_request>();
    CHECK(again.lane == scan_lane::memory);
    scanned(cold, block_of({{7, 60}})); // of the former epoch
    CHECK(rows().empty());
  }
  SUBCASE("and a restarted store is asked from the beginning") {
    keep(uut.on_progress({{2}, {}, {1}, {90}}));
    CHECK(take_one<scan_request>().lane == scan_lane::memory);
    scanned(cold, block_of({{7, 60}}));
    CHECK(rows().empty());
  }
}

TEST_CASE("what one lane asked for is no credit for the other, but for half") {
  auto all = shard_fixture{{}, 100};
  all.last = 1;
  all.keep(all.uut.on_progress({all.store, {}, {1}, {90}}));
  wants_scan(all, all.first);
  auto request = all.take_one<scan_request>();
  all.keep(all.uut.on_scan_answer(cut_at_disk(request, nullptr)));
  auto cold = all.take_one<scan_request>();
  CHECK(cold.entries[0].bytes_max == 50);
  wants_scan(all, second);
  auto warm = all.take_one<scan_request>();
  CHECK(warm.entries[0].registration == second);
  CHECK(warm.entries[0].bytes_max == 50);
  all.keep(all.uut.on_scan_answer(cut_at_disk(warm, nullptr)));
  CHECK(all.take<scan_request>().empty()); // the lane is taken
  all.scanned(cold, nullptr);
  CHECK(all.take_one<scan_request>().entries[0].bytes_max == 50);
}
