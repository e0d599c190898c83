// Tables that cannot be captured, or not any more.
#include "desk.hpp"

using namespace sluice::error_test;

namespace {

constexpr auto no_key_remedy = "Declare one, or leave the table out.";

} // namespace

TEST_CASE("a table that is not there is one line") {
  auto uut = desk{};
  auto both = command{.more = {"--table", "items", "--table", "orders"}};
  uut.fails(both, "unknown_table",
            "app.db: table \"orders\" is not there, but items",
            "Correct the name, or make the table first.");
  uut.app_goes_on();
  SUBCASE("and a name can be corrected") {
    both.more = {"--table", "items"};
  }
  SUBCASE("and the table can be made") {
    uut.sql("app.db", "CREATE TABLE orders(id INTEGER PRIMARY KEY);"
                      "INSERT INTO orders VALUES (7)");
  }
  uut.verifies(both);
  uut.app_goes_on();
  uut.verifies(both);
}

TEST_CASE("a table without a declared key is one line") {
  auto uut = desk{};
  uut.sql("app.db", "CREATE TABLE notes(text); INSERT INTO notes VALUES ('a')");
  auto both = command{.more = {"--table", "items", "--table", "notes"}};
  uut.fails(both, "table_without_key",
            "app.db: table \"notes\": no declared primary key", no_key_remedy);
  uut.app_goes_on();
  SUBCASE("and it can be left out") {
    uut.verifies({.more = {"--table", "items"}}, {"notes"});
    uut.app_goes_on();
    uut.verifies({}, {"notes"}); // Not named, it is left out by itself.
  }
  SUBCASE("and a key can be declared") {
    uut.sql("app.db", "ALTER TABLE notes RENAME TO old;"
                      "CREATE TABLE notes(text NOT NULL PRIMARY KEY);"
                      "INSERT INTO notes SELECT * FROM old; DROP TABLE old");
    uut.verifies(both);
  }
}

TEST_CASE("a captured table that loses its key is one line") {
  auto uut = desk{};
  uut.sql("app.db", "CREATE TABLE tags(name TEXT NOT NULL PRIMARY KEY);"
                    "INSERT INTO tags VALUES ('red')");
  uut.verifies();
  uut.app_goes_on();
  uut.sql("app.db", "BEGIN; CREATE TABLE n(name TEXT);"
                    "INSERT INTO n SELECT * FROM tags; DROP TABLE tags;"
                    "ALTER TABLE n RENAME TO tags;"
                    "INSERT INTO tags VALUES ('green'); COMMIT");
  uut.fails({}, "table_without_key",
            "app.db: table \"tags\": no declared primary key", no_key_remedy);
  uut.app_goes_on();
  SUBCASE("and it can be left out") {
    uut.verifies({.more = {"--table", "items"}}, {"tags"});
    uut.app_goes_on();
    uut.verifies({.more = {"--table", "items"}}, {"tags"});
  }
  SUBCASE("and the key can be declared again") {
    uut.sql("app.db", "BEGIN; CREATE TABLE n(name TEXT NOT NULL PRIMARY KEY);"
                      "INSERT INTO n SELECT * FROM tags; DROP TABLE tags;"
                      "ALTER TABLE n RENAME TO tags; COMMIT");
    uut.verifies();
  }
}

TEST_CASE("a virtual table in the place of a captured one is one line") {
  auto uut = desk{};
  uut.sql("app.db", "CREATE TABLE words(word TEXT NOT NULL PRIMARY KEY)");
  uut.verifies();
  uut.sql("app.db", "DROP TABLE words;"
                    "CREATE VIRTUAL TABLE words USING fts5(word)");
  uut.app_goes_on();
  uut.fails({}, "source_unsupported",
            "app.db: table \"words\": a virtual table has no triggers",
            "Leave the table out.");
  uut.app_goes_on();
  auto items = command{.more = {"--table", "items"}};
  auto others = strings{"words",         "words_data",    "words_idx",
                        "words_content", "words_docsize", "words_config"};
  uut.verifies(items, others);
  uut.app_goes_on();
  uut.verifies(items, others);
}

TEST_CASE("an outbox that lacks a row is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  uut.sql("app.db", "DELETE FROM sluice_rows_1");
  uut.fails({}, "source_schema_changed",
            "app.db: sluice_rows_1 lacks the row of position 3",
            "Copy again: stop the service, remove its directory, and start"
            " it.");
  uut.app_goes_on();
  fs::remove_all(uut.at("state"));
  uut.verifies();
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a database without a table to capture is one line") {
  auto uut = desk{};
  uut.sql("app.db", "DROP TABLE items");
  SUBCASE("because there is none") {
    uut.fails({}, "unknown_table",
              "app.db: nothing to capture, there is no table that matches",
              "Make a table first, or correct the names.");
  }
  SUBCASE("because none can be captured") {
    uut.sql("app.db", "CREATE TABLE notes(text);"
                      "CREATE VIRTUAL TABLE words USING fts5(word)");
    uut.fails({}, "source_unsupported",
              "app.db: nothing to capture, notes: no declared primary key;"
              " words: a virtual table has no triggers",
              "Change one of these tables so that it can be captured.");
    uut.sql("app.db", "DROP TABLE notes; DROP TABLE words");
  }
  uut.sql("app.db", "CREATE TABLE items(id INTEGER PRIMARY KEY, name, price)");
  uut.app_goes_on();
  uut.verifies();
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a database whose last table is dropped ends a run with --once") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  uut.sql("app.db", "DROP TABLE items");
  auto run = uut.start({});
  CHECK_MESSAGE(run->wait() == 0, run->err());
  CHECK(run->err().empty());
}
