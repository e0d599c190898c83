#include <doctest/doctest.h>

#include "actors/dispatcher_state.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

// DDL of one dispatcher's table, in its place among the rows.

namespace {

constexpr auto stream = slot{3};

struct fixture {
  dispatcher_state uut{registration{{1, 1}, {1, 2}, {5}, {7}, {20}}};

  void reset(std::uint64_t next, std::vector<ddl_event> later = {}) {
    auto query = uut.on_reset({next}, {20});
    REQUIRE(query);
    auto answer = schema_answer{
      *query, {ddl(7, 1, 0).schema}, std::move(later), errc::none};
    auto outcome = uut.on_schema(answer);
    REQUIRE(std::holds_alternative<dispatcher_state::started>(outcome));
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "a promise stops before a DDL that was not sent") {
  reset(1);
  uut.on_ddl(ddl(7, 2, 50));
  CHECK(uut.complete({60}));
  CHECK(uut.complete_to() == timestamp{49});
  static_cast<void>(uut.send_ddl(stream));
  CHECK(uut.complete({60}));
  CHECK(uut.complete_to() == timestamp{60});
}

TEST_CASE_FIXTURE(fixture, "a DDL takes a sequence of its own") {
  reset(1);
  uut.on_ddl(ddl(7, 2, 50));
  auto change = uut.send_ddl(stream);
  CHECK(change == schema_change{{}, stream, {1}, {2}, ddl(7, 2, 50)});
  CHECK(uut.last_seq() == sequence{2});
  CHECK(uut.next_ddl() == nullptr);
}

TEST_CASE_FIXTURE(fixture, "a DDL that comes twice is sent once") {
  reset(1);
  uut.on_ddl(ddl(7, 2, 50));
  uut.on_ddl(ddl(7, 2, 50));
  CHECK(uut.send_ddl(stream).event == ddl(7, 2, 50));
  CHECK(uut.next_ddl() == nullptr);
  uut.on_ddl(ddl(7, 2, 50)); // also when it was sent before
  CHECK(uut.next_ddl() == nullptr);
  CHECK(uut.last_seq() == sequence{2});
}

TEST_CASE_FIXTURE(fixture, "rows of a newer version wait for their DDL") {
  reset(1);
  CHECK_FALSE(uut.waits_for_ddl({7}, {1}));
  CHECK(uut.waits_for_ddl({7}, {2}));
  uut.on_ddl(ddl(7, 2, 50));
  CHECK(uut.waits_for_ddl({7}, {2})); // until it is sent
  static_cast<void>(uut.send_ddl(stream));
  CHECK_FALSE(uut.waits_for_ddl({7}, {2}));
  CHECK(uut.waits_for_ddl({7}, {3}));
}

TEST_CASE_FIXTURE(fixture, "DDL after L come with the schema of the reset") {
  reset(1, {ddl(7, 2, 50), ddl(7, 3, 60)});
  REQUIRE(uut.next_ddl() != nullptr);
  CHECK(*uut.next_ddl() == ddl(7, 2, 50));
  uut.on_ddl(ddl(7, 3, 60)); // told once more: known
  static_cast<void>(uut.send_ddl(stream));
  static_cast<void>(uut.send_ddl(stream));
  CHECK(uut.next_ddl() == nullptr);
}

TEST_CASE_FIXTURE(fixture, "a reset forgets the DDL of the old epoch") {
  reset(1);
  uut.on_ddl(ddl(7, 2, 50));
  reset(2);
  CHECK(uut.next_ddl() == nullptr);
}

TEST_CASE_FIXTURE(fixture, "the end of a table is a DDL too") {
  reset(1);
  auto dropped = ddl(7, 1, 50);
  dropped.dropped = true;
  uut.on_ddl(dropped);
  REQUIRE(uut.next_ddl() != nullptr);
  CHECK(uut.send_ddl(stream).event.dropped);
}

TEST_CASE_FIXTURE(fixture, "DDL of a dispatcher without epoch come later") {
  uut.on_ddl(ddl(7, 2, 50)); // the reset's answer will have it
  CHECK(uut.next_ddl() == nullptr);
}
