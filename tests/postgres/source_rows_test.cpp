#include <atomic>

#include "actors/sources/postgres/row_assembly.hpp"
#include "tests/postgres/source_fixture.hpp"
#include "tests/support/dice.hpp"

using namespace sluice;
using namespace sluice::postgres_test;

TEST_CASE_FIXTURE(source_fixture,
                  "What was there is copied, what follows streams") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY, n text);"
      "INSERT INTO public.t SELECT i, 'row ' || i FROM"
      " generate_series(1, 1000) i");
  open();
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
  CHECK(target.of("public.t").size() == 1000);
  sql("BEGIN; INSERT INTO public.t VALUES (2000, 'new');"
      "UPDATE public.t SET n = 'other' WHERE id = 5;"
      "DELETE FROM public.t WHERE id = 6; COMMIT;"
      "UPDATE public.t SET id = 3000 WHERE id = 7");
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
  sql("TRUNCATE public.t");
  catch_up();
  CHECK(target.of("public.t").empty());
}

TEST_CASE_FIXTURE(source_fixture,
                  "A copy under traffic ends where the stream begins") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY, n int);"
      "CREATE TABLE public.u (id int PRIMARY KEY, n int);"
      "INSERT INTO public.t SELECT i, 0 FROM generate_series(1, 3000) i");
  auto stop = std::atomic<bool>{false};
  auto writer = std::thread{[&] {
    auto luck = test::dice{7};
    auto to = postgres::connection::open(server.conninfo(database),
                                         postgres::connection::kind::plain);
    for (int i = 0; to && !stop; ++i) {
      auto id = luck.roll(4'000);
      const auto* table = luck.percent(80) ? "t" : "u";
      auto change = luck.percent(70)
                      ? fmt::format("INSERT INTO public.{0} VALUES ({1}, {2})"
                                    " ON CONFLICT (id) DO UPDATE SET n = {2}",
                                    table, id, i)
                      : fmt::format("DELETE FROM public.{} WHERE id = {}",
                                    table, id);
      static_cast<void>(
        to->run("BEGIN; " + change
                + "; UPDATE public.t SET n = n + 1 WHERE id < 5; COMMIT"));
    }
  }};
  open();
  for (int i = 0; i < 300; ++i)
    read();
  stop = true;
  writer.join();
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
  CHECK(target.of("public.u") == expected_rows("u", "id, n"));
}

TEST_CASE_FIXTURE(source_fixture,
                  "A start goes on behind the last whole transaction") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY, n int)");
  open();
  catch_up();
  for (int round = 1; round <= 5; ++round) {
    sql(fmt::format("INSERT INTO public.t SELECT i, {0} FROM"
                    " generate_series({0}00, {0}49) i;"
                    " UPDATE public.t SET n = n + 1",
                    round));
    if (round % 2 == 0)
      catch_up();
    // Nothing was confirmed: the server would send all of it again.
    open(raised_to(target.closed, target.resolved));
  }
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
}

TEST_CASE_FIXTURE(source_fixture,
                  "What is confirmed may go on the server, captured or not") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY);"
      "CREATE TABLE public.other (id int PRIMARY KEY, n text)");
  options.tables = {{"public.t"}, {}};
  open();
  catch_up();
  sql("INSERT INTO public.other SELECT i, repeat('x', 500) FROM"
      " generate_series(1, 2000) i");
  catch_up();
  static_cast<void>(uut->confirm(target.resolved));
  auto begun = std::chrono::steady_clock::now();
  auto behind = [&] {
    return std::stoll(ask("SELECT pg_current_wal_lsn() - confirmed_flush_lsn"
                          " FROM pg_replication_slots WHERE slot_name = '"
                          + options.slot + "'"));
  };
  while (behind() > 1'000) {
    REQUIRE(std::chrono::steady_clock::now() < begun + 10s);
    read();
  }
}

TEST_CASE_FIXTURE(source_fixture,
                  "A transaction ends with its last row, however it is read") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY, n text);"
      "CREATE TABLE public.other (id int PRIMARY KEY)");
  options.tables = {{"public.t"}, {}};
  sql("CREATE PUBLICATION " + options.publication
      + " FOR TABLE public.t, public.other");
  open();
  catch_up();
  sql("BEGIN; INSERT INTO public.t SELECT i, repeat('x', 2000) FROM"
      " generate_series(1, 3) i; INSERT INTO public.other VALUES (1);"
      " UPDATE public.t SET n = 'y' WHERE id = 2;"
      " INSERT INTO public.other VALUES (2); COMMIT");
  auto end = postgres::parse_lsn(ask("SELECT pg_current_wal_lsn()"));
  auto begun = std::chrono::steady_clock::now();
  auto empty = 0;
  while (target.resolved < postgres::resolved_at(0, end)) {
    REQUIRE(std::chrono::steady_clock::now() < begun + 20s);
    auto batch = uut->read(1); // a row each
    REQUIRE(batch.has_value());
    empty += batch->rows != nullptr && !batch->rows->closed() ? 1 : 0;
    target.take(*batch);
  }
  CHECK(empty >= 2); // it was in parts
  CHECK(target.closed == target.last);
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
}
