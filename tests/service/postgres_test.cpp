#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

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

constexpr auto queue_bytes = std::size_t{4 << 20};
constexpr auto memory_budget = std::uint64_t{16 << 20};

std::int64_t resident_bytes() {
  auto pages = std::int64_t{0};
  auto file = std::ifstream{"/proc/self/statm"};
  file >> pages >> pages;
  return pages * ::sysconf(_SC_PAGESIZE);
}

// A service that follows one table, beside traffic on another one.
struct bench {
  bench() {
    server.run(database, "CREATE TABLE t (id bigint PRIMARY KEY, n text);"
                         "CREATE TABLE other (id bigint, n text)");
  }
  void start(confirm_level level = confirm_level::log) {
    auto options = service_options{};
    options.directory = home.file("state");
    options.credit_bytes = 1 << 20;
    options.memory_budget = memory_budget;
    auto opened = service::open(options);
    REQUIRE(opened.has_value());
    uut.emplace(std::move(*opened));
    auto from = postgres_source_options{};
    from.conninfo = server.conninfo(database);
    from.tables.include = tables;
    from.queue_bytes = queue_bytes;
    auto rules = feed_rules{};
    rules.confirm = level;
    REQUIRE(uut->create_feed("f", rules));
    REQUIRE(uut->add_source("s", make_postgres_source(from)));
    REQUIRE(uut->subscribe(
      "f", [this](const change_batch& batch, acknowledger ack) -> status {
        while (frozen)
          std::this_thread::sleep_for(1ms);
        if (away)
          return fail(errc::sink_unavailable, "away");
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
  void insert(std::uint64_t first, std::uint64_t last) {
    server.run(database, fmt::format("INSERT INTO t SELECT i, repeat('x', 1000)"
                                     " FROM generate_series({}, {}) i",
                                     first, last));
  }
  source_status source() {
    auto result = uut->source();
    REQUIRE(result.has_value());
    return *result;
  }
  template <class Condition>
  void wait_until(Condition holds) {
    auto end = std::chrono::steady_clock::now() + 30s;
    while (!holds()) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      std::this_thread::sleep_for(10ms);
    }
  }
  std::int64_t number(const std::string& sql) {
    return std::stoll(server.ask(database, sql));
  }

  throwaway_postgres server{{"wal_sender_timeout = 2s"}};
  std::string database = server.make_database();
  temporary_directory home;
  std::vector<std::string> tables{"public.t"};
  std::atomic<bool> frozen = false;
  std::atomic<bool> away = false;
  std::atomic<std::uint64_t> rows = 0;
  std::optional<service> uut; // last: it uses the others
};

constexpr auto log_end = "SELECT (pg_current_wal_lsn() - '0/0')::bigint";
constexpr auto confirmed =
  "SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_replication_slots";
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

namespace {

// The queue, as it fills and as it was taken; all rows in memory; a read that
// is being made rows; and what the allocator keeps of what was freed.
constexpr auto memory_bound = static_cast<std::int64_t>(
  2 * queue_bytes + memory_budget + (1 << 20) + (8 << 20));

// Writes for a while, and much more than may be in memory.
// @returns How many rows there are then.
std::uint64_t write_while_frozen(bench& x) {
  auto rows = std::uint64_t{2};
  auto resident = resident_bytes();
  auto growth = std::int64_t{0};
  auto begin = x.number(log_end);
  auto written = std::int64_t{0};
  auto end = std::chrono::steady_clock::now() + wanted_time();
  while (std::chrono::steady_clock::now() < end || written < 3 * memory_bound) {
    x.insert(rows, rows + 999);
    rows += 1'000;
    growth = std::max(growth, resident_bytes() - resident);
    written = x.number(log_end) - begin;
    std::this_thread::sleep_for(20ms);
  }
  MESSAGE((written >> 20), " MiB written, ", (growth >> 10),
          " KiB more in memory, at most ", (memory_bound >> 20), " MiB");
  CHECK(growth < memory_bound);
  return rows;
}

} // namespace

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
  auto wanted = write_while_frozen(x);
  CHECK(x.number("SELECT active_pid FROM pg_replication_slots") == pid);
  // What is durable in the log is confirmed: a sink keeps nothing there.
  x.wait_until([&] { return x.number(unconfirmed) <= 1 << 20; });
  CHECK(x.source().held_back.empty());
  x.frozen = false;
  x.wait_for_rows(wanted);
  CHECK(x.rows == wanted);
}

TEST_CASE("With confirm = sinks a sink that hangs keeps the server's log") {
  if (!throwaway_postgres::available()) {
    MESSAGE("SKIPPED: no PostgreSQL server here");
    return;
  }
  auto x = bench{};
  x.start(confirm_level::sinks);
  x.server.run(x.database, "INSERT INTO t VALUES (0, '')");
  x.wait_for_rows(2);
  x.frozen = true;
  x.server.run(x.database, "INSERT INTO t VALUES (1, '')");
  auto not_there = x.number(log_end); // from the last row on
  auto wanted = write_while_frozen(x) + 1;
  x.wait_until([&] { return x.source().rows == wanted; }); // all in the log
  std::this_thread::sleep_for(300ms);
  CHECK(x.number(confirmed) < not_there);
  auto now = x.source();
  CHECK(static_cast<std::int64_t>(now.retained_bytes) > 2 * memory_bound);
  CHECK(now.retained_bytes
        <= static_cast<std::uint64_t>(x.number(unconfirmed)));
  MESSAGE(now.held_back);
  CHECK(now.held_back
        == fmt::format("source s: keeps {} MiB after {}, because feed \"f\" "
                       "(confirm = sinks) has no more yet",
                       now.retained_bytes >> 20, now.confirmed_at));
  x.frozen = false;
  x.wait_for_rows(wanted);
  x.wait_until([&] { return x.number(unconfirmed) < 100'000; });
  x.wait_until([&] { return x.source().held_back.empty(); });
  CHECK(x.rows == wanted);
}

TEST_CASE("With confirm = sinks a restart confirms no more than sinks have") {
  if (!throwaway_postgres::available()) {
    MESSAGE("SKIPPED: no PostgreSQL server here");
    return;
  }
  auto x = bench{};
  x.start(confirm_level::sinks);
  x.server.run(x.database, "INSERT INTO t VALUES (0, '')");
  x.wait_for_rows(2);
  x.away = true;
  x.server.run(x.database, "INSERT INTO t VALUES (1, '')");
  auto not_there = x.number(log_end);
  x.insert(2, 2'000);
  x.wait_until([&] { return x.source().rows == 2'002; });
  (void) x.uut->stop(100ms);
  x.uut.reset();
  x.start(confirm_level::sinks);
  x.wait_until([&] { return x.source().held_by == feed_id{1}; });
  std::this_thread::sleep_for(1s); // the server hears of it twice a second
  CHECK(x.number(confirmed) < not_there);
  x.away = false;
  x.wait_for_rows(2'002);
  x.wait_until([&] { return x.number(unconfirmed) < 100'000; });
  CHECK(x.rows == 2'002);
}

TEST_CASE("The status of a source says what is not captured, and why") {
  if (!throwaway_postgres::available()) {
    MESSAGE("SKIPPED: no PostgreSQL server here");
    return;
  }
  auto x = bench{};
  x.tables = {"public.*"};
  x.start();
  auto end = std::chrono::steady_clock::now() + 60s;
  auto left_out = std::vector<std::string>{};
  while (left_out.empty()) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    auto status = x.uut->source();
    REQUIRE(status);
    left_out = status->left_out;
    std::this_thread::sleep_for(1ms);
  }
  REQUIRE(left_out.size() == 1);
  CHECK(left_out[0].starts_with("public.other: has no primary key"));
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
