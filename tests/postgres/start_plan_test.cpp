#include "actors/sources/postgres/start_plan.hpp"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::postgres;

namespace {

struct fixture {
  start_request wanted{"shop on db1:5432 as app", "sluice", "sluice"};
  std::optional<origin> noted = origin{"7001", "1", "sluice", 0, {998}};
  server_state server{"7001", "1", 5'000, slot_state{1'500}, true};
  row_cursor resume = row_cursor::end_of({2'000});

  expected<start_plan> plan() const {
    return plan_start(wanted, noted, server, resume);
  }
  error refused() const {
    auto result = plan();
    REQUIRE_FALSE(result.has_value());
    return result.error();
  }
  bool copies() const {
    auto result = plan();
    INFO((result ? std::string{} : to_string(result.error())));
    REQUIRE(result.has_value());
    return std::holds_alternative<copy_all>(*result);
  }
  lsn from() const {
    auto result = plan();
    REQUIRE(result.has_value());
    return std::get<go_on>(*result).from;
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "A start goes on behind what our log has") {
  CHECK(from() == 2'001);
  resume = {{2'000}, {1'900}, 3};
  CHECK(from() == 2'000); // there may be more of that transaction
}

TEST_CASE_FIXTURE(fixture, "The first start copies") {
  noted.reset();
  server.slot.reset();
  resume = {};
  CHECK(copies());
}

TEST_CASE_FIXTURE(fixture, "A slot of somebody else is not taken over") {
  noted.reset();
  resume = {};
  CHECK(refused().code == errc::source_unsupported);
  wanted.copy_again = true;
  CHECK(copies());
}

TEST_CASE_FIXTURE(fixture, "A slot that was made for us is used") {
  wanted.set_up = false;
  noted.reset();
  resume = {};
  auto result = plan();
  REQUIRE(result.has_value());
  CHECK_FALSE(std::get<copy_all>(*result).drop_slot);
  server.slot.reset();
  CHECK(refused().code == errc::source_unsupported);
}

TEST_CASE_FIXTURE(fixture, "A slot of another directory or system is not"
                           " taken for ours") {
  SUBCASE("another name than before") {
    noted->slot = "other";
  }
  SUBCASE("on another system, after a copy that was cut off") {
    resume = row_cursor::end_of({997});
    server.system = "8001";
  }
  CHECK(refused().detail.find("not of this directory") != std::string::npos);
}

TEST_CASE_FIXTURE(fixture, "A copy that was cut off begins again") {
  resume = row_cursor::end_of({997});
  auto result = plan();
  REQUIRE(result.has_value());
  CHECK(std::get<copy_all>(*result).drop_slot);
  noted->copied_at = {}; // before its slot was there
  resume = {};
  CHECK(copies());
}

TEST_CASE_FIXTURE(fixture, "What changed on the server stops the source") {
  SUBCASE("another system") {
    server.system = "8001";
    CHECK(refused().code == errc::source_replaced);
  }
  SUBCASE("another timeline") {
    server.timeline = "2";
    CHECK(refused().code == errc::source_rolled_back);
  }
  SUBCASE("a log that ends before our rows") {
    server.end = 1'999;
    CHECK(refused().code == errc::source_rolled_back);
  }
  SUBCASE("a slot that is gone") {
    server.slot.reset();
    CHECK(refused().code == errc::source_rolled_back);
  }
  SUBCASE("a slot that lost what it needs") {
    server.slot->lost = true;
    CHECK(refused().code == errc::source_rolled_back);
  }
  SUBCASE("a slot beyond our rows") {
    server.slot->confirmed = 2'002;
    CHECK(refused().code == errc::source_rolled_back);
  }
  SUBCASE("a publication that is gone") {
    server.has_publication = false;
    CHECK(refused().code == errc::source_unsupported);
  }
  // Each of them may be copied from again.
  CHECK(refused().remedy.find("copy_again") != std::string::npos);
  wanted.copy_again = true;
  CHECK(copies());
}

TEST_CASE_FIXTURE(fixture, "A slot right behind our rows is not beyond them") {
  server.slot->confirmed = 2'001;
  server.end = 2'000;
  CHECK(from() == 2'001);
}

TEST_CASE_FIXTURE(fixture, "A slot stands where its copy ends") {
  resume = {{998}, {1}, 70};
  server.slot->confirmed = 1'000;
  CHECK(from() == 998);
  server.slot->confirmed = 1'001;
  CHECK(refused().code == errc::source_rolled_back);
}

TEST_CASE("A copy of a server that begins anew is above what our log has") {
  auto first = begin_copy({}, 1'000, {});
  CHECK(first.base == 0);
  CHECK(first.copied_at == timestamp{998});
  auto next = begin_copy(first, 500, {2'000});
  CHECK(next.copied_at == timestamp{2'001});
  CHECK(next.base == 1'503);
  // A place on that server is told apart from one of the former.
  CHECK(next.base + 500 > 2'000);
}

TEST_CASE("An origin is read as it was noted") {
  auto x = origin{"7001", "3", "my_slot", 17, {998}};
  CHECK(parse_origin(to_note(x)) == x);
  CHECK_FALSE(parse_origin("").has_value());
}
