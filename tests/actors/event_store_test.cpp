#include "actors/event_store.hpp"

#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

#include "actors/disk.hpp"
#include "store/memory_log.hpp"
#include "tests/support/deterministic.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

struct fixture : deterministic {
  std::shared_ptr<log_engine> engine = make_memory_log();
  disk_actor helper = spawn(disk, disk_options{}, engine->disk());
  event_store_actor uut = spawn(event_store, event_store_options{}, engine,
                                helper, rewriter_actor{});
  fake<source_actor> source =
    make_fake<source_actor, source_attached, rows_appended, append_failed,
              source_confirmed>();
  fake<dispatcher_shard_actor> shard =
    make_fake<dispatcher_shard_actor, progress, scan_answer>();
  std::uint64_t number = 0;

  template <class From, class Message>
  void tell(const From& from, Message message) {
    from.send(uut, std::move(message));
    deliver_all();
  }
  void attach(std::uint64_t writer = 1) {
    number = 0;
    tell(source, attach_source{{writer}});
  }
  void append(const block_ptr& block, std::uint64_t resolved) {
    tell(source, append_rows{{1}, ++number, block, {resolved}});
  }
  std::vector<progress> take_progress() {
    auto result = shard.take<progress>();
    for (const auto& x : result)
      tell(shard, progress_taken{x.store, x.last});
    return result;
  }
  scan_result scan(row_cursor after) {
    auto entry = scan_entry{};
    entry.table = {7};
    entry.after = after;
    entry.bytes_max = 1000;
    tell(shard, scan_request{{5}, {1}, {100}, {entry}});
    auto answers = shard.take<scan_answer>();
    REQUIRE(answers.size() == 1);
    REQUIRE(answers[0].results.size() == 1);
    return answers[0].results[0];
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "Scenario: rows go from the source to a shard") {
  send(uut, feeds_loaded{});
  attach();
  CHECK(source.take<source_attached>().size() == 1);
  tell(shard, attach_shard{});
  CHECK(take_progress().size() == 1);
  auto block = block_of({{7, 20}, end_mark});
  append(block, 20);
  CHECK(source.take<rows_appended>().size() == 1);
  auto notices = take_progress();
  REQUIRE(notices.size() == 1);
  // The very block, not a copy.
  CHECK(notices[0].blocks.at(0).block == block);
  CHECK(notices[0].resolved == timestamp{20});
  advance(50ms);
  CHECK(source.take<source_confirmed>().at(0).ts == timestamp{20});
}

TEST_CASE_FIXTURE(fixture, "Scenario: a source that resumes sends rows again") {
  attach();
  append(block_of({{7, 20}, end_mark, {7, 40}, end_mark}), 20);
  attach();
  append(block_of({{7, 40}, end_mark, {7, 60}, end_mark}), 60);
  auto status = ask<store_status>(uut, store_status_query{});
  CHECK(status.rows == 3);
  CHECK(status.rows_repeated == 1);
  CHECK(status.rows_below_resolved == 0);
  CHECK(status.announced == block_index{2});
}

TEST_CASE_FIXTURE(fixture, "Scenario: a stale source is refused") {
  auto other = make_fake<source_actor, source_attached>();
  attach(1);
  tell(other, attach_source{{2}});
  append(block_of({{7, 20}, end_mark}), 20);
  auto refused = source.take<append_failed>();
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].reason.code == errc::stale_source);
}

TEST_CASE_FIXTURE(fixture, "Scenario: a shard that is behind scans") {
  tell(shard, attach_shard{});
  take_progress();
  attach();
  append(block_of({{7, 20}, end_mark}), 20);
  append(block_of({{7, 40}, end_mark}), 40);
  auto result = scan(row_cursor::end_of({20}));
  REQUIRE(result.rows.size() == 1);
  CHECK(times(result.rows[0].block) == std::vector<std::uint64_t>{40});
  CHECK(result.complete_to == block_index{2});
  CHECK(ask<store_status>(uut, store_status_query{}).scans == 1);
}

TEST_CASE_FIXTURE(fixture, "Scenario: rows go when no feed needs them") {
  tell(shard, attach_shard{});
  attach();
  append(block_of({{7, 20}, end_mark}), 20);
  append(block_of({{7, 40}, end_mark}), 40);
  auto loaded = feeds_loaded{};
  loaded.feeds = {{{1}, "all", {}}};
  loaded.tables = {{{7}, "t7", {1}, {}}};
  send(uut, loaded);
  tell(shard, floor_report{{1}, {20}, {}});
  advance(1s);
  auto status = ask<store_status>(uut, store_status_query{});
  CHECK(status.segments_removed == 1);
  CHECK(scan(row_cursor::end_of({20})).rows.size() == 1);
  auto below = scan(row_cursor::end_of({10}));
  CHECK(below.failure == errc::out_of_range);
  CHECK(below.lower == timestamp{20});
  CHECK(below.upper == timestamp{40});
}

TEST_CASE_FIXTURE(fixture,
                  "Scenario: what was let go is known after a restart") {
  auto directory = test::temporary_directory{};
  auto notes = checkpoint_store::open(directory.path());
  REQUIRE(notes);
  auto table = notes->tables_of("app", {"orders"});
  auto feed = notes->create_feed("all", {});
  REQUIRE(table);
  REQUIRE(feed);
  auto durable = spawn(disk, disk_options{{1}, directory.path()},
                       engine->disk());
  send(durable, note_lost{{{table->front(), {20}}}});
  send(durable, store_floor{{feed->id, {40}, {}}});
  auto lost = lost_rows(*notes, {1});
  REQUIRE(lost);
  CHECK(*lost == std::vector<table_floor>{{table->front(), {20}}});
  CHECK(lost_rows(*notes, {2})->empty()); // of another partition
  CHECK(notes->floors()->at(0).floor == timestamp{40});
}

TEST_CASE_FIXTURE(fixture, "Scenario: a shard that ended is forgotten") {
  auto gone = make_fake<dispatcher_shard_actor, progress>();
  tell(gone, attach_shard{});
  caf::anon_send_exit(gone.handle, caf::exit_reason::kill);
  deliver_all();
  tell(shard, attach_shard{});
  take_progress();
  attach();
  append(block_of({{7, 20}, end_mark}), 20);
  CHECK(take_progress().size() == 1);
  CHECK(gone.take<progress>().size() == 1); // the one of its attach
}
