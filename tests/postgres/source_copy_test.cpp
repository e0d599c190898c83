#include "tests/postgres/source_fixture.hpp"

using namespace sluice;
using namespace sluice::postgres_test;

namespace {

struct large_fixture : source_fixture {
  large_fixture() {
    sql("CREATE TABLE public.t (id int PRIMARY KEY, n text);"
        "CREATE TABLE public.empty (id int PRIMARY KEY);"
        "INSERT INTO public.t SELECT i, repeat('x', 100) FROM"
        " generate_series(1, 50000) i");
  }
};

} // namespace

TEST_CASE_FIXTURE(large_fixture, "A copy that is cut off begins anew") {
  open();
  while (target.changes < 10'000)
    read();
  REQUIRE(target.closed == row_cursor{});
  uut.reset();
  // These were copied, or would have been.
  sql("DELETE FROM public.t WHERE id % 3 = 0");
  target.last = target.closed; // the log lets go of what is not whole
  open();
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
  CHECK(ask("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '"
            + options.slot + "'")
        == "1");
}

TEST_CASE_FIXTURE(large_fixture, "A copy says how far it is") {
  sql("ANALYZE public.t");
  open();
  auto most = copy_progress{};
  while (target.changes < 30'000) {
    auto batch = uut->read(1U << 16U);
    REQUIRE(batch.has_value());
    target.take(*batch);
    if (batch->copying && batch->copying->table == "public.t")
      most = *batch->copying;
  }
  CHECK(most.rows_done > 20'000);
  CHECK(most.rows_total > 45'000);
  CHECK(most.rows_total < 55'000);
  CHECK(most.all_done == most.rows_done);
  CHECK(most.all_total >= most.rows_total);
}

TEST_CASE_FIXTURE(large_fixture, "A slot that was made for us is copied for,"
                                 " too") {
  options.set_up = false;
  sql("CREATE PUBLICATION " + options.publication
      + " FOR TABLE public.t, public.empty");
  sql("SELECT pg_create_logical_replication_slot('" + options.slot
      + "', 'pgoutput')");
  sql("DELETE FROM public.t WHERE id % 5 = 0"); // in both, and comes once
  open();
  sql("DELETE FROM public.t WHERE id % 3 = 0");
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
  // The one beside it would keep the server's log as long as we read.
  CHECK(ask("SELECT count(*) FROM pg_replication_slots WHERE database ="
            " current_database()")
        == "1");
}

TEST_CASE("A source that nobody reads stays connected, within its memory") {
  auto server = throwaway_postgres{{"wal_sender_timeout = 2s"}};
  auto of = source_fixture{server};
  of.options.queue_bytes = 1U << 20U;
  of.sql("CREATE TABLE public.t (id int PRIMARY KEY, n text)");
  of.open();
  of.catch_up();
  auto pid = of.ask("SELECT active_pid FROM pg_replication_slots");
  for (int i = 0; i < 10; ++i) {
    of.sql(fmt::format("INSERT INTO public.t SELECT i, repeat('x', 1000) FROM"
                       " generate_series({}, {}) i",
                       i * 1000, i * 1000 + 999));
    std::this_thread::sleep_for(500ms);
  }
  CHECK(of.ask("SELECT active_pid FROM pg_replication_slots") == pid);
  of.catch_up();
  CHECK(of.target.of("public.t") == of.expected_rows("t", "id, n"));
}

TEST_CASE_FIXTURE(large_fixture, "A temporary source leaves nothing behind") {
  auto left = [&] {
    return ask("SELECT (SELECT count(*) FROM pg_replication_slots WHERE"
               " database = current_database()) || ' slots, ' ||"
               " (SELECT count(*) FROM pg_publication) || ' publications'");
  };
  options.temporary = true;
  SUBCASE("that copies") {
    open();
    sql("DELETE FROM public.t WHERE id % 3 = 0");
    catch_up();
    CHECK(target.of("public.t") == expected_rows("t", "id, n"));
  }
  SUBCASE("that begins now") {
    options.copy = false;
    open();
    sql("INSERT INTO public.t VALUES (60000, 'new')");
    catch_up();
    CHECK(target.of("public.t") == mirror::rows{{"60000|", "60000|new|"}});
  }
  CHECK(left() == "1 slots, 1 publications");
  uut.reset();
  auto begun = std::chrono::steady_clock::now();
  while (left() != "0 slots, 0 publications")
    REQUIRE(std::chrono::steady_clock::now() < begun + 10s);
}

TEST_CASE_FIXTURE(source_fixture, "A copy ends behind its last row, also where"
                                  " that fills a piece") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY, n text);"
      "INSERT INTO public.t SELECT i, repeat('x', 300000) FROM"
      " generate_series(1, 3) i");
  open();
  while (target.resolved == timestamp{}) {
    auto batch = uut->read(1'000); // a row each
    REQUIRE(batch.has_value());
    target.take(*batch);
  }
  REQUIRE(target.changes == 4); // snapshot_begin, and the rows
  CHECK(target.closed == target.last);
}
