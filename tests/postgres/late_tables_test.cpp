#include <stop_token>
#include <thread>

#include "tests/postgres/source_fixture.hpp"

using namespace sluice;
using namespace sluice::postgres_test;

namespace {

/// Captures public.t; public.u comes later.
struct late_fixture : source_fixture {
  late_fixture() {
    options.look_interval = 20ms;
    sql("CREATE TABLE public.t (id int PRIMARY KEY, n text);"
        "INSERT INTO public.t SELECT i, 'old' FROM generate_series(1, 100) i");
    open();
    catch_up();
  }
  void add_table(int rows) {
    sql("CREATE TABLE public.u (id int PRIMARY KEY, n text);"
        "INSERT INTO public.u SELECT i, 'row ' || i FROM generate_series(1, "
        + std::to_string(rows) + ") i");
  }
  void reopen() { open(raised_to(target.closed, target.resolved)); }
  template <class Until>
  void read_until(Until until) {
    auto begun = std::chrono::steady_clock::now();
    while (!until()) {
      REQUIRE(std::chrono::steady_clock::now() < begun + 20s);
      read();
    }
  }
  /// What is committed by now comes, and nothing is under way.
  void read_all(const std::string& table) {
    catch_up();
    auto wanted = expected_rows(table, "id, n");
    read_until([&] { return !more && target.of("public." + table) == wanted; });
  }
  [[nodiscard]] std::size_t size(const std::string& table) {
    return target.of("public." + table).size();
  }
};

} // namespace

TEST_CASE_FIXTURE(late_fixture, "A table that comes later is copied, and then "
                                "its changes come") {
  add_table(1'000);
  read_all("u");
  sql("UPDATE public.u SET n = 'new' WHERE id <= 10;"
      "DELETE FROM public.u WHERE id > 990;"
      "INSERT INTO public.t VALUES (101, 'new')");
  read_all("u");
  CHECK(size("u") == 990);
  read_all("t");
}

TEST_CASE_FIXTURE(late_fixture, "The rest streams while a table is copied") {
  options.queue_bytes = 64U << 10U;
  reopen();
  add_table(200'000);
  read_until([&] { return size("u") > 0; });
  sql("INSERT INTO public.t VALUES (101, 'meanwhile')");
  read_until([&] { return size("t") == 101; });
  CHECK(size("u") < 200'000);
  read_all("u");
}

TEST_CASE_FIXTURE(late_fixture, "What changes while a table is copied comes "
                                "once, and in order") {
  options.queue_bytes = 64U << 10U;
  reopen();
  add_table(50'000);
  auto writer = std::jthread{[&](const std::stop_token& stop) {
    for (auto i = 1; !stop.stop_requested(); i += 3) {
      auto n = std::to_string(i);
      server.run(database, "BEGIN; UPDATE public.u SET n = 'changed " + n
                             + "' WHERE id IN (" + n + ", 50001 - " + n
                             + "); DELETE FROM public.u WHERE id = 30000 + " + n
                             + "; INSERT INTO public.u VALUES (100000 + " + n
                             + ", 'new'); UPDATE public.t SET n = '" + n
                             + "' WHERE id = 1 + " + n + " % 100; COMMIT");
    }
  }};
  auto begun = std::chrono::steady_clock::now();
  read_until([&] {
    return size("u") > 40'000
           && std::chrono::steady_clock::now() > begun + 500ms;
  });
  writer.request_stop();
  writer.join();
  read_all("u");
  read_all("t");
}

TEST_CASE_FIXTURE(late_fixture,
                  "A table is copied anew after its copy was cut off") {
  options.queue_bytes = 64U << 10U;
  reopen();
  add_table(100'000);
  read_until([&] { return size("u") > 0; });
  REQUIRE(size("u") < 100'000);
  sql("DELETE FROM public.u WHERE id <= 50000");
  reopen();
  read_all("u");
}

TEST_CASE_FIXTURE(late_fixture,
                  "A table is copied anew when the log lost its copy") {
  auto before = raised_to(target.closed, target.resolved);
  auto then = target;
  add_table(10);
  read_all("u");
  target = then;
  open(before);
  read_all("u");
  CHECK(size("u") == 10);
}

TEST_CASE_FIXTURE(late_fixture, "A table that has joined is not copied again") {
  add_table(1'000);
  read_all("u");
  reopen();
  auto changes = target.changes;
  sql("INSERT INTO public.u VALUES (2000, 'one more')");
  read_all("u");
  CHECK(target.changes == changes + 1);
}

TEST_CASE_FIXTURE(late_fixture,
                  "A table that was left out of one start is copied anew") {
  add_table(10);
  read_all("u");
  options.tables = {{"public.t"}, {}};
  reopen();
  sql("INSERT INTO public.u VALUES (11, 'missed')");
  catch_up();
  options.tables = {{"public.*"}, {}};
  reopen();
  read_all("u");
  CHECK(size("u") == 11);
}

TEST_CASE_FIXTURE(late_fixture, "Tables join one after the other") {
  add_table(10);
  read_all("u");
  sql("CREATE TYPE public.mood AS ENUM ('sad', 'happy');"
      "CREATE TABLE public.v (id int PRIMARY KEY, n public.mood);"
      "INSERT INTO public.v VALUES (1, 'happy')");
  read_all("v");
  sql("CREATE TABLE public.w (id int PRIMARY KEY, n text)");
  sql("UPDATE public.v SET n = 'sad'; INSERT INTO public.w VALUES (1, 'w')");
  read_all("w");
  read_all("v");
}

TEST_CASE_FIXTURE(late_fixture, "A table that changes while it is copied has "
                                "the columns of each time") {
  options.queue_bytes = 64U << 10U;
  reopen();
  add_table(20'000);
  read_until([&] { return size("u") > 0; });
  // Its copy holds the table until the server has sent all of it.
  auto writer = std::jthread{[&] {
    server.run(database, "ALTER TABLE public.u ADD COLUMN more int;"
                         "UPDATE public.u SET more = id WHERE id <= 10;"
                         "ALTER TABLE public.u DROP COLUMN more;"
                         "UPDATE public.u SET n = 'last' WHERE id <= 10");
  }};
  read_until([&] { return size("u") == 20'000; });
  writer.join();
  read_all("u");
}

TEST_CASE_FIXTURE(late_fixture, "A table that is dropped while it is copied "
                                "stops no other") {
  add_table(10);
  // Looked at, and gone before the copy can begin.
  auto blocker = std::jthread{[&] {
    server.run(database, "BEGIN; LOCK TABLE public.u IN ACCESS EXCLUSIVE MODE;"
                         "SELECT pg_sleep(0.3); DROP TABLE public.u; COMMIT");
  }};
  read_until([&] { return ask("SELECT to_regclass('public.u')").empty(); });
  blocker.join();
  sql("INSERT INTO public.t VALUES (101, 'goes on')");
  read_all("t");
}

TEST_CASE_FIXTURE(late_fixture, "A copy that waits for a lock takes no time "
                                "of the processor") {
  add_table(10);
  auto blocker = std::jthread{[&] {
    server.run(database, "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM"
                         " pg_replication_slots WHERE temporary AND"
                         " database = current_database()) LOOP"
                         " PERFORM pg_sleep(0.0001); END LOOP;"
                         " LOCK TABLE public.u IN ACCESS EXCLUSIVE MODE;"
                         " PERFORM pg_sleep(0.5); END $$");
  }};
  auto reads = 0;
  read_until([&] { return ++reads, size("u") == 10; });
  CHECK(reads < 3'000);
}

TEST_CASE_FIXTURE(late_fixture, "A gap of a captured table stops the source") {
  auto code = errc::source_unsupported;
  SUBCASE("that was dropped and made anew") {
    code = errc::source_schema_changed;
    sql("DROP TABLE public.t; CREATE TABLE public.t (id int PRIMARY KEY)");
  }
  SUBCASE("that the publication lacks") {
    sql("ALTER PUBLICATION " + options.publication + " DROP TABLE public.t");
  }
  SUBCASE("that the publication lacks when another one comes") {
    sql("ALTER PUBLICATION " + options.publication
        + " DROP TABLE public.t; INSERT INTO public.t VALUES (101, 'missed');"
          "CREATE TABLE public.u (id int PRIMARY KEY)");
  }
  SUBCASE("that joined") {
    code = errc::source_schema_changed;
    add_table(1);
    read_all("u");
    sql("DROP TABLE public.u; CREATE TABLE public.u (id int PRIMARY KEY)");
  }
  auto begun = std::chrono::steady_clock::now();
  auto failure = error{};
  while (!failure) {
    REQUIRE(std::chrono::steady_clock::now() < begun + 10s);
    if (auto batch = uut->read(1U << 20U); !batch)
      failure = batch.error();
  }
  CHECK(failure.code == code);
}

TEST_CASE_FIXTURE(late_fixture, "A table that had another name for a while is "
                                "copied anew") {
  SUBCASE("while that is captured") {
    options.tables = {{"public.*"}, {}};
  }
  SUBCASE("while that is not") {
    options.tables = {{"public.?"}, {}};
  }
  reopen();
  add_table(10);
  read_all("u");
  sql("ALTER TABLE public.u RENAME TO other");
  sql("INSERT INTO public.other VALUES (11, 'missed')");
  SUBCASE("and was seen") {
    catch_up();
  }
  SUBCASE("and was not") {
  }
  sql("ALTER TABLE public.other RENAME TO u");
  SUBCASE("then changes") {
    sql("UPDATE public.u SET n = 'new' WHERE id = 11");
  }
  SUBCASE("then rests") {
  }
  read_all("u");
  read_all("t");
  reopen();
  sql("INSERT INTO public.u VALUES (12, 'after')");
  read_all("u");
}

TEST_CASE_FIXTURE(late_fixture, "A source that looks for tables ends at once") {
  add_table(10);
  auto resume = raised_to(target.closed, target.resolved);
  uut.reset();
  // No slot can be made for so long.
  auto old = postgres::connection::open(options.conninfo,
                                        postgres::connection::kind::plain);
  REQUIRE(old);
  REQUIRE(old->run("BEGIN; SELECT pg_current_xact_id()"));
  for (auto after = 0; after < 40; ++after) {
    open(resume);
    std::this_thread::sleep_for(after * 1ms);
    auto begun = std::chrono::steady_clock::now();
    uut.reset();
    CHECK(std::chrono::steady_clock::now() < begun + 2s);
  }
}

TEST_CASE_FIXTURE(late_fixture, "Another name for a moment is no gap") {
  options.tables = {{"public.?"}, {}};
  options.look_interval = 1ms;
  reopen();
  auto writer = std::jthread{[&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      server.run(database, "ALTER TABLE public.t RENAME TO other");
      server.run(database, "ALTER TABLE public.other RENAME TO t");
    }
  }};
  auto begun = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() < begun + 2s)
    read();
  writer.request_stop();
  writer.join();
  sql("INSERT INTO public.t VALUES (101, 'new')");
  read_all("t");
}

TEST_CASE_FIXTURE(late_fixture, "A table that is copied may change before its "
                                "rows are taken") {
  add_table(10);
  sql("DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_replication_slots WHERE"
      " temporary AND active AND database = current_database()) LOOP"
      " PERFORM pg_sleep(0.001); END LOOP; END $$");
  sql("SET lock_timeout = '5s'; ALTER TABLE public.u ADD COLUMN more int");
  read_all("u");
}

TEST_CASE_FIXTURE(late_fixture, "What comes later without a key is told") {
  sql("CREATE TABLE public.k (id int)");
  read_until([&] {
    return uut->describe().find("public.k: has no primary key")
           != std::string::npos;
  });
  sql("ALTER TABLE public.k ADD n text, ADD PRIMARY KEY (id)");
  read_all("k");
  read_until(
    [&] { return uut->describe().find("public.k") == std::string::npos; });
}

TEST_CASE_FIXTURE(late_fixture, "Without set_up a table joins once the "
                                "publication has it") {
  options.set_up = false;
  options.tables = {{"public.t", "public.u*"}, {}};
  reopen();
  add_table(10);
  sql("INSERT INTO public.t VALUES (101, 'goes on')");
  read_all("t");
  read_until([&] {
    return uut->describe().find("lacks public.u") != std::string::npos;
  });
  CHECK(size("u") == 0);
  sql("ALTER PUBLICATION " + options.publication + " ADD TABLE public.u");
  read_all("u");
}

TEST_CASE("Without a copy a table joins with what commits from then on") {
  auto x = source_fixture{};
  x.options.temporary = true;
  x.options.copy = false;
  x.options.look_interval = 20ms;
  x.open();
  x.sql("CREATE TABLE public.u (id int PRIMARY KEY, n text);"
        "INSERT INTO public.u VALUES (1, 'before')");
  auto begun = std::chrono::steady_clock::now();
  for (auto i = 2; x.target.of("public.u").empty(); ++i) {
    REQUIRE(std::chrono::steady_clock::now() < begun + 20s);
    x.sql("INSERT INTO public.u VALUES (" + std::to_string(i) + ", 'after')");
    x.read();
  }
  CHECK_FALSE(x.target.of("public.u").contains("1|"));
}
