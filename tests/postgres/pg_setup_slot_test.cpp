#include "tests/postgres/setup_fixture.hpp"

using namespace sluice;
using namespace sluice::setup_test;

TEST_CASE("a slot that is made for something else is left alone") {
  if (skipped())
    return;
  auto at = desk{};
  auto slot = '\'' + at.db + '\'';
  auto other = desk{};
  auto drop = "SELECT pg_drop_replication_slot(" + slot + ')';
  at.run("CREATE PUBLICATION " + at.db);
  struct sample {
    desk& in;
    std::string arguments;
    std::string text;
  };
  const auto samples = std::vector<sample>{
    {at, "logical_replication_slot(" + slot + ", 'test_decoding')",
     "plugin test_decoding"},
    {at, "physical_replication_slot(" + slot + ')', "physical"},
    {other, "logical_replication_slot(" + slot + ", 'pgoutput')",
     "database " + other.db},
    {at, "logical_replication_slot(" + slot + ", 'pgoutput', false, true)",
     "prepared transactions"},
  };
  for (const auto& x : samples) {
    x.in.run("SELECT pg_create_" + x.arguments);
    auto found = at.found("slot");
    CAPTURE(found.detail);
    CHECK(found.how == level::broken);
    CHECK(contains(found.detail, x.text));
    CHECK(found.sql.empty());
    x.in.run(drop);
  }
}

TEST_CASE("a slot that ends with its session is no slot to go on with") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE PUBLICATION " + at.db);
  auto session = opened(at.options.conninfo);
  REQUIRE(session.run("SELECT pg_create_logical_replication_slot('" + at.db
                      + "', 'pgoutput', true)"));
  auto found = at.found("slot");
  CHECK(found.how == level::broken);
  CHECK(contains(found.detail, "temporary"));
}

TEST_CASE("a slot that is read is told with its reader") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  at.mend();
  CHECK(contains(at.found("slot").detail, "waits at "));
  auto reader = opened(at.options.conninfo + " application_name=other",
                       connection::kind::replication);
  REQUIRE(reader.run("START_REPLICATION SLOT " + at.db
                     + " LOGICAL 0/0 (proto_version '1', publication_names '"
                     + at.db + "')"));
  auto found = at.found("slot");
  CHECK(found.how == level::warning);
  CHECK(contains(found.detail, "(other)"));
  CHECK(at.obstacle().empty());
}

TEST_CASE("a slot that lost its log is made anew only with consent") {
  if (skipped())
    return;
  throwaway_postgres server{{"max_slot_wal_keep_size = 1MB",
                             "min_wal_size = 2MB", "max_wal_size = 2MB"}};
  auto at = desk{server};
  make_table(at);
  at.mend();
  at.run("INSERT INTO t SELECT i, repeat('x', 100)"
         " FROM generate_series(1, 40000) i");
  at.run("CHECKPOINT");
  auto found = at.found("slot");
  CHECK(found.how == level::broken);
  CHECK(contains(found.detail, "is lost"));
  CHECK(contains(found.remedy, "copy_again"));
  at.options.copy_again = true;
  CHECK(at.found("slot").how == level::missing);
  at.mend();
  CHECK(at.found("slot").how == level::good);
}

TEST_CASE("a slot older than its publication is made anew") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  at.run("SELECT pg_create_logical_replication_slot('" + at.db
         + "', 'pgoutput')");
  auto found = at.found("slot");
  CHECK(found.how == level::broken);
  CHECK(contains(found.detail, "older than the publication"));
  at.mend();
  CHECK(at.obstacle().empty());
  at.run("INSERT INTO t VALUES (1, 'a')");
  CHECK(at.ask("SELECT count(*) FROM pg_logical_slot_get_binary_changes('"
               + at.db
               + "', NULL, NULL, 'proto_version', '1',"
                 " 'publication_names', '"
               + at.db + "')")
        == "4"); // begin, relation, insert, commit
}
