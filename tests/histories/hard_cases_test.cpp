// The cases of SQLite in which triggers alone would miss a change, one by one:
// the replica has to become equal to the database.
#include <string>
#include <vector>

#include "tests/histories/replication.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace sluice;
using namespace sluice::histories_test;

namespace {

struct hard_case {
  std::string name;
  std::string schema; ///< With its first rows.
  std::vector<std::string> statements;
  std::string query; ///< Shows that the statements did what they should.
  std::string answer;
};

std::string text_of(sqlite_db& db, const std::string& sql) {
  auto query = db.prepare(sql);
  REQUIRE_MESSAGE(query.has_value(), sql);
  REQUIRE(*query->step());
  return std::string{query->text(0)};
}

void exec(sqlite_db& db, const std::string& sql) {
  auto done = db.exec(sql);
  REQUIRE_MESSAGE(done.has_value(), to_string(done.error()));
}

void check(const status& x) {
  REQUIRE_MESSAGE(x.has_value(), to_string(x.error()));
}

/// @param often Read after each statement, else only at the end.
void run(const hard_case& x, bool often, bool recursive) {
  INFO(x.name);
  CAPTURE(often);
  CAPTURE(recursive);
  auto directory = test::temporary_directory{};
  auto path = directory.file("app.db");
  auto uut = replication{path, directory.file("replica.db")};
  auto app = look_into(path);
  exec(*app, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
             "PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = "
               + std::to_string(recursive ? 1 : 0));
  exec(*app, x.schema);
  check(uut.open({}));
  check(uut.drain());
  for (const auto& sql : x.statements) {
    exec(*app, sql);
    if (often)
      check(uut.drain());
  }
  check(uut.drain());
  CHECK(text_of(*app, x.query) == x.answer);
  CHECK(difference(path, uut.to.path) == "");
  // Once more, so that what is in the log goes on to be right.
  check(uut.open(uut.durable()));
  exec(*app, "UPDATE t SET v = v || 'later'; DELETE FROM t WHERE k = 3");
  check(uut.drain());
  CHECK(difference(path, uut.to.path) == "");
}

void run_all(const std::vector<hard_case>& cases) {
  for (const auto& x : cases)
    for (auto often : {false, true})
      for (auto recursive : {false, true})
        run(x, often, recursive);
}

const auto plain = std::string{"CREATE TABLE t(k INTEGER PRIMARY KEY, u UNIQUE,"
                               " v);"};
const auto keyed = std::string{"CREATE TABLE t(k TEXT PRIMARY KEY, u UNIQUE,"
                               " v) WITHOUT ROWID;"};
const auto declared = std::string{
  "CREATE TABLE t(k INTEGER PRIMARY KEY ON CONFLICT REPLACE,"
  " u UNIQUE ON CONFLICT REPLACE, v);"};
const auto declared_keyed = std::string{
  "CREATE TABLE t(k TEXT PRIMARY KEY ON CONFLICT REPLACE,"
  " u UNIQUE ON CONFLICT REPLACE, v) WITHOUT ROWID;"};
const auto rows = std::string{"INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2),"
                              " (3, 'c', 3), (4, 'd', 4);"};
const auto all = std::string{
  "SELECT group_concat(k || u || v, ' ') FROM (SELECT * FROM t ORDER BY k)"};

} // namespace

TEST_CASE("REPLACE in all forms leaves no row behind") {
  for (const auto& schema : {plain + rows, keyed + rows})
    run_all({
      {"INSERT OR REPLACE, key",
       schema,
       {"INSERT OR REPLACE INTO t VALUES (2, 'x', 9)"},
       all,
       "1a1 2x9 3c3 4d4"},
      {"INSERT OR REPLACE, UNIQUE",
       schema,
       {"INSERT OR REPLACE INTO t VALUES (9, 'b', 9)"},
       all,
       "1a1 3c3 4d4 9b9"},
      {"REPLACE INTO, a row by each",
       schema,
       {"REPLACE INTO t VALUES (2, 'a', 9)"},
       all,
       "2a9 3c3 4d4"},
      {"REPLACE INTO, many rows, one displaces the other",
       schema,
       {"REPLACE INTO t VALUES (5, 'a', 5), (6, 'a', 6), (6, 'b', 7)"},
       all,
       "3c3 4d4 6b7"},
      {"UPDATE OR REPLACE, key",
       schema,
       {"UPDATE OR REPLACE t SET k = 3 WHERE k = 1"},
       all,
       "2b2 3a1 4d4"},
      {"UPDATE OR REPLACE, UNIQUE",
       schema,
       {"UPDATE OR REPLACE t SET u = 'c' WHERE k = 1"},
       all,
       "1c1 2b2 4d4"},
      {"UPDATE OR REPLACE, all rows",
       schema,
       {"UPDATE OR REPLACE t SET u = 'z'"},
       "SELECT count(*) FROM t",
       "1"},
      {"REPLACE that is rolled back",
       schema,
       {"BEGIN; REPLACE INTO t VALUES (2, 'a', 9); ROLLBACK",
        "BEGIN; SAVEPOINT s; REPLACE INTO t VALUES (2, 'a', 9);"
        " ROLLBACK TO s; REPLACE INTO t VALUES (3, 'd', 9); COMMIT"},
       all,
       "1a1 2b2 3d9"},
    });
  for (const auto& schema : {declared + rows, declared_keyed + rows})
    run_all({
      {"declared, INSERT, key",
       schema,
       {"INSERT INTO t VALUES (2, 'x', 9)"},
       all,
       "1a1 2x9 3c3 4d4"},
      {"declared, INSERT, UNIQUE",
       schema,
       {"INSERT INTO t VALUES (9, 'b', 9)"},
       all,
       "1a1 3c3 4d4 9b9"},
      {"declared, UPDATE, key",
       schema,
       {"UPDATE t SET k = 3 WHERE k = 1"},
       all,
       "2b2 3a1 4d4"},
      {"declared, UPDATE, UNIQUE",
       schema,
       {"UPDATE t SET u = 'c' WHERE k = 1"},
       all,
       "1c1 2b2 4d4"},
    });
}

TEST_CASE("An UPSERT is what it did") {
  for (const auto& schema : {plain + rows, keyed + rows})
    run_all({
      {"DO UPDATE",
       schema,
       {"INSERT INTO t VALUES (2, 'x', 9), (5, 'e', 5) ON CONFLICT(k) DO"
        " UPDATE SET v = excluded.v"},
       all,
       "1a1 2b9 3c3 4d4 5e5"},
      {"DO UPDATE, UNIQUE, of the key",
       schema,
       {"INSERT INTO t VALUES (9, 'b', 9) ON CONFLICT(u) DO UPDATE SET"
        " k = excluded.k"},
       all,
       "1a1 3c3 4d4 9b2"},
      {"DO NOTHING",
       schema,
       {"INSERT INTO t VALUES (2, 'x', 9), (9, 'b', 9), (5, 'e', 5)"
        " ON CONFLICT DO NOTHING"},
       all,
       "1a1 2b2 3c3 4d4 5e5"},
    });
}

TEST_CASE("Cascades of foreign keys are captured") {
  auto child = [](const std::string& action) {
    return plain + rows
           + "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES t(k) "
           + action
           + "); INSERT INTO c VALUES (1, 1), (2, 2), (3, 2), (4, 4);"
             "CREATE TABLE g(id INTEGER PRIMARY KEY, p REFERENCES c(id)"
             " ON DELETE CASCADE); INSERT INTO g VALUES (1, 2), (2, 4);";
  };
  auto ids = std::string{"SELECT group_concat(id || ifnull(p, 'N'), ' ') || "
                         "(SELECT count(*) FROM g) FROM c"};
  run_all({
    {"ON DELETE CASCADE, over two tables",
     child("ON DELETE CASCADE"),
     {"DELETE FROM t WHERE k = 2"},
     ids,
     "11 441"},
    {"ON DELETE CASCADE, by a REPLACE",
     child("ON DELETE CASCADE"),
     {"REPLACE INTO t VALUES (9, 'b', 9)"},
     ids,
     "11 441"},
    {"ON DELETE CASCADE, by DROP TABLE",
     child("ON DELETE CASCADE"),
     {"DROP TABLE t; " + plain},
     "SELECT count(*) FROM c",
     "0"},
    {"ON DELETE SET NULL",
     child("ON DELETE SET NULL"),
     {"DELETE FROM t WHERE k = 2"},
     ids,
     "11 2N 3N 442"},
    {"ON UPDATE CASCADE",
     child("ON UPDATE CASCADE"),
     {"UPDATE t SET k = k + 10 WHERE k > 1"},
     ids,
     "11 212 312 4142"},
    {"ON UPDATE SET NULL",
     child("ON UPDATE SET NULL"),
     {"UPDATE t SET k = 12 WHERE k = 2"},
     ids,
     "11 2N 3N 442"},
  });
}

TEST_CASE("Triggers of the application may be older or newer than ours") {
  auto note = std::string{"CREATE TABLE a(id INTEGER PRIMARY KEY, x);"};
  auto trigger = std::string{
    "CREATE TRIGGER n AFTER INSERT ON t BEGIN INSERT INTO a(x) VALUES (NEW.u);"
    " UPDATE t SET v = v + 1 WHERE k = NEW.k; END;"
    "CREATE TRIGGER d AFTER DELETE ON t WHEN OLD.v = 2 BEGIN"
    " INSERT OR REPLACE INTO t VALUES (OLD.k, OLD.u, 7); END;"
    "CREATE TRIGGER i AFTER UPDATE ON t WHEN NEW.v = 8 BEGIN"
    " SELECT RAISE(IGNORE); END;"};
  auto changes = std::vector<std::string>{
    "INSERT INTO t VALUES (5, 'e', 5)", "DELETE FROM t WHERE k = 2",
    "REPLACE INTO t VALUES (6, 'a', 6)", "UPDATE t SET v = 8 WHERE k = 4"};
  auto later = changes;
  later.insert(later.begin(), trigger);
  auto answer = all + " WHERE k > 3";
  for (const auto& schema : {plain + note + rows, keyed + note + rows})
    run_all({
      {"older", schema + trigger, changes, answer, "4d8 5e6 6a7"},
      {"newer", schema, later, answer, "4d8 5e6 6a7"},
    });
}

TEST_CASE("Changes of a table's shape are followed") {
  auto rebuilt = [](const std::string& shape, const std::string& query) {
    return "PRAGMA foreign_keys = OFF; BEGIN; CREATE TABLE n" + shape
           + "; INSERT INTO n SELECT " + query
           + " FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;"
             " PRAGMA foreign_key_check; COMMIT; PRAGMA foreign_keys = ON";
  };
  auto change = std::string{"INSERT OR REPLACE INTO t(k, u, v) VALUES"
                            " (8, 'a', 8)"};
  for (const auto& schema : {plain + rows, keyed + rows})
    run_all({
      {"ADD COLUMN",
       schema,
       {"ALTER TABLE t ADD COLUMN w", change, "UPDATE t SET w = k WHERE k > 3"},
       "SELECT group_concat(ifnull(w, '-'), '') FROM t",
       "--48"},
      {"ADD COLUMN with DEFAULT",
       schema,
       {"UPDATE t SET v = 5", "ALTER TABLE t ADD COLUMN w DEFAULT 7", change,
        "ALTER TABLE t ADD COLUMN x TEXT NOT NULL DEFAULT 1.5",
        "UPDATE t SET w = NULL WHERE k = 4"},
       "SELECT group_concat(ifnull(w, '-') || typeof(x), '') FROM t",
       "7text7text-text7text"},
      {"RENAME COLUMN",
       schema,
       {"ALTER TABLE t RENAME COLUMN u TO x",
        "INSERT OR REPLACE INTO t(k, x, v) VALUES (8, 'a', 8)"},
       "SELECT k FROM t WHERE x = 'a'",
       "8"},
      {"12-step rebuild, a column dropped and another type",
       schema,
       {rebuilt("(k TEXT PRIMARY KEY, v TEXT)", "k, v"),
        "INSERT INTO t VALUES ('x', 9)"},
       "SELECT group_concat(k || typeof(v), ' ') FROM t ORDER BY k",
       "1text 2text 3text 4text xtext"},
      {"12-step rebuild, another key",
       schema,
       {rebuilt("(k, u PRIMARY KEY NOT NULL, v)", "k, u, v"),
        "REPLACE INTO t VALUES (1, 'b', 9)"},
       "SELECT group_concat(k || u, ' ') FROM t WHERE u < 'c'",
       "1a 1b"},
      {"12-step rebuild, the same shape, WITHOUT ROWID",
       schema,
       {rebuilt("(k INTEGER PRIMARY KEY, u UNIQUE, v) WITHOUT ROWID",
                "k, u, v + 1"),
        change, "INSERT INTO t VALUES ('no number', 5, 5)"},
       "SELECT count(*) || max(v) FROM t",
       "58"},
      {"a new UNIQUE index",
       schema,
       {"CREATE UNIQUE INDEX i ON t(v)", "REPLACE INTO t VALUES (9, 'z', 2)"},
       all,
       "1a1 3c3 4d4 9z2"},
    });
}

TEST_CASE("A rebuild may create all triggers again, as documented") {
  auto directory = test::temporary_directory{};
  auto path = directory.file("app.db");
  auto uut = replication{path, directory.file("replica.db")};
  auto app = look_into(path);
  exec(*app,
       "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + plain + rows);
  check(uut.open({}));
  check(uut.drain());
  auto triggers = text_of(*app, "SELECT group_concat(sql, ';') FROM"
                                " sqlite_schema WHERE type = 'trigger' AND"
                                " tbl_name = 't'");
  exec(*app, "BEGIN; CREATE TABLE n(k INTEGER PRIMARY KEY, u UNIQUE, v);"
             "INSERT INTO n SELECT k, u, v * 2 FROM t WHERE k < 4;"
             "DROP TABLE t; ALTER TABLE n RENAME TO t; "
               + triggers + "; COMMIT; REPLACE INTO t VALUES (7, 'a', 7)");
  check(uut.drain());
  CHECK(text_of(*app, all) == "2b4 3c6 7a7");
  CHECK(difference(path, uut.to.path) == "");
}
