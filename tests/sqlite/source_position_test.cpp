#include "support_source.hpp"

using namespace sluice;
using namespace sluice::source_test;

namespace {

constexpr auto schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
                        "CREATE TABLE e(id INTEGER PRIMARY KEY)";

void copy_file(const std::string& from, const std::string& to) {
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(to + suffix);
    if (std::filesystem::exists(from + suffix))
      std::filesystem::copy_file(from + suffix, to + suffix);
  }
}

errc code_of(const expected<std::vector<ddl_event>>& x) {
  return x ? errc::none : x.error().code;
}

} // namespace

TEST_CASE("A source resumes at every end mark without loss or repetition") {
  database db{schema};
  db.uut.open();
  for (int i = 0; i < 30; ++i) {
    db.app.run("INSERT INTO t(a) VALUES (" + std::to_string(i) + ")");
    auto got = db.uut.pull();
    if (i % 3 == 0)
      db.uut.restart(db.uut.last_end);
  }
  db.app.run("DELETE FROM t WHERE id % 2 = 0");
  db.uut.restart(db.uut.last_end);
  db.uut.pull(1);
  db.check_equal("t");
}

TEST_CASE("The same outbox read twice gives the same bytes and cursors") {
  database db{schema};
  db.uut.open();
  auto start = (db.uut.pull(), db.uut.last_end);
  db.app.run("INSERT INTO t(a) VALUES (1), (2.5), ('x'), (x'00'), (NULL)");
  db.app.run("UPDATE t SET a = id; DELETE FROM t WHERE id = 2");
  auto first = db.uut.pull();
  feed again{db.uut.options_};
  again.journal = db.uut.journal;
  again.open(start);
  auto second = again.pull(150);
  CHECK(first.bytes == second.bytes);
  CHECK(first.cursors == second.cursors);
  CHECK(first.bytes.size() > 0);
}

TEST_CASE("A copy that was cut off is replaced whole by the next one") {
  database db{schema};
  db.app.run("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n"
             " WHERE x < 500) INSERT INTO t(id) SELECT x FROM n");
  db.uut.open();
  auto got = pulled{};
  for (int i = 0; i < 3; ++i) {
    auto batch = db.uut.source->read(2000);
    REQUIRE(batch);
    CHECK(batch->more);
    CHECK(batch->copying);
    db.uut.take(*batch, got);
  }
  CHECK(got.ends.empty());
  db.app.run("DELETE FROM t WHERE id % 3 = 0");
  db.uut.open_group = false;
  db.uut.source = make_sqlite_source(db.uut.options_);
  auto before = db.uut.cursor;
  db.uut.open();
  got = db.uut.pull(2000);
  CHECK(got.cursors.front() > before);
  CHECK(got.ops.front() == row_op::snapshot_begin);
  CHECK(std::all_of(got.copied.begin(), got.copied.end(),
                    [](bool x) { return x; }));
  CHECK(got.ends.size() == 1);
  db.check_equal("t");
  // Complete now: not once more.
  db.uut.restart(db.uut.last_end);
  CHECK(db.uut.pull().rows.empty());
}

TEST_CASE("An empty table gives just the beginning of its copy") {
  database db{schema};
  auto schemas = db.uut.open();
  CHECK(schemas.size() == 2);
  auto got = db.uut.pull();
  REQUIRE(got.ops == std::vector<row_op>(2, row_op::snapshot_begin));
  CHECK(got.cursors[0] < got.cursors[1]);
  CHECK(schemas[0].ts < got.cursors[0].commit_ts);
}

TEST_CASE("What was committed before the copy is not given twice") {
  database db{schema};
  db.uut.open();
  db.app.run("INSERT INTO t(a) VALUES (1)"); // after the copy's snapshot
  db.uut.pull();
  db.check_equal("t");
}

TEST_CASE("A restored backup is noticed") {
  database db{schema};
  db.uut.open();
  db.app.run("INSERT INTO t(a) VALUES (1)");
  db.uut.pull();
  auto backup = db.directory.file("backup.db");
  db.app.run("VACUUM INTO '" + backup + "'");
  db.app.run("INSERT INTO t(a) VALUES (2); INSERT INTO t(a) VALUES (3)");
  db.uut.pull();
  db.uut.confirm_all(db.uut.last_end.commit_ts);
  db.uut.source.reset();
  db.app.db.reset();
  copy_file(backup, db.path);
  db.uut.source = make_sqlite_source(db.uut.options_);
  auto resume = db.uut.last_end;
  auto opened = db.uut.try_open(resume);
  CHECK(code_of(opened) == (errc::source_rolled_back));
  SUBCASE("also when the positions were given out again") {
    application app{db.path};
    app.run("PRAGMA journal_mode = WAL");
    for (int i = 0; i < 9; ++i)
      app.run("INSERT INTO t(a) VALUES (4)");
    CHECK(code_of(db.uut.try_open(resume)) == errc::source_rolled_back);
  }
  SUBCASE("and with consent copied again above every position") {
    db.uut.options_.copy_again = true;
    auto highest = db.uut.cursor;
    db.uut.restart(resume);
    auto got = db.uut.pull();
    CHECK(got.cursors.front() > highest);
    application app{db.path};
    CHECK(printed(db.uut.copy.rows(db.uut.table("t")))
          == printed(rows_of(app, "*", "t")));
  }
}

// What came after the backup was read, but not confirmed: no note has it.
TEST_CASE("A restored backup is noticed by the last row alone") {
  database db{schema};
  db.uut.open();
  db.app.run("INSERT INTO t(a) VALUES (1)");
  db.uut.pull();
  db.uut.confirm_all(db.uut.last_end.commit_ts);
  auto backup = db.directory.file("backup.db");
  db.app.run("VACUUM INTO '" + backup + "'");
  db.app.run("INSERT INTO t(a) VALUES (2)");
  db.uut.pull();
  db.uut.source.reset();
  db.app.db.reset();
  copy_file(backup, db.path);
  application app{db.path};
  app.run("PRAGMA journal_mode = WAL; INSERT INTO t(a) VALUES (3), (4)");
  db.uut.source = make_sqlite_source(db.uut.options_);
  CHECK(code_of(db.uut.try_open(db.uut.last_end)) == errc::source_rolled_back);
}

TEST_CASE("A replaced database is noticed") {
  database db{schema};
  db.uut.open();
  db.uut.pull();
  database other{schema};
  other.uut.open();
  other.uut.source.reset();
  other.app.db.reset();
  db.uut.source.reset();
  db.app.db.reset();
  copy_file(other.path, db.path);
  db.uut.source = make_sqlite_source(db.uut.options_);
  CHECK(code_of(db.uut.try_open(db.uut.last_end)) == errc::source_replaced);
}

TEST_CASE("With log and journal lost everything is copied above the past") {
  database db{schema};
  db.uut.open();
  db.app.run("INSERT INTO t(a) VALUES (1)");
  db.uut.pull();
  auto highest = db.uut.cursor;
  feed fresh{db.uut.options_};
  fresh.open();
  auto got = fresh.pull();
  CHECK(got.cursors.front() > highest);
  CHECK(got.ops.front() == row_op::snapshot_begin);
  CHECK(printed(fresh.copy.rows(fresh.table("t")))
        == printed(rows_of(db.app, "*", "t")));
  // The service before must not prune, nor read on.
  CHECK(db.uut.source->read(1000).error().code == errc::stale_source);
}

TEST_CASE("Pruning keeps the newest confirmed row and is bounded") {
  database db{schema};
  db.uut.open();
  db.app.run("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n"
             " WHERE x < 2500) INSERT INTO t(a) SELECT x FROM n");
  db.uut.pull();
  auto end = db.uut.last_end;
  auto more = db.uut.source->confirm(end.commit_ts);
  REQUIRE(more);
  CHECK(*more);
  CHECK(db.app.integer("SELECT count(*) FROM sluice_log") > 1400);
  db.uut.confirm_all(end.commit_ts);
  CHECK(db.app.integer("SELECT count(*) FROM sluice_log") == 1);
  CHECK(db.app.integer("SELECT count(*) FROM sluice_rows_2") == 1);
  db.app.run("DELETE FROM t");
  db.uut.restart(end);
  db.uut.pull(5000);
  db.check_equal("t");
}

TEST_CASE("A lock of the application is waited for, not reported") {
  database db{schema};
  db.uut.options_.busy_timeout = std::chrono::milliseconds{10};
  db.uut.source = make_sqlite_source(db.uut.options_);
  db.uut.open();
  db.app.run("INSERT INTO t(a) VALUES (1), (2)");
  db.uut.pull();
  db.app.run("BEGIN IMMEDIATE; INSERT INTO t(a) VALUES (3)");
  auto more = db.uut.source->confirm(db.uut.resolved);
  REQUIRE(more);
  CHECK(*more);
  CHECK(db.uut.pull().rows.empty());
  db.app.run("COMMIT");
  CHECK(db.uut.pull().rows.size() == 1);
}

TEST_CASE("A read when nothing changed gives nothing") {
  database db{schema};
  db.uut.open();
  db.uut.pull();
  auto batch = db.uut.source->read(1000);
  REQUIRE(batch);
  CHECK_FALSE(batch->rows);
  CHECK_FALSE(batch->more);
  CHECK(batch->resolved == db.uut.resolved);
  using std::chrono::milliseconds;
  CHECK(db.uut.source->idle_wait(1) == milliseconds{2});
  CHECK(db.uut.source->idle_wait(2) == milliseconds{4});
  CHECK(db.uut.source->idle_wait(1000) == milliseconds{50});
}
