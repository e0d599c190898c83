#include "support_source.hpp"

using namespace sluice;
using namespace sluice::source_test;

namespace {

bool has_copy(const pulled& x) {
  return std::find(x.ops.begin(), x.ops.end(), row_op::snapshot_begin)
         != x.ops.end();
}

} // namespace

TEST_CASE("An added column comes with a refresh, not with a copy") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.app.run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)");
  db.uut.open();
  db.uut.pull();
  auto resolved = db.uut.resolved;
  db.app.run("ALTER TABLE t ADD COLUMN b DEFAULT 7; INSERT INTO t VALUES"
             " (4, 4, 4); UPDATE t SET b = NULL WHERE id = 2");
  auto got = db.uut.pull();
  CHECK_FALSE(has_copy(got));
  REQUIRE(got.schemas.size() == 1);
  CHECK(got.schemas[0].schema.version == schema_version{2});
  CHECK(got.schemas[0].schema.columns.size() == 3);
  CHECK(got.schemas[0].ts > resolved);
  CHECK(got.schemas[0].schema.valid_from == got.schemas[0].ts);
  db.app.run("DELETE FROM t WHERE id = 1");
  db.uut.pull();
  CHECK(db.uut.copy.anomalies.empty());
  auto rows = printed(db.uut.copy.rows(db.uut.table("t")));
  // Row 2 has NULL there, which a target has by itself.
  CHECK(rows == "i2 i2 \ni3 i3 i7 \ni4 i4 i4 \n");
}

TEST_CASE("A rebuilt table is copied again") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.app.run("INSERT INTO t VALUES (1, 1), (2, 2)");
  db.uut.open();
  db.uut.pull();
  db.app.run("BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT);"
             "INSERT INTO n SELECT id, a FROM t; DROP TABLE t;"
             "ALTER TABLE n RENAME TO t; COMMIT;"
             "INSERT INTO t VALUES (3, 3)"); // fires no trigger of ours
  auto got = db.uut.pull();
  CHECK(has_copy(got));
  CHECK(got.schemas.size() == 1);
  db.app.run("UPDATE t SET a = 'x' WHERE id = 3");
  db.uut.pull();
  db.check_equal("t");
}

// SQLite's documentation tells to remember all triggers of the table and to
// create them again: ours, too, as they were.
TEST_CASE("A rebuilt table that got our triggers again is copied again") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.app.run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)");
  db.uut.open();
  db.uut.pull();
  auto triggers = db.app.db->prepare(
    "SELECT group_concat(sql, ';') FROM sqlite_schema WHERE type = 'trigger'"
    " AND tbl_name = 't'");
  REQUIRE(triggers);
  REQUIRE(triggers->step());
  auto kept = std::string{triggers->text(0)};
  triggers->reset();
  db.app.run("BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, a);"
             "INSERT INTO n SELECT id, a + 1 FROM t WHERE id < 3; DROP TABLE t;"
             "ALTER TABLE n RENAME TO t;"
             + kept + "; COMMIT; INSERT INTO t VALUES (4, 4)");
  CHECK(has_copy(db.uut.pull()));
  db.check_equal("t");
  SUBCASE("and not once more, also when the file was vacuumed") {
    db.app.run("VACUUM; INSERT INTO t VALUES (5, 5)");
    CHECK_FALSE(has_copy(db.uut.pull()));
    db.check_equal("t");
  }
}

TEST_CASE("A renamed or retyped column is a new version and a copy") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.app.run("INSERT INTO t VALUES (1, 1)");
  db.uut.open();
  db.uut.pull();
  db.app.run("ALTER TABLE t RENAME COLUMN a TO b; UPDATE t SET b = 2");
  auto got = db.uut.pull();
  CHECK(has_copy(got));
  REQUIRE(got.schemas.size() == 1);
  CHECK(got.schemas[0].schema.columns[1].name == "b");
  db.app.run("UPDATE t SET b = 3");
  db.uut.pull();
  db.check_equal("t");
}

TEST_CASE("A renamed table ends under its old name and is copied") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.app.run("INSERT INTO t VALUES (1, 1)");
  db.uut.open();
  db.uut.pull();
  db.app.run("ALTER TABLE t RENAME TO \"T 2\"; INSERT INTO \"T 2\" VALUES"
             " (2, 2)");
  auto got = db.uut.pull();
  CHECK(has_copy(got));
  REQUIRE(got.schemas.size() == 2);
  CHECK((got.schemas[0].dropped || got.schemas[1].dropped));
  db.app.run("INSERT INTO \"T 2\" VALUES (3, 3)");
  db.uut.pull();
  db.check_equal("T 2");
  CHECK(db.app.integer("SELECT count(*) FROM sqlite_schema WHERE type ="
                       " 'trigger' AND tbl_name NOT LIKE 'sluice%'")
        == 5);
}

TEST_CASE("A dropped table is an event, also after a restart") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.app.run("INSERT INTO t VALUES (1, 1)");
  db.uut.open();
  db.uut.pull();
  auto end = db.uut.last_end;
  db.app.run("DROP TABLE t");
  auto got = db.uut.pull();
  REQUIRE(got.schemas.size() == 1);
  CHECK(got.schemas[0].dropped);
  db.uut.source = make_sqlite_source(db.uut.options_);
  auto schemas = db.uut.open(end);
  REQUIRE(!schemas.empty());
  CHECK(schemas.back() == got.schemas[0]);
  SUBCASE("and made anew it has a higher version") {
    db.app.run("CREATE TABLE t(id INTEGER PRIMARY KEY);"
               "INSERT INTO t VALUES (9)");
    got = db.uut.pull();
    REQUIRE(got.schemas.size() == 1);
    CHECK(got.schemas[0].schema.version == schema_version{2});
    CHECK(has_copy(got));
    db.check_equal("t");
  }
}

TEST_CASE("A new table that matches is captured and copied") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.uut.open();
  db.uut.pull();
  db.app.run("CREATE TABLE u(id INTEGER PRIMARY KEY);"
             "INSERT INTO u VALUES (1)");
  auto got = db.uut.pull();
  CHECK(has_copy(got));
  db.app.run("INSERT INTO u VALUES (2)");
  db.uut.pull();
  db.check_equal("u");
}

TEST_CASE("A newer trigger of the application moves ours to the end again") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.uut.open();
  db.uut.pull();
  db.app.run("CREATE TRIGGER x AFTER INSERT ON t BEGIN"
             " UPDATE t SET a = 5 WHERE id = NEW.id; END;"
             "INSERT INTO t VALUES (1, 1)");
  CHECK(has_copy(db.uut.pull()));
  db.app.run("INSERT INTO t VALUES (2, 2)");
  auto got = db.uut.pull();
  REQUIRE(got.ops == std::vector{row_op::insert, row_op::update});
  db.check_equal("t");
}

TEST_CASE("Removed triggers are put back and the table is copied again") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.uut.open();
  db.uut.pull();
  db.app.run("DROP TRIGGER sluice_1_ad");
  db.app.run("INSERT INTO t VALUES (1, 1); DELETE FROM t;"
             "INSERT INTO t VALUES (2, 2)");
  CHECK(has_copy(db.uut.pull()));
  db.check_equal("t");
}

TEST_CASE("An unrelated change of the schema does nothing") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.uut.open();
  db.uut.pull();
  db.app.run("CREATE INDEX i ON t(a); CREATE VIEW v AS SELECT 1;"
             "INSERT INTO t VALUES (1, 1)");
  auto got = db.uut.pull();
  CHECK(got.ops == std::vector{row_op::insert});
  CHECK(got.schemas.empty());
}

TEST_CASE("A change of the schema while the source is down is found at open") {
  database db{"CREATE TABLE t(id INTEGER PRIMARY KEY, a)"};
  db.app.run("INSERT INTO t VALUES (1, 1)");
  db.uut.open();
  db.uut.pull();
  db.uut.source.reset();
  db.app.run("UPDATE t SET a = 2; ALTER TABLE t ADD COLUMN b;"
             "UPDATE t SET b = 3");
  db.uut.source = make_sqlite_source(db.uut.options_);
  auto schemas = db.uut.open(db.uut.last_end);
  CHECK(schemas.size() == 2);
  db.uut.pull();
  db.check_equal("t");
}
