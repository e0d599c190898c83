#include "whole_path.hpp"

using namespace sluice;
using namespace sluice::test;

// What a target loses comes again; what it has is not written twice.

TEST_CASE_FIXTURE(whole_path, "rows travel from the source to the sink") {
  settle({{7, 20}, end_mark, {8, 40}, end_mark}, 50);
  CHECK(rows(7) == rows_at{20});
  CHECK(rows(8) == rows_at{40});
  CHECK(target->durable.low_watermark == timestamp{50});
  CHECK(of_feed().checkpoint == timestamp{50});
  CHECK(of_feed().rows_below_checkpoint == 0);
}

TEST_CASE_FIXTURE(whole_path, "rows accepted and not durable come again") {
  settle({{7, 20}, end_mark}, 30);
  target->refuses_commits = true;
  settle({{7, 40}, end_mark, {8, 60}, end_mark}, 70);
  CHECK(rows(7) == rows_at{20}); // accepted by the collector, no more
  CHECK(of_feed().checkpoint == timestamp{30});
  target->refuses_commits = false;
  pass(6'000);
  CHECK(rows(7) == rows_at{20, 40});
  CHECK(rows(8) == rows_at{60});
  CHECK(target->opened > 1);
  CHECK(of_feed().checkpoint == timestamp{70});
  for (const auto& x : resets())
    CHECK(x.checkpoint_after >= x.checkpoint_before);
}

TEST_CASE("a sink restored from an older copy is served") {
  auto path = whole_path{{.keeps_all = true}};
  path.settle({{7, 20}, end_mark}, 30);
  auto backup = path.target->durable;
  path.settle({{7, 40}, end_mark}, 50);
  path.settle({{7, 60}, end_mark}, 70);
  REQUIRE(path.of_feed().checkpoint == timestamp{70});
  path.come_back_with(backup);
  CHECK(path.rows(7) == rows_at{20, 40, 60});
  CHECK_FALSE(path.of_feed().failure);
  auto last = path.resets().back();
  CHECK(last.lower_bound <= timestamp{30}); // believed
  CHECK(path.log().out_of_range == 0);
}

TEST_CASE_FIXTURE(whole_path,
                  "a sink below what the log keeps stops its feed") {
  settle({{7, 20}, end_mark}, 30);
  auto backup = target->durable;
  settle({{7, 40}, end_mark}, 50);
  settle({{7, 60}, end_mark}, 70);
  pass(3'000); // floors, and the log lets go
  REQUIRE(log().segments_removed > 0);
  come_back_with(backup);
  auto failure = of_feed().failure;
  CHECK(failure.code == errc::lost_by_retention);
  CHECK(rows(7) == rows_at{20}); // nothing with a hole in it
}

TEST_CASE_FIXTURE(whole_path, "two tables of a sink at different positions") {
  settle({{7, 20}, end_mark, {8, 20, 1}, end_mark}, 30);
  target->refuses_commits = true;
  settle({{7, 40}, end_mark, {8, 40, 1}, end_mark, {8, 60}, end_mark}, 70);
  // It had committed table 7 and not table 8 when it went away.
  auto content = target->durable;
  content.rows[7].push_back(40);
  content.positions[{7}] = {{7}, {{40}, {40}, 0}, {39}};
  target->refuses_commits = false;
  come_back_with(content);
  CHECK(rows(7) == rows_at{20, 40});
  CHECK(rows(8) == rows_at{20, 40, 60});
  CHECK(of_feed().rows_below_checkpoint == 0);
}

TEST_CASE("two tables go on at their own positions after a restart") {
  auto how = whole_path::settings{};
  how.upstream = std::make_shared<scripted_source>();
  how.target = std::make_shared<memory_sink>();
  {
    auto path = whole_path{how};
    path.settle({{7, 20}, end_mark, {8, 20, 1}, end_mark}, 30);
    how.target->refuses_commits = true;
    path.settle({{7, 40}, end_mark, {8, 40, 1}, end_mark, {8, 60}, end_mark},
                70);
  } // killed; of its last transaction the target has table 7
  how.target->refuses_commits = false;
  how.target->durable.rows[7].push_back(40);
  how.target->durable.positions[{7}] = {{7}, {{40}, {40}, 0}, {39}};
  auto path = whole_path{how};
  path.settle({{7, 80}, end_mark}, 90);
  CHECK(path.rows(7) == rows_at{20, 40, 80});
  CHECK(path.rows(8) == rows_at{20, 40, 60});
  CHECK(path.of_feed().rows_below_checkpoint == 0);
}

TEST_CASE("a transaction of four times the credit reaches the sink once") {
  auto small = block_of({{7, 40, 0}})->grouped(0).size_bytes();
  auto path = whole_path{{.credit = 2 * small}};
  path.settle({{7, 40, 0},
               {7, 40, 1},
               {7, 40, 2},
               {7, 40, 3},
               {7, 40, 4},
               {7, 40, 5},
               {7, 40, 6},
               {7, 40, 7},
               end_mark},
              50);
  path.pass(6'000);
  CHECK(path.rows(7) == rows_at(8, 40));
  CHECK(path.of_feed().checkpoint == timestamp{50});
}

TEST_CASE_FIXTURE(whole_path, "a sink that is away holds nothing but its own") {
  target->away = true;
  settle({{7, 20}, end_mark}, 30);
  settle({{7, 40}, end_mark}, 50);
  CHECK(rows(7).empty());
  CHECK(log().resolved == timestamp{50});
  CHECK(log().segments_removed == 0); // it still needs them
  target->away = false;
  pass(6'000);
  CHECK(rows(7) == rows_at{20, 40});
}
