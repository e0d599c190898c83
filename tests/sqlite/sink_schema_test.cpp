#include "tests/sqlite/sink_fixture.hpp"

using namespace sink_test;

namespace {

schema_ptr items_with_stock() {
  return schema_of(1, "items", 2,
                   {{"id", "INTEGER", 1},
                    {"name", "TEXT", 0},
                    {"price", "REAL", 0},
                    {"stock", "INT", 0}});
}

} // namespace

TEST_CASE("a column of a newer version is added, in the transaction") {
  auto uut = replica{};
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
  uut.write(rows_builder{items_with_stock()}
              .insert(2, {i(2), t("b"), r(2), i(20)})
              .rows());
  uut.open(); // Not committed: the column is gone too.
  CHECK(uut.query("SELECT count(*) FROM pragma_table_info('items')")
        == lines{"3"});
  uut.apply(rows_builder{items_with_stock()}
              .insert(2, {i(2), t("b"), r(2), i(20)})
              .update(3, {i(1), same(), same(), same()},
                      {i(1), same(), same(), i(10)}));
  CHECK(uut.query("SELECT id, name, stock, typeof(stock) FROM items")
        == lines{"1|a|10|integer", "2|b|20|integer"});
}

TEST_CASE("rows of an older version can follow after a restart") {
  auto uut = replica{};
  uut.open();
  uut.apply(
    rows_builder{items_with_stock()}.insert(1, {i(1), t("a"), r(1), i(10)}));
  uut.apply(rows_builder{items()}.update(2, {i(1), t("a"), r(1)},
                                         {i(1), t("b"), r(1)}));
  CHECK(uut.query("SELECT name, stock FROM items") == lines{"b|10"});
}

TEST_CASE("a table that is copied again with another key is made anew") {
  auto uut = replica{};
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
  auto other = schema_of(1, "items", 2,
                         {{"name", "TEXT", 1}, {"price", "REAL", 0}});
  auto error = uut.refused(rows_builder{other}.insert(2, {t("a"), r(2)}));
  CHECK(error.code == errc::sink_conflict);
  uut.open();
  uut.apply(rows_builder{other}.snapshot_begin(2).insert(3, {t("a"), r(2)}));
  CHECK(uut.query("SELECT name, pk FROM pragma_table_info('items')")
        == lines{"name|1", "price|0"});
  CHECK(uut.query("SELECT * FROM items") == lines{"a|2.0"});
}

TEST_CASE("a table that is copied again with other types is made anew") {
  auto uut = replica{};
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
  SUBCASE("since the former ones would convert its values") {
    auto other = schema_of(
      1, "items", 2, {{"id", "TEXT", 1}, {"name", "", 0}, {"price", "INT", 0}});
    uut.apply(
      rows_builder{other}.snapshot_begin(2).insert(3, {t("2"), i(3), t("x")}));
    CHECK(uut.items() == lines{"'2'|3|'x'"});
  }
  SUBCASE("since a row id takes nothing but integers") {
    auto other = schema_of(
      1, "items", 2,
      {{"id", "INT", 1}, {"name", "TEXT", 0}, {"price", "REAL", 0}});
    uut.apply(
      rows_builder{other}.snapshot_begin(2).insert(3, {t("a"), t("b"), r(2)}));
    CHECK(uut.items() == lines{"'a'|'b'|2.0"});
  }
  SUBCASE("but not if they convert in the same way") {
    uut.exec("CREATE INDEX by_name ON items (name)");
    uut.open();
    auto other = schema_of(1, "items", 2,
                           {{"id", "INTEGER", 1},
                            {"name", "VARCHAR(9)", 0},
                            {"price", "DOUBLE", 0}});
    uut.apply(
      rows_builder{other}.snapshot_begin(2).insert(3, {i(2), t("b"), r(2)}));
    CHECK(uut.query("SELECT count(*) FROM sqlite_schema WHERE name = 'by_name'")
          == lines{"1"});
    CHECK(uut.items() == lines{"2|'b'|2.0"});
  }
}

TEST_CASE("a copy of the same shape keeps triggers and indexes") {
  auto uut = replica{};
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
  uut.exec("CREATE INDEX by_name ON items (name)");
  uut.open();
  uut.apply(
    rows_builder{items()}.snapshot_begin(2).insert(3, {i(2), t("b"), r(2)}));
  CHECK(uut.query("SELECT name FROM sqlite_schema WHERE type = 'index' AND "
                  "name = 'by_name'")
        == lines{"by_name"});
  CHECK(uut.items() == lines{"2|'b'|2.0"});
}

TEST_CASE("with create_tables off tables must be there and fit") {
  auto uut = replica{};
  uut.options.create_tables = false;
  uut.uut = make_sqlite_sink(uut.options);
  uut.open();
  auto error = uut.refused(rows_builder{items()}.snapshot_begin(1));
  CHECK(error.code == errc::sink_conflict);
  uut.exec("CREATE TABLE items (ID integer primary key, Name, extra)");
  uut.open();
  error = uut.refused(rows_builder{items()}.snapshot_begin(1));
  CHECK(error.code == errc::sink_conflict);
  CHECK(error.detail.find("\"price\"") != std::string::npos);
  uut.exec("ALTER TABLE items ADD COLUMN price");
  uut.open();
  uut.apply(
    rows_builder{items()}.snapshot_begin(1).insert(2, {i(1), t("a"), r(1)}));
  CHECK(uut.items() == lines{"1|'a'|1.0"});
}

TEST_CASE("two tables of a feed cannot share one table of the replica") {
  auto uut = replica{};
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
  auto other = schema_of(
    2, "main.items", 1,
    {{"id", "INTEGER", 1}, {"name", "TEXT", 0}, {"price", "REAL", 0}});
  auto error = uut.refused(rows_builder{other}.insert(1, {i(1), t("b"), r(1)}));
  CHECK(error.code == errc::invalid_option);
}

TEST_CASE("a table without a key is refused") {
  auto uut = replica{};
  uut.open();
  auto none = schema_of(6, "none", 1, {{"a", "INT", 0}});
  auto error = uut.refused(rows_builder{none}.insert(1, {i(1)}));
  CHECK(error.code == errc::table_without_key);
}
