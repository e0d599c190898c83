#include "tests/sqlite/sink_fixture.hpp"

using namespace sink_test;

TEST_CASE("the sink makes a table with the source's columns, types and key") {
  auto uut = replica{};
  uut.open();
  auto orders = schema_of(7, "main.orders", 1,
                          {{"line", "INT", 2},
                           {"shop", "VARCHAR(10)", 1},
                           {"odd", "my \"type", 0},
                           {"none", "", 0}});
  uut.apply(rows_builder{orders}.insert(1, {i(1), t("a"), null(), b("x")}));
  CHECK(
    uut.query("SELECT name, type, pk FROM pragma_table_info('orders')")
    == lines{"line|INT|2", "shop|VARCHAR(10)|1", "odd|my \"type|0", "none||0"});
  CHECK(uut.query("SELECT count(*) FROM orders") == lines{"1"});
}

TEST_CASE("a single INTEGER key is the row id in the replica") {
  auto uut = replica{};
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(42), t("a"), r(1)}));
  CHECK(uut.query("SELECT rowid FROM items") == lines{"42"});
}

TEST_CASE("inserts, updates and erasures arrive, compacted or not") {
  for (auto compact : {true, false}) {
    CAPTURE(compact);
    auto uut = replica{compact};
    uut.open();
    uut.apply(rows_builder{items()}
                .insert(1, {i(1), t("a"), r(1.5)})
                .insert(2, {i(2), t("b"), null()})
                .insert(3, {i(3), t("c"), r(3)})
                .update(4, {i(1), t("a"), r(1.5)}, {i(1), t("aa"), r(1.5)})
                .erase(5, {i(2), t("b"), null()}));
    CHECK(uut.items() == lines{"1|'aa'|1.5", "3|'c'|3.0"});
    uut.apply(rows_builder{items()}
                .update(6, {i(3), t("c"), r(3)}, {i(3), null(), r(4)})
                .erase(7, {i(1), t("aa"), r(1.5)})
                .insert(8, {i(1), t("again"), r(0.5)}));
    CHECK(uut.items() == lines{"1|'again'|0.5", "3|NULL|4.0"});
  }
}

TEST_CASE("a key change moves the row, along with what did not change") {
  for (auto compact : {true, false}) {
    CAPTURE(compact);
    auto uut = replica{compact};
    uut.open();
    uut.apply(rows_builder{items()}
                .insert(1, {i(1), t("a"), r(1)})
                .insert(2, {i(2), t("b"), r(2)}));
    uut.apply(rows_builder{items()}.update(3, {i(1), same(), same()},
                                           {i(9), same(), r(9)}));
    CHECK(uut.items() == lines{"2|'b'|2.0", "9|'a'|9.0"});
    // 2 -> 3 -> 4, and 9 takes the place that 2 left.
    uut.apply(rows_builder{items()}
                .update(4, {i(2), t("b"), r(2)}, {i(3), t("b"), r(2)})
                .update(5, {i(3), t("b"), r(2)}, {i(4), t("b"), r(2)})
                .update(6, {i(9), t("a"), r(9)}, {i(2), t("a"), r(9)}));
    CHECK(uut.items() == lines{"2|'a'|9.0", "4|'b'|2.0"});
  }
}

TEST_CASE("unchanged columns keep what the replica has") {
  for (auto compact : {true, false}) {
    CAPTURE(compact);
    auto uut = replica{compact};
    uut.open();
    uut.apply(rows_builder{items()}.insert(1, {i(1), t("long"), r(1)}));
    uut.apply(rows_builder{items()}
                .update(2, {i(1), same(), same()}, {i(1), same(), r(2)})
                .update(3, {i(1), same(), same()}, {same(), same(), null()}));
    CHECK(uut.items() == lines{"1|'long'|NULL"});
    uut.apply(rows_builder{items()}
                .erase(4, {i(1), same(), same()})
                .insert(5, {i(1), t("new"), r(5)})
                .update(6, {i(1), same(), same()}, {i(1), same(), r(6)}));
    CHECK(uut.items() == lines{"1|'new'|6.0"});
  }
}

TEST_CASE("an update of a row that the replica lacks makes the row") {
  for (auto compact : {true, false}) {
    CAPTURE(compact);
    auto uut = replica{compact};
    uut.open();
    uut.apply(rows_builder{items()}
                .update(1, {i(1), t("a"), r(1)}, {i(1), t("b"), r(1)})
                .update(2, {i(5), t("c"), r(2)}, {i(6), t("c"), r(2)})
                .update(3, {i(7), same(), same()}, {i(7), same(), r(3)}));
    CHECK(uut.items() == lines{"1|'b'|1.0", "6|'c'|2.0", "7|NULL|3.0"});
  }
}

TEST_CASE("a row that moves onto one that should be gone replaces it") {
  for (auto compact : {true, false}) {
    CAPTURE(compact);
    auto uut = replica{compact};
    uut.open();
    uut.apply(rows_builder{items()}
                .insert(1, {i(1), t("a"), r(1)})
                .insert(2, {i(2), t("stale"), r(2)}));
    uut.apply(rows_builder{items()}.update(3, {i(1), t("a"), r(1)},
                                           {i(2), t("a"), r(1)}));
    CHECK(uut.items() == lines{"2|'a'|1.0"});
  }
}

TEST_CASE("truncate and snapshot_begin remove all rows, in the order") {
  for (auto op : {row_op::truncate, row_op::snapshot_begin}) {
    for (auto compact : {true, false}) {
      CAPTURE(compact);
      auto uut = replica{compact};
      uut.open();
      uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
      uut.apply(rows_builder{items()}
                  .insert(2, {i(2), t("b"), r(2)})
                  .add(op, 3, {}, {})
                  .insert(4, {i(3), t("c"), r(3)}));
      CHECK(uut.items() == lines{"3|'c'|3.0"});
    }
  }
}

TEST_CASE("NULL in the key names table and column") {
  auto uut = replica{};
  uut.open();
  auto lines_of = schema_of(3, "lines", 1,
                            {{"order", "INT", 1}, {"no", "REAL", 2}});
  auto error = uut.refused(rows_builder{lines_of}.insert(1, {i(1), null()}));
  CHECK(error.code == errc::null_in_key);
  CHECK(error.detail.find("\"lines\"") != std::string::npos);
  CHECK(error.detail.find("\"no\"") != std::string::npos);
  uut.open();
  auto nan = std::numeric_limits<double>::quiet_NaN();
  error = uut.refused(rows_builder{lines_of}.insert(1, {i(1), r(nan)}));
  CHECK(error.code == errc::null_in_key);
}

TEST_CASE("names of any text are quoted, and NUL is refused") {
  auto uut = replica{};
  uut.open();
  auto odd = schema_of(4, "a\"b; drop table x", 1,
                       {{"select", "INTEGER", 1}, {"c \"d\"", "TEXT) --", 0}});
  uut.apply(rows_builder{odd}
              .insert(1, {i(1), t("x")})
              .update(2, {i(1), t("x")}, {i(2), t("y")})
              .erase(3, {i(7), same()}));
  CHECK(uut.query(R"(SELECT "select", "c ""d""" FROM "a""b; drop table x")")
        == lines{"2|y"});
  auto bad = schema_of(5, std::string{"a\0b", 3}, 1, {{"id", "INT", 1}});
  auto error = uut.refused(rows_builder{bad}.insert(4, {i(1)}));
  CHECK(error.code == errc::invalid_option);
  uut.open();
  bad = schema_of(5, "a", 1, {{std::string{"i\0d", 3}, "INT", 1}});
  error = uut.refused(rows_builder{bad}.insert(4, {i(1)}));
  CHECK(error.code == errc::invalid_option);
  uut.open();
  bad = schema_of(5, "Sluice_Sink_Fence", 1, {{"id", "INT", 1}});
  error = uut.refused(rows_builder{bad}.insert(4, {i(1)}));
  CHECK(error.code == errc::invalid_option);
}

TEST_CASE("without compaction a trigger of the replica sees each change") {
  for (auto compact : {true, false}) {
    auto uut = replica{compact};
    uut.open();
    uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(0)}));
    uut.exec("CREATE TABLE seen (what TEXT);"
             "CREATE TRIGGER i AFTER INSERT ON items BEGIN "
             "INSERT INTO seen VALUES ('insert ' || new.id); END;"
             "CREATE TRIGGER u AFTER UPDATE ON items BEGIN "
             "INSERT INTO seen VALUES ('update ' || new.name); END;"
             "CREATE TRIGGER d AFTER DELETE ON items BEGIN "
             "INSERT INTO seen VALUES ('delete ' || old.id); END;");
    uut.apply(rows_builder{items()}
                .update(2, {i(1), t("a"), r(0)}, {i(1), t("b"), r(0)})
                .update(3, {i(1), t("b"), r(0)}, {i(1), t("c"), r(0)})
                .insert(4, {i(2), t("x"), r(0)})
                .erase(5, {i(2), t("x"), r(0)}));
    auto seen = uut.query("SELECT what FROM seen");
    if (compact)
      CHECK(seen == lines{"update c"});
    else
      CHECK(seen == lines{"update b", "update c", "insert 2", "delete 2"});
  }
}

TEST_CASE("values of a UNIQUE index may swap: its table keeps the order") {
  auto uut = replica{};
  uut.exec("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT UNIQUE, "
           "price REAL)");
  uut.open();
  uut.apply(rows_builder{items()}
              .insert(1, {i(1), t("a"), r(0)})
              .insert(2, {i(2), t("b"), r(0)}));
  // In the order of the keys, 1 would get "b" while 2 still has it.
  uut.apply(rows_builder{items()}
              .update(3, {i(2), t("b"), r(0)}, {i(2), null(), r(0)})
              .update(4, {i(1), t("a"), r(0)}, {i(1), t("b"), r(0)})
              .update(5, {i(2), null(), r(0)}, {i(2), t("a"), r(0)}));
  CHECK(uut.items() == lines{"1|'b'|0.0", "2|'a'|0.0"});
}

TEST_CASE("a row that breaks another constraint is a conflict") {
  auto uut = replica{};
  uut.exec("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT UNIQUE, "
           "price REAL CHECK (price >= 0))");
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(0)}));
  auto error = uut.refused(
    rows_builder{items()}.insert(2, {i(2), t("a"), r(0)}));
  CHECK(error.code == errc::sink_conflict);
  CHECK(error.detail.find("items") != std::string::npos);
  uut.open();
  error = uut.refused(rows_builder{items()}.insert(2, {i(2), t("b"), r(-1)}));
  CHECK(error.code == errc::sink_conflict);
  uut.open();
  error = uut.refused(rows_builder{items()}
                        .insert(2, {i(2), t("b"), r(0)})
                        .update(3, {i(2), t("b"), r(0)}, {i(3), t("a"), r(0)}));
  CHECK(error.code == errc::sink_conflict);
  CHECK(uut.items() == lines{"1|'a'|0.0"});
}

TEST_CASE("a key that the replica cannot hold is a conflict") {
  auto uut = replica{};
  uut.open();
  auto error = uut.refused(
    rows_builder{items()}.insert(1, {t("x"), null(), null()}));
  CHECK(error.code == errc::sink_conflict);
}

TEST_CASE("a row with another number of columns is malformed") {
  auto uut = replica{};
  uut.open();
  auto narrow = rows_builder{schema_of(1, "items", 1, {{"id", "INTEGER", 1}})};
  auto rows = narrow.insert(1, {i(1)}).rows();
  rows.schema = items();
  auto result = uut.uut->write(rows);
  REQUIRE(!result.has_value());
  CHECK(result.error().code == errc::malformed);
}
