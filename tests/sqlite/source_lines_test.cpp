// What a source says when it stops: one line with what, where and the remedy.
#include "support_source.hpp"

using namespace sluice;
using namespace sluice::source_test;

namespace {

constexpr auto schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a)";

const auto copy_again = std::string{remedy(errc::source_rolled_back)};
const auto replaced = std::string{remedy(errc::source_replaced)};

std::string line_of(const error& x) {
  auto line = to_string(x);
  CHECK(line.find('\n') == std::string::npos);
  return line;
}

std::string line_of(const expected<std::vector<ddl_event>>& x) {
  return x ? "opened" : line_of(x.error());
}

std::string line_of(const expected<source_batch>& x) {
  return x ? "read" : line_of(x.error());
}

/// A database that was captured, and whose source has gone.
struct captured : database {
  captured() : database{schema} {
    uut.open();
    app.run("INSERT INTO t VALUES (1, 1)");
    uut.pull();
    uut.source = make_sqlite_source(uut.options_);
  }
  void replace_by(const std::string& file) {
    app.db.reset();
    for (const auto* suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(path + suffix);
    std::filesystem::copy_file(file, path);
    application{path}.run("PRAGMA journal_mode = WAL");
  }
  void go_on() {
    uut.open(uut.last_end);
    uut.pull();
  }
  std::string reopened() { return line_of(uut.try_open(uut.last_end)); }
};

} // namespace

TEST_CASE("A restored backup is one line") {
  captured db;
  auto backup = db.directory.file("backup.db");
  db.app.run("VACUUM INTO '" + backup + "'");
  db.go_on();
  db.app.run("INSERT INTO t VALUES (2, 2)");
  db.uut.pull();
  db.uut.source = make_sqlite_source(db.uut.options_);
  db.replace_by(backup);
  CHECK(db.reopened()
        == "source_rolled_back: " + db.path
             + ": its outbox ends at 3, before position 4. " + copy_again);
  application{db.path}.run("INSERT INTO t VALUES (3, 3)");
  CHECK(db.reopened()
        == "source_rolled_back: " + db.path
             + ": position 4 was given out twice. " + copy_again);
}

TEST_CASE("A replaced file is one line") {
  captured db;
  SUBCASE("without an outbox") {
    auto other = db.directory.file("other.db");
    application{other}.run(schema);
    db.replace_by(other);
    CHECK(db.reopened()
          == "source_replaced: " + db.path
               + ": it was captured and has no outbox now. " + replaced);
  }
  SUBCASE("with the outbox of another database") {
    captured other;
    other.app.run("PRAGMA journal_mode = DELETE");
    auto id = [](application& app) {
      auto text = app.db->prepare(
        "SELECT value FROM sluice_meta WHERE key = 'database'");
      REQUIRE(text);
      REQUIRE(text->step());
      return std::string{text->text(0)};
    };
    auto before = id(db.app);
    auto after = id(other.app);
    db.replace_by(other.path);
    CHECK(db.reopened()
          == "source_replaced: " + db.path + ": its id is " + after
               + ", it was " + before + ". " + replaced);
  }
}

TEST_CASE("A dropped key is one line, also of a table that a wildcard names") {
  captured db;
  db.go_on();
  db.app.run("BEGIN; CREATE TABLE n(id, a); INSERT INTO n SELECT * FROM t;"
             "DROP TABLE t; ALTER TABLE n RENAME TO t; COMMIT;"
             "INSERT INTO t VALUES (2, 2)");
  auto line = "table_without_key: " + db.path
              + ": table \"t\": no declared primary key. Declare one, or leave"
                " the table out.";
  CHECK(line_of(db.uut.source->read(1000)) == line);
  CHECK(db.reopened() == line);
  SUBCASE("and left out, the others go on") {
    db.app.run("CREATE TABLE u(id INTEGER PRIMARY KEY)");
    db.uut.options_.tables.exclude = {"t"};
    db.uut.restart(db.uut.last_end);
    db.app.run("INSERT INTO u VALUES (1)");
    db.uut.pull();
    db.check_equal("u");
  }
  SUBCASE("and with a key again, it is copied") {
    db.app.run("DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
               "INSERT INTO t VALUES (7, 7)");
    db.uut.restart(db.uut.last_end);
    db.uut.pull();
    db.check_equal("t");
  }
}

TEST_CASE("A virtual table is one line") {
  captured db;
  db.app.run("CREATE VIRTUAL TABLE words USING fts5(a)");
  auto line = [&](const char* table) {
    return "source_unsupported: " + db.path + ": table \"" + table
           + "\": a virtual table has no triggers. Leave the table out.";
  };
  SUBCASE("when it is named") {
    db.uut.options_.tables.include = {"t", "words"};
    db.uut.source = make_sqlite_source(db.uut.options_);
    CHECK(db.reopened() == line("words"));
  }
  SUBCASE("when it takes the place of a captured one") {
    db.go_on();
    db.app.run("DROP TABLE t; CREATE VIRTUAL TABLE t USING fts5(a)");
    CHECK(line_of(db.uut.source->read(1000)) == line("t"));
  }
  SUBCASE("which tells what a wildcard left out") {
    db.uut.open(db.uut.last_end);
    CHECK(
      db.uut.source->describe().find("words: a virtual table has no triggers")
      != std::string::npos);
  }
}

TEST_CASE("A column that cannot be dropped is one line of SQLite") {
  database db{schema};
  db.uut.open();
  db.uut.pull();
  auto done = db.app.db->exec("ALTER TABLE t DROP COLUMN a");
  REQUIRE_FALSE(done);
  CHECK(done.error().detail
        == db.path
             + ": error in trigger sluice_1_bi after drop column: no such"
               " column: t.a (ALTER TABLE t DROP COLUMN a)");
  db.app.run("INSERT INTO t VALUES (1, 1)");
  db.uut.pull();
  db.check_equal("t");
}
