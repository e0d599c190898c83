#include "actors/sources/postgres/pg_connection.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <libpq-fe.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/sources/postgres/pg_error.hpp"
#include "tests/support/throwaway_postgres.hpp"

using namespace sluice;
using postgres::connection;
using test::throwaway_postgres;

namespace {

using kind = connection::kind;

bool skipped() {
  if (throwaway_postgres::available())
    return false;
  std::puts("SKIPPED: no PostgreSQL server on this machine");
  return true;
}

connection opened(const std::string& conninfo, kind how = kind::plain) {
  auto result = connection::open(conninfo, how);
  INFO((result ? std::string{} : to_string(result.error())));
  REQUIRE(result);
  return std::move(*result);
}

std::string ask(connection& db, const std::string& sql) {
  auto rows = db.run(sql);
  INFO((rows ? std::string{} : to_string(rows.error())));
  REQUIRE(rows);
  REQUIRE(rows->rows() == 1);
  return std::string{rows->text(0, 0)};
}

error refusal(const std::string& conninfo, kind how = kind::plain) {
  auto result = connection::open(conninfo, how, std::chrono::seconds{2});
  REQUIRE(!result);
  return result.error();
}

// Asks for the password of role `guarded`.
void guard(throwaway_postgres& server) {
  auto path = server.directory() + "/data/pg_hba.conf";
  auto file = std::ifstream{path};
  auto rules = std::string{std::istreambuf_iterator<char>{file}, {}};
  std::ofstream{path} << "local all guarded scram-sha-256\n" << rules;
  server.run("postgres", "CREATE ROLE guarded LOGIN PASSWORD 'tell_nobody'");
  server.stop();
  server.start();
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a connection says where it is") {
  if (skipped())
    return;
  auto& server = throwaway_postgres::shared();
  auto db = opened(server.conninfo() + " password=tell_nobody");
  CHECK(db.where()
        == "postgres on " + server.directory() + ":5432 as postgres");
  CHECK(db.version() >= 140000);
  CHECK(ask(db, "SELECT application_name FROM pg_stat_activity"
                " WHERE pid = pg_backend_pid()")
        == "sluice");
}

TEST_CASE("NULL and the empty string are told apart") {
  if (skipped())
    return;
  auto db = opened(throwaway_postgres::shared().conninfo());
  auto rows = db.run("SELECT $1::text, $2::text, $3::text",
                     {{"it's"}, std::nullopt, {""}});
  REQUIRE(rows);
  CHECK(rows->text(0, 0) == "it's");
  CHECK(rows->is_null(0, 1));
  CHECK(rows->text(0, 1).empty());
  CHECK(!rows->is_null(0, 2));
  CHECK(rows->text(0, 2).empty());
}

TEST_CASE("values look the same whatever the role prefers") {
  if (skipped())
    return;
  throwaway_postgres server;
  server.run("postgres", "ALTER ROLE postgres SET datestyle = 'SQL, DMY';"
                         "ALTER ROLE postgres SET intervalstyle = 'iso_8601';"
                         "ALTER ROLE postgres SET bytea_output = 'escape';"
                         "ALTER ROLE postgres SET extra_float_digits = -3;"
                         "ALTER ROLE postgres SET timezone = 'Asia/Tokyo'");
  auto with_options = server.conninfo()
                      + " options='-c work_mem=777kB -c datestyle=German'";
  for (auto how : {kind::plain, kind::replication}) {
    auto db = opened(with_options, how);
    CHECK(ask(db, "SELECT timestamptz '2026-03-04 05:06:07.5+01'")
          == "2026-03-04 04:06:07.5+00");
    CHECK(ask(db, "SELECT interval '1 day 2 hours'") == "1 day 02:00:00");
    CHECK(ask(db, "SELECT '\\x0041'::bytea") == "\\x0041");
    CHECK(ask(db, "SELECT 0.1::float8 + 0.2") == "0.30000000000000004");
    CHECK(ask(db, "SELECT current_setting('work_mem')") == "777kB");
  }
}

TEST_CASE("the stream of a slot has the fixed style, too") {
  if (skipped())
    return;
  throwaway_postgres server;
  server.run("postgres", "ALTER ROLE postgres SET datestyle = 'SQL, DMY';"
                         "CREATE TABLE t (at timestamptz PRIMARY KEY);"
                         "CREATE PUBLICATION p FOR TABLE t");
  server.run("postgres", "SELECT pg_create_logical_replication_slot('s',"
                         " 'pgoutput')");
  server.run("postgres", "INSERT INTO t VALUES ('2026-03-04 05:06:07+01')");
  auto db = opened(server.conninfo(), kind::replication);
  auto started = db.run("START_REPLICATION SLOT s LOGICAL 0/0"
                        " (proto_version '1', publication_names 'p')");
  REQUIRE(started);
  auto seen = std::string{};
  while (!contains(seen, "2026")) {
    char* frame = nullptr;
    auto size = PQgetCopyData(db.handle(), &frame, 0);
    REQUIRE(size > 0);
    seen.append(frame, static_cast<std::size_t>(size));
    PQfreemem(frame);
  }
  CHECK(contains(seen, "2026-03-04 04:06:07+00"));
}

TEST_CASE("a refused connection says why, and whether to try again") {
  if (skipped())
    return;
  throwaway_postgres server;
  guard(server);
  server.run("postgres", "CREATE ROLE plain LOGIN");
  auto at = server.directory() + ":5432 as ";
  auto host = "host=" + server.directory() + " port=5432 ";

  auto no_database = refusal(server.conninfo("nowhere"));
  CHECK(to_string(no_database)
        == "source_unsupported: nowhere on " + at
             + "postgres: database \"nowhere\" does not exist. Correct the "
               "database's name, or make it.");
  auto no_role = refusal(host + "dbname=postgres user=nobody_here");
  CHECK(to_string(no_role)
        == "source_unsupported: postgres on " + at
             + "nobody_here: role \"nobody_here\" does not exist. Run CREATE "
               "ROLE \"nobody_here\" LOGIN REPLICATION; as a superuser, or let "
               "it in by pg_hba.conf.");
  auto wrong = refusal(host + "dbname=postgres user=guarded password=wrong");
  CHECK(to_string(wrong)
        == "source_unsupported: postgres on " + at
             + "guarded: password authentication failed for user \"guarded\". "
               "Give the role's password in the connection string, in .pgpass "
               "or in PGPASSWORD.");
  auto none = refusal(host + "dbname=postgres user=guarded passfile=/none");
  CHECK(none.code == errc::source_unsupported);
  CHECK(contains(none.detail, "no password supplied"));
  auto no_right = refusal(host + "dbname=postgres user=plain",
                          kind::replication);
  CHECK(no_right.code == errc::source_unsupported);
  CHECK(contains(no_right.remedy, "ALTER ROLE \"plain\" REPLICATION;"));

  server.stop();
  auto gone = refusal(server.conninfo());
  CHECK(to_string(gone)
        == "source_unavailable: postgres on " + at
             + "postgres: No such file or directory. Check that the server "
               "runs and may be reached from here.");
}

TEST_CASE("too many connections are a reason to try again") {
  if (skipped())
    return;
  throwaway_postgres server{{"max_connections = 3", "max_wal_senders = 1",
                             "superuser_reserved_connections = 0"}};
  auto held = std::vector<connection>{};
  auto refused = error{};
  while (!refused && held.size() < 10) {
    auto next = connection::open(server.conninfo(), kind::plain);
    if (next)
      held.push_back(std::move(*next));
    else
      refused = next.error();
  }
  CHECK(refused.code == errc::source_unavailable);
  CHECK(contains(refused.detail, "too many clients"));
  CHECK(contains(refused.remedy, "max_connections"));
}

TEST_CASE("a host that does not answer is given up") {
  auto listener = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = ::sockaddr_in{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  auto size = ::socklen_t{sizeof address};
  auto* plain = reinterpret_cast<::sockaddr*>(&address);
  REQUIRE(::bind(listener, plain, size) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  REQUIRE(::getsockname(listener, plain, &size) == 0);
  auto begin = std::chrono::steady_clock::now();
  auto refused = refusal("host=127.0.0.1 dbname=d user=u port="
                         + std::to_string(::ntohs(address.sin_port)));
  CHECK(refused.code == errc::source_unavailable);
  CHECK(contains(refused.detail, "timeout expired"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{5});
  ::close(listener);
}

TEST_CASE("a password is in no text") {
  if (skipped())
    return;
  throwaway_postgres server;
  guard(server);
  auto host = "host=" + server.directory() + " port=5432 ";
  auto strings = std::vector<std::string>{
    host + "user=guarded dbname=nowhere password=tell_nobody",
    host + "user=guarded dbname=postgres password=tell_nobody_else",
    host + "user=other dbname=postgres password=tell_nobody",
    host + "user=guarded password=my tell_nobody", // not quoted
    host + "user=guarded password=my tell_nobody=1",
    host + "user=guarded password='tell_nobody", // no end
    "tell_nobody",
    "host=127.0.0.1 port=1 user=guarded password=tell_nobody",
    "host=127.0.0.1 user=u sslmode=none password=tell_nobody",
    "postgresql://guarded:tell_nobody@127.0.0.1:1/postgres",
    // Not escaped: libpq would take it for the host, the port, the database.
    "postgresql://guarded:my@tell_nobody@127.0.0.1:1/postgres",
    "postgresql://guarded:tell_nobody/more@127.0.0.1:1/postgres",
    "postgresql://guarded:my/tell_nobody@127.0.0.1:1/postgres",
    "postgresql://guarded:tell_nobody%zz@127.0.0.1:1/postgres",
    "postgresql://guarded:tell_nobody@127.0.0.1:1/postgres?nonsense=1",
    "postgresql://guarded@127.0.0.1:1/postgres?password=tell_nobody",
  };
  for (auto how : {kind::plain, kind::replication})
    for (const auto& x : strings) {
      auto refused = to_string(refusal(x, how));
      CAPTURE(x);
      CHECK(!contains(refused, "tell_nobody"));
      CHECK(!contains(refused, "\n"));
      CHECK(!contains(postgres::without_secrets(x), "tell_nobody"));
    }
  auto good = opened(host
                     + "user=guarded dbname=postgres"
                       " password=tell_nobody");
  CHECK(!contains(good.where(), "tell_nobody"));
  auto failed = good.run("SELECT * FROM no_such_table");
  REQUIRE(!failed);
  CHECK(!contains(to_string(failed.error()), "tell_nobody"));
}

TEST_CASE("a connection string is shown without its secrets") {
  CHECK(postgres::without_secrets("host=h dbname='a b' password=p")
        == "password=*** dbname='a b' host=h");
  CHECK(postgres::without_secrets("postgresql://u:p@h:1/d")
        == "user=u password=*** dbname=d host=h port=1");
  CHECK(postgres::without_secrets("host=h sslpassword=p")
        == "host=h sslpassword=***");
  CHECK(postgres::without_secrets("secret") == "***");
}

TEST_CASE("a failed command tells the server's text and its SQLSTATE") {
  if (skipped())
    return;
  auto db = opened(throwaway_postgres::shared().conninfo());
  auto failed = db.run("SELECT 1 / 0");
  REQUIRE(!failed);
  CHECK(failed.error().detail == db.where() + ": division by zero");
  CHECK(db.last_state() == "22012");
  auto hinted = db.run("SELECT pg_catalog.no_such_function()");
  REQUIRE(!hinted);
  CHECK(contains(hinted.error().remedy, "No function matches"));
  REQUIRE(db.run("SELECT 1"));
  CHECK(db.last_state().empty());
}

TEST_CASE("a connection that the server ended says so") {
  if (skipped())
    return;
  auto& server = throwaway_postgres::shared();
  auto db = opened(server.conninfo());
  server.run("postgres", "SELECT pg_terminate_backend("
                           + ask(db, "SELECT pg_backend_pid()")
                           + "::int, 10000)");
  auto failed = db.run("SELECT 1");
  REQUIRE(!failed);
  CHECK(failed.error().code == errc::source_unavailable);
  CHECK(contains(failed.error().detail, "terminating connection"));
  auto again = db.run("SELECT 1");
  REQUIRE(!again);
  CHECK(again.error().detail == db.where() + ": " + db.last_error());
}

TEST_CASE("a command is ended from another thread") {
  if (skipped())
    return;
  auto db = opened(throwaway_postgres::shared().conninfo());
  auto canceller = std::thread{[&] {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    db.cancel();
  }};
  auto begin = std::chrono::steady_clock::now();
  auto failed = db.run("SELECT pg_sleep(60)");
  canceller.join();
  CHECK(!failed);
  CHECK(db.last_state() == "57014");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{30});
}

TEST_CASE("names and texts come back as they were") {
  if (skipped())
    return;
  auto db = opened(throwaway_postgres::shared().conninfo());
  for (const auto* escapes : {"on", "off"}) {
    ask(db, "SELECT set_config('standard_conforming_strings', '"
              + std::string{escapes} + "', false)");
    for (const auto* x : {"plain", "it's", "a \"name\"", "\\", "\\'; --", ""})
      CHECK(ask(db, "SELECT " + postgres::quoted_text(x)) == x);
    for (const auto* x : {"plain", "A b", "a \"name\"", "\\", "it's"}) {
      auto rows = db.run("SELECT 1 AS " + postgres::quoted_name(x));
      REQUIRE(rows);
      CHECK(PQfname(rows->handle(), 0) == std::string{x});
    }
  }
}

TEST_CASE("many lines of libpq become one") {
  CHECK(postgres::one_line(
          "connection to server at \"h\" (::1), port 1 failed: refused\n"
          "\tIs the server running on that host?\n"
          "connection to server at \"h\" (127.0.0.1), port 1 failed: refused\n")
        == "refused");
  constexpr auto verbose = std::string_view{
    "connection to server on socket \"s\" failed: FATAL:  57P03: starting up\n"
    "DETAIL:  Not yet.\n"
    "LOCATION:  ProcessStartupPacket, postmaster.c:2387\n"};
  CHECK(postgres::one_line(verbose) == "starting up; Not yet.");
  CHECK(postgres::state_in(verbose) == "57P03");
  CHECK(postgres::code_of("57P03") == errc::source_unavailable);
  CHECK(postgres::state_in("could not translate host name").empty());
}
