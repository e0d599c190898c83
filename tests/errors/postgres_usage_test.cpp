// How pg_to_sqlite is called. No server is needed to refuse it.
#include "desk.hpp"

using namespace sluice::error_test;

TEST_CASE("a connection string that lacks its quotes is not printed") {
  auto uut = desk{};
  auto run = program{
    "pg_to_sqlite",
    {"host=db1", "password=hush", "user=app", "replica.db", "--state", "state"},
    uut.top,
    user::same};
  CHECK(run.wait() == 2);
  CHECK(run.err()
        == "pg_to_sqlite: invalid_option: more arguments than a connection "
           "string and a replica. Put quotes around a connection string that "
           "has spaces.\n");
  CHECK(!fs::exists(uut.at("state")));
}

TEST_CASE("nor by other programs that take one") {
  auto uut = desk{};
  for (std::string name : {"pg_tail", "cache_invalidator"}) {
    auto run = program{
      name, {"host=db1", "password=hush"}, uut.top, user::same};
    CHECK(run.wait() == 2);
    CHECK(run.err()
          == name
               + ": invalid_option: more arguments than a connection string. "
                 "Put quotes around a connection string that has spaces.\n");
  }
}

TEST_CASE("a flag that pg_to_sqlite does not know is named without its value") {
  auto uut = desk{};
  auto run = program{
    "pg_to_sqlite",
    {"host=db1", "replica.db", "--state", "state", "--password=hush"},
    uut.top,
    user::same};
  CHECK(run.wait() == 2);
  CHECK(run.err()
        == "pg_to_sqlite: invalid_option: The following argument was not "
           "expected: --password. Run it with --help to see what it takes.\n");
}

TEST_CASE("a demo of no time is refused") {
  auto uut = desk{};
  auto run = program{"pg_to_sqlite", {"--demo", "0s"}, uut.top, user::same};
  CHECK(run.wait() == 2);
  CHECK(run.out().empty());
  CHECK(run.err()
        == "pg_to_sqlite: --demo 0s: a time from 10s to 3600s is wanted\n");
}
