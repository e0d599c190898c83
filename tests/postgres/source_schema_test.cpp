#include "tests/postgres/source_fixture.hpp"

using namespace sluice;
using namespace sluice::postgres_test;

namespace {

struct versions_fixture : source_fixture {
  versions_fixture() {
    sql("CREATE TABLE public.t (id int PRIMARY KEY, n text);"
        "INSERT INTO public.t VALUES (1, 'one')");
    open();
    catch_up();
  }
  // What a reader that has only rows up to `resume` sees of the versions.
  std::vector<std::uint64_t> versions_after(row_cursor resume) {
    open(resume);
    auto result = std::vector<std::uint64_t>{};
    auto end = postgres::parse_lsn(ask("SELECT pg_current_wal_lsn()"));
    sql("SELECT pg_logical_emit_message(true, 'sluice', '')");
    for (auto resolved = timestamp{}; resolved.value < end;) {
      auto batch = uut->read(1U << 20U);
      REQUIRE(batch.has_value());
      for (std::size_t i = 0; batch->rows && i < batch->rows->rows(); ++i)
        result.push_back(batch->rows->row(i).schema().value);
      resolved = batch->resolved;
      std::this_thread::sleep_for(1ms);
    }
    return result;
  }
};

} // namespace

TEST_CASE_FIXTURE(versions_fixture, "A column that is added is a version") {
  sql("ALTER TABLE public.t ADD COLUMN more int DEFAULT 7;"
      "INSERT INTO public.t VALUES (2, 'two', 8)");
  catch_up();
  CHECK(target.of("public.t").at("2|") == "2|two|8|");
}

TEST_CASE_FIXTURE(versions_fixture,
                  "Rows that are read again have the version that they had") {
  auto before = row_cursor::end_of(target.resolved);
  sql("INSERT INTO public.t VALUES (2, 'two')");
  sql("ALTER TABLE public.t ADD COLUMN more int");
  sql("INSERT INTO public.t VALUES (3, 'three', 3)");
  sql("ALTER TABLE public.t DROP COLUMN more");
  sql("INSERT INTO public.t VALUES (4, 'four')");
  auto first = versions_after(before);
  CHECK(first == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(versions_after(before) == first);
}

TEST_CASE_FIXTURE(versions_fixture,
                  "Rows of two versions may be of one transaction") {
  auto before = row_cursor::end_of(target.resolved);
  sql("BEGIN; INSERT INTO public.t VALUES (2, 'two');"
      "ALTER TABLE public.t ADD COLUMN more int;"
      "INSERT INTO public.t VALUES (3, 'three', 3); COMMIT");
  auto first = versions_after(before);
  CHECK(first == std::vector<std::uint64_t>{1, 2});
  CHECK(versions_after(before) == first);
}

TEST_CASE_FIXTURE(versions_fixture,
                  "A table that was dropped and made anew stops the source") {
  auto resume = raised_to(target.closed, target.resolved);
  sql("DROP TABLE public.t; CREATE TABLE public.t (id int PRIMARY KEY, n text);"
      "INSERT INTO public.t VALUES (5, 'five')");
  SUBCASE("at its start") {
    auto result = attempt(resume);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == errc::source_schema_changed);
    options.copy_again = true;
    open(resume);
    catch_up();
    CHECK(target.of("public.t") == expected_rows("t", "id, n"));
  }
  SUBCASE("while it runs") {
    sql("ALTER PUBLICATION " + options.publication
        + " ADD TABLE public.t;"
          "INSERT INTO public.t VALUES (6, 'six')");
    auto begun = std::chrono::steady_clock::now();
    auto failure = error{};
    while (!failure) {
      REQUIRE(std::chrono::steady_clock::now() < begun + 20s);
      if (auto batch = uut->read(1U << 20U); !batch)
        failure = batch.error();
    }
    CHECK(failure.code == errc::source_schema_changed);
  }
}

TEST_CASE_FIXTURE(versions_fixture, "A copy begins the version that it has") {
  sql("ALTER TABLE public.t ADD COLUMN more int DEFAULT 7");
  options.copy_again = true;
  open(raised_to(target.closed, target.resolved));
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n, more"));
}

TEST_CASE_FIXTURE(versions_fixture,
                  "A publication that lacks changes stops the source") {
  SUBCASE("of a table") {
    sql("ALTER PUBLICATION " + options.publication + " DROP TABLE public.t");
  }
  SUBCASE("of a kind") {
    sql("ALTER PUBLICATION " + options.publication
        + " SET (publish = 'insert')");
  }
  auto result = attempt(raised_to(target.closed, target.resolved));
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == errc::source_unsupported);
  options.copy_again = true;
  open(raised_to(target.closed, target.resolved));
  sql("INSERT INTO public.t VALUES (9, 'nine'); DELETE FROM public.t WHERE"
      " id = 1");
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
}

TEST_CASE_FIXTURE(source_fixture, "A key column with another name stops a"
                                  " source of whole old rows") {
  sql("CREATE TABLE public.t (a int, b int, PRIMARY KEY (a, b));"
      "ALTER TABLE public.t REPLICA IDENTITY FULL");
  open();
  catch_up(); // the copy holds the table
  sql("ALTER TABLE public.t RENAME b TO c; INSERT INTO public.t VALUES (1, 2)");
  auto begun = std::chrono::steady_clock::now();
  auto failure = error{};
  while (!failure) {
    REQUIRE(std::chrono::steady_clock::now() < begun + 20s);
    if (auto batch = uut->read(1U << 20U); !batch)
      failure = batch.error();
  }
  CHECK(failure.code == errc::source_schema_changed);
}

TEST_CASE_FIXTURE(source_fixture, "Timeouts of a role do not end a copy") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY, n text);"
      "INSERT INTO public.t SELECT i, repeat('x', 100)"
      " FROM generate_series(1, 100000) i");
  sql("ALTER DATABASE " + database + " SET statement_timeout = '100ms'");
  options.queue_bytes = 64U << 10U; // the rest waits in the server
  open();
  std::this_thread::sleep_for(200ms);
  while (target.resolved == timestamp{})
    read();
  CHECK(target.of("public.t").size() == 100'000);
}

TEST_CASE_FIXTURE(versions_fixture,
                  "A column that comes while a copy begins is not missed") {
  auto db = postgres::connection::open(server.conninfo(database),
                                       postgres::connection::kind::plain);
  REQUIRE(db.has_value());
  REQUIRE(db->run("BEGIN"));
  REQUIRE(db->run("ALTER TABLE public.t ADD COLUMN m int"));
  REQUIRE(db->run("UPDATE public.t SET m = 7"));
  // The slot waits for that transaction, after the columns were looked at.
  auto ending = std::thread{[&] {
    std::this_thread::sleep_for(500ms);
    static_cast<void>(db->run("COMMIT"));
  }};
  auto resume = raised_to(target.closed, target.resolved);
  options.copy_again = true;
  auto result = attempt(resume);
  ending.join();
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == errc::source_unavailable);
  open(resume);
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n, m"));
}

TEST_CASE_FIXTURE(versions_fixture,
                  "What a slot can't get past is not tried again for ever") {
  sql("DROP PUBLICATION " + options.publication);
  sql("INSERT INTO public.t VALUES (2, 'two')");
  auto begun = std::chrono::steady_clock::now();
  auto failure = error{};
  while (!failure) {
    REQUIRE(std::chrono::steady_clock::now() < begun + 20s);
    if (auto batch = uut->read(1U << 20U); !batch)
      failure = batch.error();
  }
  INFO(to_string(failure));
  CHECK(failure.code == errc::source_unsupported);
  CHECK(failure.remedy.find("copy_again") != std::string::npos);
}
