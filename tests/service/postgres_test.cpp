#include <atomic>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "actors/service.hpp"
#include "actors/sources/postgres/postgres_source.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/throwaway_postgres.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

// A short time in every run; SLUICE_PG_SECONDS=60 is the long form.
std::chrono::seconds wanted_time() {
  const auto* given = std::getenv("SLUICE_PG_SECONDS");
  return std::chrono::seconds{given == nullptr ? 3 : std::atoi(given)};
}

// A service that follows one table, beside traffic on another one.
struct bench {
  bench() {
    server.run(database, "CREATE TABLE t (id bigint PRIMARY KEY, n text);"
                         "CREATE TABLE other (id bigint, n text)");
  }
  void start() {
    auto options = service_options{};
    options.directory = home.file("state");
    options.credit_bytes = 1 << 20;
    options.memory_budget = 16 << 20;
    auto opened = service::open(options);
    REQUIRE(opened.has_value());
    uut.emplace(std::move(*opened));
    auto from = postgres_source_options{};
    from.conninfo = server.conninfo(database);
    from.tables = {{"public.t"}, {}};
    REQUIRE(uut->create_feed("f"));
    REQUIRE(uut->add_source("s", make_postgres_source(from)));
    REQUIRE(uut->subscribe(
      "f", [this](const change_batch& batch, acknowledger ack) -> status {
        while (frozen)
          std::this_thread::sleep_for(1ms);
        rows += batch.size();
        ack.ack();
        return {};
      }));
  }
  void wait_for_rows(std::uint64_t wanted) {
    auto end = std::chrono::steady_clock::now() + 60s;
    while (rows < wanted) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      std::this_thread::sleep_for(1ms);
    }
  }
  std::int64_t number(const std::string& sql) {
    return std::stoll(server.ask(database, sql));
  }

  throwaway_postgres server{{"wal_sender_timeout = 2s"}};
  std::string database = server.make_database();
  temporary_directory home;
  std::atomic<bool> frozen = false;
  std::atomic<std::uint64_t> rows = 0;
  std::optional<service> uut; // last: it uses the others
};

constexpr auto retained =
  "SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM"
  " pg_replication_slots";
constexpr auto unconfirmed =
  "SELECT (pg_current_wal_lsn() - confirmed_flush_lsn)::bigint FROM"
  " pg_replication_slots";

} // namespace

TEST_CASE("Busy tables that nobody follows keep no log on the server") {
  if (!throwaway_postgres::available()) {
    MESSAGE("SKIPPED: no PostgreSQL server here");
    return;
  }
  auto x = bench{};
  x.start();
  x.server.run(x.database, "INSERT INTO t VALUES (1, '')");
  x.wait_for_rows(2); // the copy's beginning, and the row
  auto most = std::int64_t{0};
  auto written = x.number("SELECT (pg_current_wal_lsn() - '0/0')::bigint");
  auto end = std::chrono::steady_clock::now() + wanted_time();
  while (std::chrono::steady_clock::now() < end) {
    // About 1 MiB/s. The server moves restart_lsn each 15 s at most.
    x.server.run(x.database, "INSERT INTO other SELECT i, repeat('x', 500) FROM"
                             " generate_series(1, 180) i");
    std::this_thread::sleep_for(100ms);
    most = std::max(most, x.number(retained));
  }
  written = x.number("SELECT (pg_current_wal_lsn() - '0/0')::bigint") - written;
  MESSAGE((written >> 20), " MiB written, at most ", (most >> 20),
          " MiB of it retained");
  CHECK(most < 32 << 20);
  CHECK(x.number(unconfirmed) < 1 << 20);
}

TEST_CASE("A sink that hangs ends no walsender, and gets all later") {
  if (!throwaway_postgres::available()) {
    MESSAGE("SKIPPED: no PostgreSQL server here");
    return;
  }
  auto x = bench{};
  x.start();
  x.server.run(x.database, "INSERT INTO t VALUES (0, '')");
  x.wait_for_rows(2);
  auto pid = x.number("SELECT active_pid FROM pg_replication_slots");
  x.frozen = true;
  auto wanted = std::uint64_t{2};
  auto end = std::chrono::steady_clock::now() + wanted_time();
  while (std::chrono::steady_clock::now() < end) {
    x.server.run(x.database,
                 fmt::format("INSERT INTO t SELECT i, repeat('x', 1000) FROM"
                             " generate_series({}, {}) i",
                             wanted, wanted + 999));
    wanted += 1'000;
    std::this_thread::sleep_for(20ms);
  }
  CHECK(x.number("SELECT active_pid FROM pg_replication_slots") == pid);
  // What is durable in the log is confirmed: a sink keeps nothing there.
  auto soon = std::chrono::steady_clock::now() + 10s;
  while (x.number(unconfirmed) > 1 << 20)
    REQUIRE(std::chrono::steady_clock::now() < soon);
  x.frozen = false;
  x.wait_for_rows(wanted);
  CHECK(x.rows == wanted);
}

TEST_CASE("A source that was idle goes on after a restart") {
  if (!throwaway_postgres::available()) {
    MESSAGE("SKIPPED: no PostgreSQL server here");
    return;
  }
  auto x = bench{};
  x.start();
  x.server.run(x.database, "INSERT INTO t VALUES (1, '')");
  x.wait_for_rows(2);
  // Behind the last row only promises come, and the slot follows them.
  x.server.run(x.database, "INSERT INTO other SELECT i, repeat('x', 500) FROM"
                           " generate_series(1, 2000) i");
  auto soon = std::chrono::steady_clock::now() + 10s;
  while (x.number(unconfirmed) > 100'000)
    REQUIRE(std::chrono::steady_clock::now() < soon);
  (void) x.uut->stop();
  x.uut.reset();
  x.start();
  x.server.run(x.database, "INSERT INTO t VALUES (2, '')");
  x.wait_for_rows(3);
  CHECK(x.rows == 3);
  auto source = x.uut->source();
  REQUIRE(source.has_value());
  CHECK_FALSE(source->failure);
}
