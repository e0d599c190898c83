#include "actors/stream_state.hpp"

#include <doctest/doctest.h>

#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

using verdict = stream_state::verdict;

constexpr auto at_slot = slot{3};

struct fixture {
  stream_state uut{registration{{1, 1}, {1, 2}, {5}, {7}, {20}}, {}};
  std::uint32_t fresh = 0;

  fixture() { uut.on_ready(at_slot); }

  verdict shake(std::uint64_t of, std::uint64_t lower,
                std::uint64_t latched = 20) {
    return uut.on_handshake({{}, at_slot, {of}, {lower}, {ddl(7, 1, 0).schema}},
                            {latched});
  }
  // RESET to 20 and its handshake.
  void start() {
    static_cast<void>(uut.restart({20}));
    REQUIRE(shake(uut.stream_epoch().value, 20) == verdict::accepted);
  }
  verdict item(std::uint64_t of, std::uint64_t seq, const block_ptr& block,
               std::uint64_t complete_to) {
    auto count = block ? static_cast<std::uint32_t>(block->rows()) : 0;
    return uut.on_item({at_slot, {of}, {seq}, block, 0, count, {complete_to}},
                       fresh);
  }
  verdict alter(std::uint64_t of, std::uint64_t seq, std::uint64_t version) {
    return uut.on_schema_change(
      {{}, at_slot, {of}, {seq}, ddl(7, version, 50)});
  }
  verdict joins(std::uint64_t of, std::uint64_t seq) {
    return uut.on_in_sync({at_slot, {of}, {seq}});
  }
  verdict leaves(std::uint64_t of, std::uint64_t seq, std::uint64_t resolved) {
    return uut.on_behind({at_slot, {of}, {seq}}, {resolved}, {});
  }
};

} // namespace

// -- sequence -----------------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "a stream opens with its handshake") {
  static_cast<void>(uut.restart({20}));
  CHECK(uut.handshake_outstanding());
  CHECK(item(1, 2, block_of({{7, 40}}), 39) == verdict::gap); // rows first
  CHECK(shake(1, 20) == verdict::accepted);
  CHECK_FALSE(uut.handshake_outstanding());
  CHECK(uut.last_seq() == sequence{1});
  CHECK(item(1, 2, block_of({{7, 40}}), 39) == verdict::accepted);
}

TEST_CASE_FIXTURE(fixture, "a handshake of another epoch is ignored") {
  static_cast<void>(uut.restart({20}));
  static_cast<void>(uut.restart({20}));
  CHECK(shake(1, 20) == verdict::stale);
  CHECK(shake(3, 20) == verdict::stale);
  CHECK(uut.handshake_outstanding());
}

TEST_CASE_FIXTURE(fixture, "a second handshake does not rewind the sequence") {
  start();
  REQUIRE(item(1, 2, block_of({{7, 40}}), 39) == verdict::accepted);
  CHECK(shake(1, 20) == verdict::stale);
  CHECK(uut.last_seq() == sequence{2});
}

TEST_CASE_FIXTURE(fixture, "a handshake above all that was reported is a gap") {
  static_cast<void>(uut.restart({20}));
  CHECK(shake(1, 21, 20) == verdict::gap); // rows <= 21 are missing
  CHECK(shake(1, 30, 30) == verdict::accepted);
  CHECK(uut.effective_resolved({0}) == timestamp{30});
}

TEST_CASE_FIXTURE(fixture, "rows, DDL and promises that skip one are a gap") {
  start();
  CHECK(item(1, 3, block_of({{7, 40}}), 39) == verdict::gap);
  CHECK(item(1, 3, nullptr, 90) == verdict::gap);
  CHECK(alter(1, 3, 2) == verdict::gap);
  CHECK(joins(1, 3) == verdict::gap);
  CHECK(leaves(1, 3, 90) == verdict::gap);
  // Nothing of it was applied.
  CHECK(uut.last_seq() == sequence{1});
  CHECK(uut.effective_resolved({0}) == timestamp{20});
  CHECK(uut.barrier() == row_cursor{});
  CHECK(uut.schema({7})->version == schema_version{1});
}

TEST_CASE_FIXTURE(fixture, "a message that comes twice is a gap, not a row") {
  start();
  auto rows = block_of({{7, 40}});
  CHECK(item(1, 2, rows, 39) == verdict::accepted);
  CHECK(item(1, 2, rows, 39) == verdict::gap);
  CHECK(fresh == 0);
}

TEST_CASE_FIXTURE(fixture, "what another epoch sent has no effect") {
  start();
  start(); // epoch 2
  CHECK(item(1, 2, block_of({{7, 40}}), 90) == verdict::stale);
  CHECK(item(3, 2, block_of({{7, 40}}), 90) == verdict::stale);
  CHECK(alter(1, 2, 2) == verdict::stale);
  CHECK(joins(1, 2) == verdict::stale);
  CHECK(joins(3, 2) == verdict::stale);
  CHECK(leaves(1, 2, 90) == verdict::stale);
  CHECK(uut.behind());
  CHECK(uut.effective_resolved({0}) == timestamp{20});
  CHECK(uut.accepted_to({0}) == timestamp{20});
}

// -- the dedup barrier --------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "rows at or below the barrier are not new") {
  start();
  uut.set_barrier({{40}, {40}, 0});
  CHECK(item(1, 2, block_of({{7, 30}, {7, 40}, {7, 60}}), 59)
        == verdict::accepted);
  CHECK(fresh == 1);
  CHECK(uut.last_seq() == sequence{4}); // all three count
  CHECK(item(1, 5, block_of({{7, 80}}), 79) == verdict::accepted);
  CHECK(fresh == 1);
}

TEST_CASE_FIXTURE(fixture, "a promise does not move the barrier") {
  start();
  CHECK(item(1, 2, nullptr, 90) == verdict::accepted);
  CHECK(uut.barrier() == row_cursor{});
  CHECK(item(1, 2, block_of({{7, 95}}), 94) == verdict::accepted);
  CHECK(fresh == 1);
}

TEST_CASE_FIXTURE(fixture, "rows of a commit_ts that was cut are told apart") {
  start();
  CHECK(item(1, 2, block_of({{7, 40, 0}}), 39) == verdict::accepted);
  start();
  CHECK(item(2, 2, block_of({{7, 40, 0}, {7, 40, 1}}), 39)
        == verdict::accepted);
  CHECK(fresh == 1);
}

// -- schema -------------------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "rows are never decoded with another schema") {
  start();
  CHECK(alter(1, 2, 2) == verdict::accepted);
  CHECK(uut.schema({7})->version == schema_version{2});
  CHECK(item(1, 3, block_of({{7, 60}}), 59) == verdict::gap); // version 1
}

// -- behind and in sync -------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "a stream starts behind with its own resolved") {
  CHECK(uut.behind());
  CHECK(uut.effective_resolved({1'000}) == timestamp{20});
  CHECK(uut.accepted_to({1'000}) == timestamp{20});
}

TEST_CASE_FIXTURE(fixture, "a stream that is behind makes progress") {
  start();
  CHECK(item(1, 2, block_of({{7, 40}}), 39) == verdict::accepted);
  CHECK(uut.effective_resolved({1'000}) == timestamp{39});
  CHECK(uut.accepted_to({1'000}) == timestamp{40});
  CHECK(item(1, 3, nullptr, 60) == verdict::accepted);
  CHECK(uut.effective_resolved({1'000}) == timestamp{60});
  CHECK(item(1, 3, nullptr, 50) == verdict::accepted);
  CHECK(uut.effective_resolved({1'000}) == timestamp{60});
}

TEST_CASE_FIXTURE(fixture, "joining the cohort takes the next place") {
  start();
  REQUIRE(item(1, 2, block_of({{7, 40}}), 39) == verdict::accepted);
  CHECK(joins(1, 2) == verdict::gap);
  CHECK(joins(1, 4) == verdict::gap);
  CHECK(uut.behind());
  CHECK(joins(1, 3) == verdict::accepted);
  CHECK(uut.last_seq() == sequence{3});
  CHECK_FALSE(uut.behind());
  CHECK(uut.effective_resolved({100}) == timestamp{100});
}

TEST_CASE_FIXTURE(fixture, "leaving the cohort takes the next place") {
  start();
  REQUIRE(joins(1, 2) == verdict::accepted);
  CHECK(leaves(1, 2, 90) == verdict::gap);
  CHECK(leaves(1, 4, 90) == verdict::gap);
  CHECK_FALSE(uut.behind());
  CHECK(leaves(1, 3, 90) == verdict::accepted);
  CHECK(uut.last_seq() == sequence{3});
  CHECK(uut.behind());
}

TEST_CASE_FIXTURE(fixture, "joining without handshake is a gap") {
  static_cast<void>(uut.restart({20}));
  CHECK(joins(1, 1) == verdict::gap);
}

TEST_CASE_FIXTURE(fixture, "becoming behind keeps what was resolved") {
  start();
  REQUIRE(joins(1, 2) == verdict::accepted);
  CHECK(leaves(1, 3, 90) == verdict::accepted);
  CHECK(uut.effective_resolved({90}) == timestamp{90});
  CHECK(uut.effective_resolved({200}) == timestamp{90});
  CHECK(leaves(1, 4, 200) == verdict::gap); // it is behind already
  CHECK(uut.effective_resolved({200}) == timestamp{90});
}

TEST_CASE_FIXTURE(fixture, "who leaves a cohort has what that was sent") {
  start();
  auto place = row_cursor{{60}, {60}, 0};
  uut.note_place(place); // not in it
  CHECK(uut.barrier() == row_cursor{});
  REQUIRE(joins(1, 2) == verdict::accepted);
  REQUIRE(uut.on_behind({at_slot, {1}, {3}}, {90}, place) == verdict::accepted);
  CHECK(uut.barrier() == place);
  CHECK(item(1, 4, block_of({{7, 60}, {7, 80}}), 79) == verdict::accepted);
  CHECK(fresh == 1);
}

TEST_CASE_FIXTURE(fixture, "a reset goes back to what it asks for") {
  start();
  REQUIRE(joins(1, 2) == verdict::accepted);
  auto request = uut.restart({30});
  CHECK(request == reset_entry{{1, 1}, at_slot, {2}, {30}});
  CHECK(uut.behind());
  CHECK(uut.last_seq() == sequence{0});
  CHECK(uut.effective_resolved({1'000}) == timestamp{30});
}

TEST_CASE_FIXTURE(fixture, "a new registration begins anew") {
  start();
  REQUIRE(item(1, 2, block_of({{7, 40}}), 39) == verdict::accepted);
  uut.renew({1, 9}, {10});
  CHECK(uut.who().id == registration_id{1, 9});
  CHECK(uut.who().dispatcher == dispatcher_id{1, 2});
  CHECK(uut.who().start_ts == timestamp{10});
  CHECK_FALSE(uut.ready());
  CHECK(uut.stream_epoch() == epoch{0});
  CHECK(uut.barrier() == row_cursor{{40}, {40}, 0}); // the sink has it
  CHECK(uut.effective_resolved({1'000}) == timestamp{10});
}

// -- digest -------------------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "an equal digest says who is behind") {
  start();
  auto line = digest_entry{{1, 1}, at_slot, {1}, {1}, false, {70}};
  CHECK(uut.on_digest(line) == verdict::accepted);
  CHECK_FALSE(uut.behind());
  CHECK(uut.effective_resolved({0}) == timestamp{70});
  line.behind = true;
  line.own = {60};
  CHECK(uut.on_digest(line) == verdict::accepted);
  CHECK(uut.behind());
  CHECK(uut.effective_resolved({0}) == timestamp{70}); // never back
}

TEST_CASE_FIXTURE(fixture, "a different digest is a gap") {
  start();
  CHECK(uut.on_digest({{1, 1}, at_slot, {1}, {2}, false, {70}})
        == verdict::gap); // the last row got lost
  CHECK(uut.on_digest({{1, 1}, at_slot, {2}, {1}, false, {70}})
        == verdict::gap);
  CHECK(uut.behind());
}

TEST_CASE_FIXTURE(fixture, "a digest from before our reset is left alone") {
  start();
  start(); // epoch 2
  CHECK(uut.on_digest({{1, 1}, at_slot, {1}, {1}, false, {70}})
        == verdict::stale);
  CHECK(uut.behind());
}
