#include "actors/sources/postgres/pg_setup.hpp"

#include <filesystem>
#include <fstream>

#include "actors/sources/postgres/pg_setup_parts.hpp"
#include "tests/postgres/setup_fixture.hpp"

using namespace sluice;
using namespace sluice::setup_test;

TEST_CASE("what the source makes is missing, and its SQL makes it") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  auto before = at.examined();
  CHECK(before.obstacle(true) == nullptr);
  REQUIRE(before.obstacle(false) != nullptr);
  CHECK(before.obstacle(false)->what == "publication");
  CHECK(at.found("publication").how == level::missing);
  CHECK(at.found("slot").how == level::missing);
  at.mend();
  CHECK(at.obstacle().empty());
  CHECK(at.found("publication").how == level::good);
  CHECK(at.found("slot").how == level::good);
  CHECK(at.ask("SELECT plugin FROM pg_replication_slots WHERE slot_name = '"
               + at.db + "'")
        == "pgoutput");
}

TEST_CASE("looking changes nothing") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  constexpr auto state =
    "SELECT (SELECT count(*) FROM pg_publication)"
    " + (SELECT count(*) FROM pg_replication_slots)"
    " || ' ' || (SELECT string_agg(c::text, ',') FROM pg_class c"
    " WHERE relname = 't')";
  auto before = at.ask(state);
  static_cast<void>(at.examined());
  CHECK(at.ask(state) == before);
}

TEST_CASE("it can be looked at through a replication connection") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  auto to = opened(at.options.conninfo, connection::kind::replication);
  auto found = postgres::examine(to, at.options);
  REQUIRE(found);
  CHECK(found->tables.size() == 1);
  CHECK(postgres::make_publication(to, at.options, *found));
}

// -- the server ---------------------------------------------------------------

TEST_CASE("wal_level has to be logical") {
  if (skipped())
    return;
  throwaway_postgres server{{"wal_level = replica"}};
  auto at = desk{server};
  make_table(at);
  auto found = at.found("wal_level");
  CHECK(found.how == level::broken);
  CHECK(contains(found.detail, "is replica"));
  at.paste(found.sql);
  server.stop();
  server.start();
  CHECK(at.found("wal_level").how == level::good);
  at.mend();
  CHECK(at.obstacle().empty());
}

TEST_CASE("a server needs a free slot and a free WAL sender") {
  if (skipped())
    return;
  throwaway_postgres server{
    {"max_replication_slots = 2", "max_wal_senders = 2"}};
  auto at = desk{server};
  make_table(at);
  CHECK(at.found("max_replication_slots").how == level::good);
  CHECK(at.found("max_wal_senders").how == level::good);
  at.run("SELECT pg_create_physical_replication_slot('of_nobody')");
  CHECK(at.found("max_replication_slots").how == level::warning);
  at.run("SELECT pg_create_physical_replication_slot('of_nobody_too')");
  auto held = std::vector<connection>{};
  for (int i = 0; i < 2; ++i)
    held.push_back(opened(server.conninfo(), connection::kind::replication));
  auto slots = at.found("max_replication_slots");
  CHECK(slots.how == level::broken);
  CHECK(slots.code == errc::source_unavailable);
  CHECK(contains(slots.detail, "2 of 2"));
  CHECK(contains(slots.detail, "of_nobody, of_nobody_too"));
  auto senders = at.found("max_wal_senders");
  CHECK(senders.how == level::broken);
  at.paste(slots.sql);
  at.paste(senders.sql);
  held.clear();
  server.stop();
  server.start();
  CHECK(at.found("max_replication_slots").how == level::good);
  CHECK(at.found("max_wal_senders").how == level::good);
  at.run("SELECT pg_drop_replication_slot('of_nobody'),"
         " pg_drop_replication_slot('of_nobody_too')");
}

TEST_CASE("the slot of a source that runs is not one too many") {
  if (skipped())
    return;
  throwaway_postgres server{
    {"max_replication_slots = 2", "max_wal_senders = 2"}};
  auto at = desk{server};
  make_table(at);
  at.mend();
  auto reader = opened(at.options.conninfo, connection::kind::replication);
  REQUIRE(reader.run("START_REPLICATION SLOT " + at.db
                     + " LOGICAL 0/0 (proto_version '1', publication_names '"
                     + at.db + "')"));
  CHECK(at.found("max_replication_slots").how == level::good);
  CHECK(contains(at.found("max_wal_senders").detail, "0 of 2"));
  // Nor is who looks.
  auto to = opened(at.options.conninfo, connection::kind::replication);
  auto found = postgres::examine(to, at.options);
  REQUIRE(found);
  CHECK(contains(printed(*found), "max_wal_senders: 0 of 2"));
}

TEST_CASE("a slot without a limit is a warning") {
  if (skipped())
    return;
  throwaway_postgres server;
  auto at = desk{server};
  auto found = at.found("max_slot_wal_keep_size");
  CHECK(found.how == level::warning);
  at.paste(found.sql);
  // The server reads it when it comes to it.
  while (at.ask("SHOW max_slot_wal_keep_size") == "-1")
    continue;
  CHECK(at.found("max_slot_wal_keep_size").how == level::good);
}

TEST_CASE("a standby is not what changes are read from") {
  if (skipped())
    return;
  throwaway_postgres server;
  auto at = desk{server};
  CHECK(at.found("version").how == level::good);
  server.stop();
  auto signal = server.directory() + "/data/standby.signal";
  std::ofstream{signal} << "";
  server.start();
  auto found = at.found("server");
  CHECK(found.how == level::broken);
  CHECK(found.code == errc::source_unavailable);
  CHECK(contains(found.detail, "standby"));
  server.stop();
  std::filesystem::remove(signal);
  server.start();
}

// -- the role -----------------------------------------------------------------

TEST_CASE("a role without rights is told which it needs") {
  if (skipped())
    return;
  throwaway_postgres server;
  auto at = desk{server};
  server.run("postgres", "CREATE ROLE \"The app\" LOGIN PASSWORD"
                         " 'tell_nobody'");
  at.run("CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY)");
  at.options.conninfo += " user='The app' password=tell_nobody";
  at.options.tables.include = {"s.t"};
  auto role = at.found("role");
  CHECK(role.how == level::broken);
  CHECK(role.sql == names{"ALTER ROLE \"The app\" REPLICATION;"});
  auto table = at.found("table s.t");
  CHECK(table.how == level::broken);
  CHECK(table.sql
        == names{"GRANT USAGE ON SCHEMA \"s\" TO \"The app\";",
                 "GRANT SELECT ON TABLE \"s\".\"t\" TO \"The app\";"});
  at.mend();
  CHECK(at.found("role").how == level::good);
  CHECK(at.found("table s.t").how == level::good);

  // Somebody else made a publication of other tables, with what it needs.
  at.run("DROP PUBLICATION " + at.db + "; CREATE PUBLICATION " + at.db);
  auto publication = at.found("publication");
  CHECK(publication.how == level::broken);
  CHECK(contains(publication.detail, "may not change it"));
  at.run("ALTER PUBLICATION " + at.db
         + " OWNER TO postgres;"
           "GRANT CREATE ON DATABASE "
         + at.db + " TO \"The app\"");
  at.run("DROP PUBLICATION " + at.db);
  publication = at.found("publication");
  CHECK(publication.how == level::broken);
  CHECK(contains(publication.detail, "does not own s.t"));
  at.run("ALTER TABLE s.t OWNER TO \"The app\"");
  CHECK(at.found("publication").how == level::missing);
  at.run("REVOKE CREATE ON DATABASE " + at.db + " FROM \"The app\"");
  CHECK(at.found("publication").how == level::broken);
  CHECK(contains(at.found("publication").detail, "may not make it"));
  for (const auto& x : at.examined().findings) {
    CHECK(!contains(printed(x), "tell_nobody"));
    CHECK(!contains(to_string(to_error(x, "here")), "tell_nobody"));
  }
}

TEST_CASE("a role may replicate by a role of Amazon's") {
  if (skipped())
    return;
  throwaway_postgres server;
  auto at = desk{server};
  server.run("postgres", "CREATE ROLE rds_replication; CREATE ROLE app LOGIN");
  at.options.conninfo += " user=app";
  CHECK(at.found("role").how == level::broken);
  server.run("postgres", "GRANT rds_replication TO app");
  CHECK(at.found("role").how == level::good);
}

TEST_CASE("a table whose rows are hidden from the role is not copied") {
  if (skipped())
    return;
  throwaway_postgres server;
  auto at = desk{server};
  server.run("postgres", "CREATE ROLE app LOGIN REPLICATION");
  make_table(at);
  at.run("GRANT SELECT ON t TO app; ALTER TABLE t ENABLE ROW LEVEL SECURITY");
  at.options.conninfo += " user=app";
  at.options.tables.include = {"public.t"};
  auto table = at.found("table public.t");
  CHECK(table.how == level::broken);
  CHECK(contains(table.detail, "row level security"));
  at.mend();
  CHECK(at.found("table public.t").how == level::good);
}

// -- texts --------------------------------------------------------------------

TEST_CASE("a finding becomes one line") {
  auto x = finding{level::broken,
                   "wal_level",
                   "is replica",
                   {"ALTER SYSTEM SET wal_level = 'logical';"},
                   "Then restart the server."};
  CHECK(to_string(postgres::to_error(x, "d on h:1 as u"))
        == "source_unsupported: d on h:1 as u: wal_level: is replica. Run "
           "ALTER SYSTEM SET wal_level = 'logical'; Then restart the server.");
  x.remedy.clear();
  CHECK(postgres::to_error(x, "").remedy
        == "Run ALTER SYSTEM SET wal_level = 'logical'; and start again.");
  x.sql.clear();
  CHECK(postgres::to_error(x, "").remedy.empty());
}

TEST_CASE("Minor versions that lose changes of a table that joins are told") {
  for (auto good : {140018, 150013, 150020, 160009, 170005, 180000})
    CHECK(postgres::sends_all_that_join(good));
  for (auto bad : {140017, 150012, 160008, 170004})
    CHECK_FALSE(postgres::sends_all_that_join(bad));
}
