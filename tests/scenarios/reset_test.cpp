#include "serving_side.hpp"

using namespace sluice;
using namespace sluice::test;

// The sequence that killed the node of the system this one is modelled on
// (pingcap/ticdc#4448, #4492): docs/failure_analysis.md tells the story.

TEST_CASE_FIXTURE(serving_side, "reset takes the checkpoint as lower bound") {
  append({20, 40, 60, 80}, 90);
  add(0);
  reset(1, 0);
  CHECK(rows(1) == rows_at{20, 40, 60, 80});
  beat(1, 60);
  reset(2, 20); // read at the sink before the heartbeat was sent
  CHECK(rows(2) == rows_at{80});
  auto records = resets();
  REQUIRE(records.size() == 2);
  CHECK(records[1].requested == timestamp{20});
  CHECK(records[1].lower_bound == timestamp{60});
  CHECK(records[1].checkpoint_before == timestamp{60});
  CHECK(records[1].checkpoint_after == timestamp{60});
}

TEST_CASE_FIXTURE(serving_side, "handshake carries the checkpoint") {
  append({20, 40, 60}, 90);
  add(0);
  reset(1, 0);
  auto hello = take_handshake();
  REQUIRE(hello);
  CHECK(hello->lower_bound == timestamp{0});
  beat(1, 40);
  reset(2, 20);
  hello = take_handshake();
  REQUIRE(hello);
  CHECK(hello->lower_bound == timestamp{40});
  CHECK(hello->stream_epoch == epoch{2});
}

TEST_CASE_FIXTURE(serving_side, "reset after the checkpoint advanced") {
  append({20, 40, 60, 80}, 100);
  add(0);
  reset(1, 0);
  CHECK(rows(1) == rows_at{20, 40, 60, 80});
  reset(2, 20);
  CHECK(rows(2) == rows_at{40, 60, 80});
  beat(2, 100); // the sink has it all: the store's floor follows
  pass_time();
  REQUIRE(status().segments_removed > 0);
  append({120}, 140);
  collector.take<delivery>(); // to the cohort
  reset(3, 99);               // resolved - 1
  auto hello = take_handshake();
  REQUIRE(hello);
  CHECK(hello->lower_bound == timestamp{100});
  CHECK(rows(3) == rows_at{120});
  CHECK(status().out_of_range == 0);
  CHECK(collector.take<refused>().empty());
}

TEST_CASE_FIXTURE(serving_side,
                  "Scenario: reset, heartbeat, reset at resolved - 1, scan") {
  // The table has another schema from 50 on.
  append({20, 40}, 49);
  tell(source, schemas, declaration_of({ddl(7, 2, 50)}));
  append({60, 80}, 100, 2);
  add(0);
  reset(1, 0);
  CHECK(take_handshake()->schemas[0].version == schema_version{1});
  CHECK(rows(1) == rows_at{20, 40, 60, 80});
  CHECK(collector.take<schema_change>().size() == 1);
  beat(1, 100);
  pass_time();
  REQUIRE(status().segments_removed > 0);
  append({120}, 140);
  collector.take<delivery>();
  reset(2, 99);
  auto hello = take_handshake();
  REQUIRE(hello);
  CHECK(hello->lower_bound == timestamp{100});
  CHECK(hello->schemas[0].version == schema_version{2}); // valid at L
  CHECK(rows(2) == rows_at{120});                        // nothing lost
  CHECK(status().out_of_range == 0);
  auto record = resets().back();
  CHECK(record.requested == timestamp{99});
  CHECK(record.lower_bound == timestamp{100});
  CHECK(record.old_epoch == epoch{1});
  CHECK(record.new_epoch == epoch{2});
  // Handshake, four rows, the DDL, one row: taken before it was zeroed.
  CHECK(record.last_seq == sequence{7});
  CHECK(record.last_cursor == row_cursor{{120}, {120}, 0});
}

TEST_CASE_FIXTURE(serving_side, "a heartbeat of an older epoch has no effect") {
  append({20, 40}, 50);
  add(0);
  reset(1, 0);
  reset(2, 0);
  beat(1, 40);
  reset(3, 0);
  CHECK(resets().back().lower_bound == timestamp{0});
}

TEST_CASE_FIXTURE(serving_side, "a heartbeat of a later epoch has no effect") {
  append({20, 40}, 50);
  add(0);
  reset(1, 0);
  beat(2, 40);
  reset(3, 0);
  CHECK(resets().back().lower_bound == timestamp{0});
}

TEST_CASE_FIXTURE(serving_side, "a heartbeat before any reset has no effect") {
  append({20, 40}, 50);
  add(10);
  beat(1, 40);
  beat(0, 40);
  reset(1, 10);
  CHECK(resets().back().lower_bound == timestamp{10});
  CHECK(rows(1) == rows_at{20, 40});
}

TEST_CASE_FIXTURE(serving_side, "a heartbeat can't report more than was sent") {
  append({20, 40}, 50);
  add(0);
  reset(1, 0);
  beat(1, 5'000);
  reset(2, 0);
  CHECK(resets().back().lower_bound <= timestamp{50});
}

TEST_CASE_FIXTURE(serving_side, "a reset that repeats an epoch has no effect") {
  append({20}, 30);
  add(0);
  reset(2, 0);
  take_handshake();
  reset(2, 0);
  reset(1, 0);
  CHECK_FALSE(take_handshake());
  CHECK(resets().size() == 1);
}

TEST_CASE_FIXTURE(serving_side,
                  "a look-up that a heartbeat overtakes is made again at L") {
  append({20, 40}, 50);
  add(0);
  reset(1, 0);
  take_handshake();
  // At 60 nothing is resolved yet, so the look-up waits.
  tell(collector, shard,
       reset_streams{channel, {{first, slots[first], {2}, {60}}}});
  CHECK_FALSE(take_handshake());
  append({70, 80}, 55);
  beat(1, 90); // clamped to what was sent
  tell(collector, shard,
       reset_streams{channel, {{first, slots[first], {3}, {20}}}});
  append({}, 90);
  auto all = collector.take<handshake>();
  REQUIRE(all.size() == 1); // the newest reset wins
  CHECK(all[0].stream_epoch == epoch{3});
  CHECK(all[0].lower_bound == resets().back().lower_bound);
  CHECK(all[0].lower_bound >= timestamp{55});
}

TEST_CASE_FIXTURE(serving_side,
                  "a second dispatcher of that id starts a life of its own") {
  append({20, 40}, 50);
  add(0);
  reset(1, 0);
  beat(1, 40);
  auto second = registration_id{1, 2};
  add(10, second); // lower than before: it is believed
  tell(collector, shard,
       reset_streams{channel, {{first, slots[first], {2}, {40}}}});
  auto gone = collector.take<unknown_registration>();
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].registration == first);
  collector.take<delivery>();
  reset(1, 10, second);
  CHECK(resets().back().lower_bound == timestamp{10});
  CHECK(rows(1) == rows_at{20, 40});
}

TEST_CASE_FIXTURE(serving_side, "a register that is repeated changes nothing") {
  append({20}, 30);
  add(0);
  auto stream = slots[first];
  add(0);
  CHECK(slots[first] == stream);
  reset(1, 0);
  CHECK(rows(1) == rows_at{20});
  add(0);
  CHECK(resets().size() == 1);
  append({40}, 50);
  CHECK(rows(1) == rows_at{40});
}

TEST_CASE_FIXTURE(serving_side,
                  "a reset for what was removed is answered unknown") {
  add(0);
  tell(collector, shard, remove_dispatchers{channel, {1}, {first}});
  reset(1, 0);
  auto answers = collector.take<unknown_registration>();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].registration == first);
  add(0); // a register that was overtaken by its remove
  CHECK(collector.take<unknown_registration>().size() == 1);
  CHECK(collector.take<ready>().empty());
}

TEST_CASE_FIXTURE(serving_side,
                  "a start that the log has lost is refused with the range") {
  append({20, 40, 60}, 70);
  add(0);
  reset(1, 0);
  beat(1, 70);
  pass_time();
  REQUIRE(status().segments_removed > 0);
  auto second = registration_id{1, 2};
  add(10, second); // a restored sink
  reset(1, 10, second);
  auto answers = collector.take<refused>();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].reason == errc::lost_by_retention);
  CHECK(answers[0].asked == timestamp{10});
  CHECK(answers[0].lower == timestamp{70});
}
