#include "actors/dispatcher_state.hpp"

#include <doctest/doctest.h>

#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

// The invariants of one dispatcher, I1 to I15 as they are numbered in the
// description of the protocol; tests/README.md has the table.

namespace {

constexpr auto table = table_id{7};
constexpr auto stream = slot{3};
constexpr auto no_limit = timestamp::max();

registration who(std::uint64_t start) {
  return {{1, 1}, {1, 2}, {5}, table, {start}};
}

schema_answer schema_at(const schema_query& asked, std::uint64_t version = 1,
                        std::vector<ddl_event> later = {}) {
  return {asked, {ddl(7, version, 0).schema}, std::move(later), errc::none};
}

struct fixture {
  dispatcher_state uut{who(20)};

  // A reset whose look-up is answered at once.
  dispatcher_state::started reset(std::uint64_t next, std::uint64_t ts,
                                  std::vector<ddl_event> later = {}) {
    auto query = uut.on_reset({next}, {ts});
    REQUIRE(query);
    auto outcome = uut.on_schema(schema_at(*query, 1, std::move(later)));
    REQUIRE(std::holds_alternative<dispatcher_state::started>(outcome));
    return std::get<dispatcher_state::started>(outcome);
  }
  delivery_item send(const block_ptr& block) {
    auto count = static_cast<std::uint32_t>(block->rows());
    return uut.send_rows(stream, block, 0, count);
  }
  bool beat(std::uint64_t of, std::uint64_t checkpoint) {
    return uut.on_checkpoint({of}, {checkpoint}, no_limit);
  }
};

} // namespace

// -- the one lower bound ------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "a dispatcher starts where its sink is") {
  CHECK(uut.checkpoint() == timestamp{20});
  CHECK(uut.who() == who(20));
  CHECK_FALSE(uut.streaming());
  CHECK(uut.stream_epoch() == epoch{0});
  CHECK(uut.last_seq() == sequence{0});
}

TEST_CASE_FIXTURE(fixture, "I1 a checkpoint never decreases") {
  reset(1, 20);
  CHECK(beat(1, 60));
  CHECK(beat(1, 40));
  CHECK(uut.checkpoint() == timestamp{60});
  reset(2, 30);
  CHECK(uut.checkpoint() == timestamp{60});
}

TEST_CASE_FIXTURE(fixture, "I2 a checkpoint is not above what was sent") {
  reset(1, 20);
  CHECK(uut.on_checkpoint({1}, {90}, {50}));
  CHECK(uut.checkpoint() == timestamp{50});
}

TEST_CASE_FIXTURE(fixture, "I3 a scan never starts below the checkpoint") {
  reset(1, 20);
  static_cast<void>(send(block_of({{7, 40}})));
  CHECK(uut.cursor() == row_cursor{{40}, {40}, 0});
  beat(1, 60);
  CHECK(uut.cursor() == row_cursor::end_of({60}));
}

TEST_CASE_FIXTURE(fixture,
                  "I4 handshake, schema, record and scan all start at L") {
  reset(1, 20);
  beat(1, 60);
  auto query = uut.on_reset({2}, {59}); // resolved - 1
  REQUIRE(query);
  CHECK(*query == schema_query{{1, 1}, {2}, table, {60}});
  auto outcome = uut.on_schema(schema_at(*query));
  auto* begun = std::get_if<dispatcher_state::started>(&outcome);
  REQUIRE(begun != nullptr);
  CHECK(begun->lower_bound == timestamp{60});
  CHECK(begun->schemas == std::vector{ddl(7, 1, 0).schema});
  CHECK(begun->record.requested == timestamp{59});
  CHECK(begun->record.lower_bound == timestamp{60});
  CHECK(uut.checkpoint() == timestamp{60});
  CHECK(uut.complete_to() == timestamp{60});
  CHECK(uut.cursor() == row_cursor::end_of({60}));
}

TEST_CASE_FIXTURE(fixture, "I4 a reset above the checkpoint raises it to L") {
  auto begun = reset(1, 500);
  CHECK(begun.lower_bound == timestamp{500});
  CHECK(begun.record.checkpoint_before == timestamp{20});
  CHECK(begun.record.checkpoint_after == timestamp{500});
  CHECK(uut.checkpoint() == timestamp{500});
}

TEST_CASE_FIXTURE(fixture, "I15 L is between reset_ts and the checkpoint") {
  reset(1, 20);
  CHECK(reset(2, 10).lower_bound == timestamp{20}); // not below its start
  beat(2, 80);
  CHECK(reset(3, 80).lower_bound == timestamp{80});
  CHECK(reset(4, 50).lower_bound == timestamp{80});
}

TEST_CASE_FIXTURE(fixture,
                  "the record of a reset is taken before the zeroing") {
  reset(1, 20);
  static_cast<void>(send(block_of({{7, 40}, {7, 60}})));
  beat(1, 40);
  auto record = reset(2, 30).record;
  CHECK(
    record
    == reset_record{
      {1, 2}, {1, 1}, {1}, {2}, {30}, {40}, {40}, {40}, {{60}, {60}, 0}, {3}});
  CHECK(uut.last_seq() == sequence{1});
}

// -- epochs -------------------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "I11 a reset must name a higher epoch") {
  reset(2, 20);
  CHECK_FALSE(uut.on_reset({2}, {30}));
  CHECK_FALSE(uut.on_reset({1}, {30}));
  CHECK_FALSE(uut.on_reset({0}, {30}));
  CHECK(uut.stream_epoch() == epoch{2});
}

TEST_CASE_FIXTURE(fixture, "I11 also one that still waits for its schema") {
  REQUIRE(uut.on_reset({3}, {20}));
  CHECK_FALSE(uut.on_reset({3}, {20}));
  CHECK_FALSE(uut.on_reset({2}, {20}));
  CHECK(uut.on_reset({4}, {20}));
}

TEST_CASE_FIXTURE(fixture, "I10 a checkpoint of another epoch has no effect") {
  CHECK_FALSE(beat(1, 40)); // before any reset
  reset(2, 20);
  CHECK_FALSE(beat(1, 40)); // older
  CHECK_FALSE(beat(3, 40)); // newer
  CHECK(uut.checkpoint() == timestamp{20});
}

TEST_CASE_FIXTURE(fixture, "a new epoch is not in sync") {
  reset(1, 20);
  uut.scan = dispatcher_state::scan_phase::asked;
  uut.in_sync_since = {9};
  reset(2, 20);
  CHECK(uut.scan == dispatcher_state::scan_phase::none);
  CHECK_FALSE(uut.in_sync_since);
}

// -- a slow look-up -----------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "the old epoch goes on until the schema is there") {
  reset(1, 20);
  auto query = uut.on_reset({2}, {20});
  REQUIRE(query);
  auto item = send(block_of({{7, 40}}));
  CHECK(item.stream_epoch == epoch{1});
  CHECK(item.first_seq == sequence{2});
  CHECK(beat(1, 30));
}

TEST_CASE_FIXTURE(fixture, "a look-up that a checkpoint overtook is repeated") {
  reset(1, 20);
  auto query = uut.on_reset({2}, {25});
  REQUIRE(query);
  beat(1, 60);
  auto outcome = uut.on_schema(schema_at(*query));
  auto* again = std::get_if<schema_query>(&outcome);
  REQUIRE(again != nullptr);
  CHECK(again->at == timestamp{60});
  outcome = uut.on_schema(schema_at(*again));
  auto* begun = std::get_if<dispatcher_state::started>(&outcome);
  REQUIRE(begun != nullptr);
  CHECK(begun->lower_bound == timestamp{60});
}

TEST_CASE_FIXTURE(fixture,
                  "a look-up that a second reset overtook is dropped") {
  auto first = uut.on_reset({1}, {20});
  auto second = uut.on_reset({2}, {30});
  REQUIRE(second);
  auto outcome = uut.on_schema(schema_at(*first));
  CHECK(std::holds_alternative<std::monostate>(outcome));
  CHECK_FALSE(uut.streaming());
  outcome = uut.on_schema(schema_at(*second));
  REQUIRE(std::holds_alternative<dispatcher_state::started>(outcome));
  CHECK(uut.stream_epoch() == epoch{2});
  outcome = uut.on_schema(schema_at(*second)); // answered twice
  CHECK(std::holds_alternative<std::monostate>(outcome));
}

TEST_CASE_FIXTURE(fixture, "a look-up that fails leaves all as it was") {
  reset(1, 20);
  auto query = uut.on_reset({2}, {30});
  auto answer = schema_at(*query);
  answer.failure = errc::unknown_table;
  auto outcome = uut.on_schema(answer);
  REQUIRE(std::holds_alternative<errc>(outcome));
  CHECK(std::get<errc>(outcome) == errc::unknown_table);
  CHECK(uut.stream_epoch() == epoch{1});
  CHECK(uut.checkpoint() == timestamp{20});
  CHECK(uut.on_reset({2}, {30})); // may be asked for again
}

TEST_CASE_FIXTURE(fixture,
                  "a stream can be reset after its table was dropped") {
  auto query = uut.on_reset({1}, {30});
  auto answer = schema_at(*query, 1, {ddl(7, 2, 60)});
  answer.failure = errc::table_deleted;
  auto outcome = uut.on_schema(answer);
  REQUIRE(std::holds_alternative<dispatcher_state::started>(outcome));
  REQUIRE(uut.next_ddl() != nullptr); // it comes back
  CHECK(uut.next_ddl()->ts == timestamp{60});
}

// -- sending ------------------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "I7 sequences count 1, 2, 3 and promises repeat") {
  reset(1, 20);
  CHECK(uut.last_seq() == sequence{1}); // the handshake
  CHECK(send(block_of({{7, 40}, {7, 60}})).first_seq == sequence{2});
  CHECK(uut.last_seq() == sequence{3});
  uut.complete({70});
  CHECK(uut.send_promise(stream).first_seq == sequence{4});
  CHECK(uut.last_seq() == sequence{3});
  CHECK(send(block_of({{7, 80}})).first_seq == sequence{4});
  reset(2, 20);
  CHECK(uut.last_seq() == sequence{1});
}

TEST_CASE_FIXTURE(fixture, "I5 a promise does not speak for its last commit") {
  reset(1, 20);
  auto item = send(block_of({{7, 40}, {7, 60}}));
  CHECK(item.complete_to == timestamp{59});
  CHECK(uut.complete({60}));
  CHECK_FALSE(uut.complete({50})); // never back
  CHECK_FALSE(uut.complete({60}));
  CHECK(uut.send_promise(stream)
        == delivery_item{stream, {1}, {4}, nullptr, 0, 0, {60}});
  // More rows of a commit_ts that was promised can't lower it.
  CHECK(send(block_of({{7, 61}})).complete_to == timestamp{60});
}

TEST_CASE_FIXTURE(fixture, "rows that were sent or are durable are skipped") {
  reset(1, 20);
  auto block = block_of({{7, 20}, {7, 40}, {7, 60}, {7, 80}, {7, 90}});
  CHECK(uut.rows_sent(*block, 0, 5) == 1);
  static_cast<void>(uut.send_rows(stream, block, 1, 2));
  CHECK(uut.rows_sent(*block, 0, 5) == 3);
  CHECK(uut.rows_sent(*block, 3, 2) == 0);
  CHECK(uut.rows_sent(*block, 0, 3) == 3);
  CHECK(uut.rows_sent(*block, 0, 0) == 0);
  beat(1, 80);
  CHECK(uut.rows_sent(*block, 0, 5) == 4);
}

TEST_CASE_FIXTURE(fixture, "rows of one commit_ts are told apart") {
  reset(1, 20);
  auto block = block_of({{7, 40, 0}, {7, 40, 1}, {7, 40, 2}});
  static_cast<void>(uut.send_rows(stream, block, 0, 2));
  CHECK(uut.rows_sent(*block, 0, 3) == 2);
  CHECK(uut.complete_to() == timestamp{39});
}
