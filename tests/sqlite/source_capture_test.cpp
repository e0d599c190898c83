#include <sys/wait.h>

#include "actors/sources/sqlite/index_terms.hpp"
#include "actors/sources/sqlite/outbox_reader.hpp"
#include "support_source.hpp"

using namespace sluice;
using namespace sluice::source_test;

namespace {

errc open_code(feed& x) {
  auto opened = x.try_open();
  return opened ? errc::none : opened.error().code;
}

void check_history(database& db, const std::string& table,
                   const std::string& statements) {
  db.uut.open();
  db.uut.pull();
  db.app.run(statements);
  db.uut.pull();
  db.check_equal(table);
}

} // namespace

TEST_CASE("A missing file is unavailable, by its path") {
  feed uut{"/nowhere/app.db"};
  auto opened = uut.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == errc::source_unavailable);
  CHECK(opened.error().detail.find("/nowhere/app.db") != std::string::npos);
}

TEST_CASE("Rollback-journal mode is refused without consent") {
  temporary_directory directory;
  application app{directory.file("app.db")};
  app.run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
  feed uut{directory.file("app.db")};
  uut.options_.set_wal = false;
  uut.source = make_sqlite_source(uut.options_);
  CHECK(open_code(uut) == errc::source_unsupported);
  uut.options_.set_wal = true;
  uut.source = make_sqlite_source(uut.options_);
  CHECK(open_code(uut) == errc::none);
}

TEST_CASE("A file that is no database is refused") {
  temporary_directory directory;
  auto* file = std::fopen(directory.file("app.db").c_str(), "w");
  REQUIRE(file != nullptr);
  for (int i = 0; i < 1000; ++i)
    std::fputs("not a database ", file);
  std::fclose(file);
  feed uut{directory.file("app.db")};
  CHECK(open_code(uut) == errc::source_unsupported);
}

TEST_CASE("What cannot be captured is left out, or refused when named") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY);"
              "CREATE TABLE keyless(a, b UNIQUE);"
              "CREATE VIRTUAL TABLE words USING fts5(a);"
              "CREATE TABLE tree(id INTEGER PRIMARY KEY, up REFERENCES tree"
              " ON UPDATE CASCADE);"
              "CREATE TABLE g(id INTEGER PRIMARY KEY, a AS (id + 1) UNIQUE)"};
  db.uut.open();
  auto text = db.uut.source->describe();
  for (const auto* name :
       {"keyless: no declared primary key", "words: ", "tree: ", "g: "})
    CHECK(text.find(name) != std::string::npos);
  CHECK(db.uut.journal->tables.size() == 1);
  struct refused {
    const char* table;
    errc code;
  };
  for (const auto& x : {refused{"keyless", errc::table_without_key},
                        refused{"words", errc::source_unsupported}}) {
    auto options = db.uut.options_;
    options.tables.include = {"t", x.table};
    feed uut{options};
    auto opened = uut.try_open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == x.code);
    CHECK(opened.error().detail.find(x.table) != std::string::npos);
    // Nothing of the failed start is in the way of the next one.
    uut.options_.tables.include = {"*"};
    uut.source = make_sqlite_source(uut.options_);
    CHECK(open_code(uut) == errc::none);
  }
}

TEST_CASE("Only the tables that match are captured, also when that changes") {
  database db{"CREATE TABLE a(id INTEGER PRIMARY KEY);"
              "CREATE TABLE b(id INTEGER PRIMARY KEY)"};
  db.uut.options_.tables = {{"*"}, {"b"}};
  db.uut.source = make_sqlite_source(db.uut.options_);
  db.uut.open();
  db.uut.pull();
  db.app.run("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)");
  CHECK(db.uut.pull().ops.size() == 1);
  db.uut.options_.tables = {{"b"}, {}};
  db.uut.restart(db.uut.last_end);
  db.app.run("INSERT INTO a VALUES (2); INSERT INTO b VALUES (2)");
  db.uut.pull();
  db.check_equal("b");
  CHECK(db.uut.copy.rows(db.uut.table("a")).size() == 1);
}

TEST_CASE("Names of any kind are captured") {
  database db{R"(CREATE TABLE "a ""b"" 'c' ; [d] é"(
                   "select" INTEGER PRIMARY KEY, "x y" UNIQUE, "q""q", 'r',
                   [rowid], "o1", "NEW");
                 CREATE UNIQUE INDEX "i""(," ON "a ""b"" 'c' ; [d] é"(
                   "q""q" || ',' || "o1" COLLATE NOCASE DESC, "x y"))"};
  auto name = std::string{R"(a "b" 'c' ; [d] é)"};
  auto table = sqlite_quoted(name);
  check_history(db, name,
                "INSERT INTO " + table + " VALUES (1, 2, 'a', 4, 5, 'b', 7);"
                  + "REPLACE INTO " + table + " VALUES (2, 2, 3, 4, 5, 6, 7);"
                  + "REPLACE INTO " + table
                  + " VALUES (2, 9, 'a', 4, 5, 'B', 7);" + "INSERT INTO "
                  + table + " VALUES (3, 8, 'A', 4, 5, 'b', 7);"
                  + "UPDATE OR REPLACE " + table + " SET \"x y\" = 9");
}

TEST_CASE("Values keep their storage class") {
  check_history(
    *std::make_unique<database>("CREATE TABLE t(id INTEGER PRIMARY KEY, a INT,"
                                " b TEXT, c REAL, d BLOB, e NUMERIC)"),
    "t",
    "INSERT INTO t VALUES (1, '1', 1, 1, 1, '1.0'), (2, 'x', x'00', 'x', '1',"
    " 1e300), (9223372036854775807, 1.5, '', x'', 0.0, -0.0),"
    " (-9223372036854775808, NULL, NULL, NULL, NULL, 9e999);"
    "UPDATE t SET a = c, b = d, d = a");
}

// It may hold other values, too; as INTEGER it would be a replica's row id.
TEST_CASE("An INTEGER key that is not the row id is declared as INT") {
  database db{"CREATE TABLE r(id INTEGER PRIMARY KEY);"
              "CREATE TABLE k(id INTEGER PRIMARY KEY) WITHOUT ROWID;"
              "CREATE TABLE d(id INTEGER PRIMARY KEY DESC)"};
  for (const auto& x : db.uut.open())
    CHECK(x.schema.columns.at(0).type
          == (x.schema.name == "r" ? "INTEGER" : "INT"));
}

TEST_CASE("A UTF-16 database gives UTF-8") {
  temporary_directory directory;
  auto path = directory.file("app.db");
  application app{path};
  app.run("PRAGMA encoding = 'UTF-16'; PRAGMA journal_mode = WAL;"
          "CREATE TABLE \"tä\"(id TEXT PRIMARY KEY NOT NULL, a)");
  feed uut{path};
  uut.open();
  uut.pull();
  app.run("INSERT INTO \"tä\" VALUES ('é', '𝄞'), ('b', 'ß')");
  uut.pull();
  CHECK(printed(uut.copy.rows(uut.table("tä")))
        == printed(rows_of(app, "*", "tä")));
  CHECK(uut.copy.rows(uut.table("tä")).count({"té", "t𝄞"}) == 1);
}

TEST_CASE("The application may distrust the schema") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE)"};
  check_history(db, "t",
                "PRAGMA trusted_schema = OFF; INSERT INTO t VALUES (1, 1);"
                "REPLACE INTO t VALUES (2, 1); UPDATE t SET id = 5");
}

TEST_CASE("Four hundred columns are captured") {
  auto columns = std::string{};
  for (int i = 0; i < 400; ++i)
    columns += ", c" + std::to_string(i);
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY" + columns + ")"};
  check_history(db, "t",
                "INSERT INTO t(id, c0, c399) VALUES (1, 2, 3), (2, 4, 5);"
                "UPDATE t SET c200 = 'x'; DELETE FROM t WHERE id = 1");
}

TEST_CASE("A change of the key is one update") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.app.run("INSERT INTO t VALUES (1, 1)");
  db.uut.open();
  db.uut.pull();
  db.app.run("UPDATE t SET id = 2");
  auto got = db.uut.pull();
  REQUIRE(got.rows.size() == 1);
  CHECK(got.rows[0].find("{1, 1} -> {2, 1}") != std::string::npos);
  CHECK(got.cursors[0].start_ts == got.cursors[0].commit_ts);
  auto nonce = db.app.integer("SELECT nonce FROM sluice_log WHERE op = 2");
  CHECK(got.cursors[0].position == static_cast<std::uint64_t>(nonce));
}

TEST_CASE("Cascades and emptied tables are captured") {
  database db{"PRAGMA foreign_keys = ON;"
              "CREATE TABLE p(id INTEGER PRIMARY KEY);"
              "CREATE TABLE t(id INTEGER PRIMARY KEY, p REFERENCES p"
              " ON DELETE CASCADE ON UPDATE CASCADE)"};
  check_history(db, "t",
                "INSERT INTO p VALUES (1), (2), (3);"
                "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 3);"
                "UPDATE p SET id = 9 WHERE id = 3; DELETE FROM p WHERE id = 1;"
                "REPLACE INTO p VALUES (2)");
  db.check_equal("p");
  db.app.run("DELETE FROM t; DELETE FROM p");
  db.uut.pull();
  db.check_equal("t");
  db.check_equal("p");
}

TEST_CASE("What another process commits is captured while it runs") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE)"};
  db.uut.open();
  db.uut.pull();
  // SQLite must not cross a fork: the child opens its own.
  auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto other = sqlite_db::open(db.path);
    auto ok = other.has_value();
    for (int i = 0; ok && i < 500; ++i)
      ok = (*other)
             ->exec("REPLACE INTO t(a) VALUES (" + std::to_string(i % 37)
                    + "), (" + std::to_string(i % 11) + ")")
             .has_value();
    ::_exit(ok ? 0 : 1);
  }
  auto state = 0;
  auto rows = std::size_t{0};
  while (::waitpid(child, &state, WNOHANG) == 0) {
    auto got = db.uut.pull(3000);
    rows += got.rows.size();
    db.uut.confirm_all(db.uut.last_end.commit_ts);
  }
  CHECK(state == 0);
  rows += db.uut.pull().rows.size();
  CHECK(rows > 1000);
  db.check_equal("t");
}

TEST_CASE("The recorded time is the application's") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY)"};
  db.uut.open();
  db.uut.pull();
  db.app.run("INSERT INTO t VALUES (1)");
  auto batch = db.uut.source->read(1000);
  REQUIRE(batch);
  REQUIRE(batch->rows);
  using namespace std::chrono;
  auto now =
    duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  auto recorded = static_cast<std::int64_t>(batch->rows->row(0).recorded_us());
  CHECK(std::abs(now - recorded) < 10'000'000);
  CHECK(unix_microseconds(2'440'587.5) == 0);
}

TEST_CASE("The terms of an index are told apart") {
  using terms = std::vector<std::string>;
  CHECK(index_terms("CREATE INDEX i ON t(a)") == terms{"a"});
  CHECK(index_terms("create unique index \"i(,\" on [t)](lower( a ) desc,"
                    " ifnull(b, 'x),') ASC /* , */, \"c,\" collate nocase)"
                    " WHERE d IN (1, 2)")
        == terms{"lower( a )", "ifnull(b, 'x),') ASC /* , */",
                 "\"c,\" collate nocase"});
  CHECK(index_terms("CREATE INDEX i").empty());
}

TEST_CASE("Options that cannot be are refused") {
  CHECK(sqlite_source_options{}.validate().error().code
        == errc::invalid_option);
  CHECK(feed::options_of("x").validate());
}
