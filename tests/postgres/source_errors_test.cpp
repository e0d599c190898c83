#include <filesystem>
#include <fstream>

#include "tests/postgres/source_fixture.hpp"

using namespace sluice;
using namespace sluice::postgres_test;

namespace fs = std::filesystem;

namespace {

// Each is provoked for real; after its remedy the target has what the source
// has.
struct stopped_fixture : source_fixture {
  explicit stopped_fixture(
    throwaway_postgres& on = throwaway_postgres::shared())
    : source_fixture{on} {
    sql("CREATE TABLE public.t (id int PRIMARY KEY, n text);"
        "INSERT INTO public.t VALUES (1, 'one')");
    open();
    catch_up();
    sql("INSERT INTO public.t VALUES (2, 'two')");
    catch_up();
    static_cast<void>(uut->confirm(target.resolved));
    resume = raised_to(target.closed, target.resolved);
  }
  void close() {
    uut.reset();
    auto begun = std::chrono::steady_clock::now();
    while (ask("SELECT count(*) FROM pg_replication_slots WHERE active") != "0")
      REQUIRE(std::chrono::steady_clock::now() < begun + 10s);
  }
  void stops_with(errc code, const std::string& words) {
    auto result = attempt(resume);
    REQUIRE_FALSE(result.has_value());
    INFO(to_string(result.error()));
    CHECK(result.error().code == code);
    CHECK(result.error().detail.find(words) != std::string::npos);
    CHECK_FALSE(result.error().remedy.empty());
  }
  // Places of another server may be lower than ours: only rows tell.
  void becomes_equal() {
    auto begun = std::chrono::steady_clock::now();
    while (target.of("public.t") != expected_rows("t", "id, n")) {
      REQUIRE(std::chrono::steady_clock::now() < begun + 20s);
      read();
    }
  }
  void copies_again() {
    options.copy_again = true;
    sql("INSERT INTO public.t VALUES (100, 'later')");
    open(resume);
    becomes_equal();
    options.copy_again = false;
    resume = raised_to(target.closed, target.resolved);
    open(resume); // goes on now
    sql("INSERT INTO public.t VALUES (101, 'still later')");
    becomes_equal();
  }

  row_cursor resume;
};

// With a server of its own, whose files it changes.
struct own_server {
  throwaway_postgres mine;
};
struct own_fixture : own_server, stopped_fixture {
  own_fixture() : stopped_fixture{own_server::mine} {
    // nop
  }
  [[nodiscard]] fs::path data() const {
    return fs::path{server.directory()} / "data";
  }
};

} // namespace

TEST_CASE_FIXTURE(stopped_fixture, "A slot that was dropped stops the source") {
  close();
  sql("SELECT pg_drop_replication_slot('" + options.slot + "')");
  sql("DELETE FROM public.t WHERE id = 1");
  stops_with(errc::source_rolled_back, "is gone, and with it the changes");
  copies_again();
}

TEST_CASE_FIXTURE(stopped_fixture,
                  "A slot that somebody moved on stops the source") {
  close();
  sql("INSERT INTO public.t VALUES (3, 'three')");
  sql("SELECT pg_replication_slot_advance('" + options.slot
      + "', pg_current_wal_lsn())");
  stops_with(errc::source_rolled_back, "beyond our rows");
  copies_again();
}

TEST_CASE_FIXTURE(stopped_fixture,
                  "A publication that was dropped stops the source") {
  close();
  sql("DROP PUBLICATION " + options.publication);
  stops_with(errc::source_unsupported, "publication");
  copies_again();
}

TEST_CASE_FIXTURE(stopped_fixture, "Another system stops the source") {
  auto& note = journal.notes.at("postgres:origin");
  note.replace(0, note.find('\n'), "system 12345");
  stops_with(errc::source_replaced, "our rows are of system 12345");
  copies_again();
}

TEST_CASE_FIXTURE(stopped_fixture, "A copy from another system is above what"
                                   " any partition has") {
  auto& note = journal.notes.at("postgres:origin");
  note.replace(0, note.find('\n'), "system 12345");
  highest = {target.resolved.value + (1U << 30U)};
  target.last = row_cursor::end_of(highest); // and lower rows are refused
  copies_again();
}

TEST_CASE_FIXTURE(stopped_fixture, "A slot that another reads is waited for") {
  options.patience = 300ms;
  auto first = std::move(uut);
  stops_with(errc::source_unavailable, "is active");
  options.patience = 10s;
  auto ending = std::thread{[&] {
    std::this_thread::sleep_for(300ms);
    first.reset();
  }};
  open(resume);
  ending.join();
}

TEST_CASE_FIXTURE(stopped_fixture,
                  "A slot that is not of this directory is not taken") {
  close();
  journal.notes.clear();
  resume = {};
  stops_with(errc::source_unsupported, "not of this directory");
}

TEST_CASE_FIXTURE(source_fixture, "Of two directories that make a slot of one"
                                  " name at once, one stops") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY, n text);"
      "INSERT INTO public.t VALUES (1, 'one')");
  sql("CREATE PUBLICATION " + options.publication + " FOR TABLE public.t");
  auto late = memory_journal{};
  // Neither has seen a slot.
  late.before_note = [&] { open(); };
  auto refused = [&] {
    auto second = make_postgres_source(options)->open({}, late);
    REQUIRE_FALSE(second.has_value());
    INFO(to_string(second.error()));
    CHECK(second.error().code == errc::source_unsupported);
    CHECK(second.error().detail.ends_with(
      "slot " + options.slot + " is there, and not of this directory"));
    CHECK(second.error().remedy.starts_with("Name another slot"));
  };
  refused();
  REQUIRE_FALSE(late.before_note);
  refused(); // and is not taken for the one that was to be made
  sql("INSERT INTO public.t VALUES (2, 'two')");
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
}

TEST_CASE_FIXTURE(source_fixture, "A publication that somebody else makes at"
                                  " once is looked at again") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY)");
  journal.before_note = [&] {
    sql("CREATE PUBLICATION " + options.publication + " FOR TABLE public.t");
  };
  auto first = attempt();
  REQUIRE_FALSE(first.has_value());
  INFO(to_string(first.error()));
  CHECK(first.error().code == errc::source_unavailable);
  open();
}

TEST_CASE_FIXTURE(own_fixture, "A server that was restored stops the source") {
  uut.reset();
  server.stop();
  auto backup = fs::path{server.directory()} / "backup";
  fs::copy(data(), backup, fs::copy_options::recursive);
  server.start();
  open(resume);
  sql("INSERT INTO public.t SELECT i, 'lost' FROM"
      " generate_series(1000, 3000) i");
  catch_up();
  resume = raised_to(target.closed, target.resolved);
  uut.reset();
  server.stop();
  auto owned = "chown -R --reference=" + data().string() + " " + backup.string()
               + " && rm -rf " + data().string() + " && mv " + backup.string()
               + " " + data().string() + " && chmod 700 " + data().string();
  REQUIRE(std::system(owned.c_str()) == 0);
  server.start();
  stops_with(errc::source_rolled_back, "its log ends at");
  copies_again();
}

TEST_CASE_FIXTURE(own_fixture, "Another timeline stops the source") {
  uut.reset();
  server.stop();
  auto signal = data() / "recovery.signal";
  std::ofstream{signal}.close();
  auto conf = std::ofstream{data() / "postgresql.conf", std::ios::app};
  conf << "restore_command = 'false'\n";
  conf.close();
  auto owned = "chown --reference=" + data().string() + " " + signal.string();
  REQUIRE(std::system(owned.c_str()) == 0);
  server.start();
  while (ask("SELECT pg_is_in_recovery()") == "t")
    std::this_thread::sleep_for(10ms);
  stops_with(errc::source_rolled_back, "timeline 2");
  copies_again();
}

TEST_CASE_FIXTURE(own_fixture, "A slot that lost its log stops the source") {
  uut.reset();
  server.run("postgres", "ALTER SYSTEM SET max_slot_wal_keep_size = '2MB'");
  server.run("postgres", "ALTER SYSTEM SET max_wal_size = '2MB'");
  server.run("postgres", "SELECT pg_reload_conf()");
  auto lost = [&] {
    return ask("SELECT wal_status FROM pg_replication_slots") == "lost";
  };
  for (int i = 0; i < 50 && !lost(); ++i)
    sql("INSERT INTO public.t SELECT i, repeat('x', 500) FROM"
        " generate_series(10000, 14000) i ON CONFLICT (id) DO UPDATE SET n ="
        " excluded.n; CHECKPOINT");
  REQUIRE(lost());
  stops_with(errc::source_unsupported, "is lost");
  copies_again();
}

TEST_CASE_FIXTURE(own_fixture, "A server that crashes is tried again") {
  server.crash();
  auto failed = false;
  for (int i = 0; i < 1000 && !failed; ++i) {
    auto batch = uut->read(1U << 20U);
    failed = !batch.has_value();
    if (failed)
      CHECK(batch.error().code == errc::source_unavailable);
    std::this_thread::sleep_for(1ms);
  }
  REQUIRE(failed);
  stops_with(errc::source_unavailable, "");
  server.start();
  // It forgot what was confirmed since its checkpoint.
  sql("INSERT INTO public.t VALUES (3, 'three')");
  open(resume);
  catch_up();
  CHECK(target.of("public.t") == expected_rows("t", "id, n"));
}
