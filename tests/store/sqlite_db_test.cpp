#include "store/sqlite_db.hpp"

#include <limits>

#include "tests/store/log_fixture.hpp"

using namespace log_test;

namespace {

std::unique_ptr<sqlite_db> memory() {
  auto result = sqlite_db::open(":memory:");
  REQUIRE(result.has_value());
  return std::move(*result);
}

} // namespace

TEST_CASE("values of all kinds go into a database and come back") {
  auto db = memory();
  REQUIRE(db->exec("CREATE TABLE t(x)").has_value());
  auto zeros = std::string{"\0a\0", 3};
  auto values = std::vector<value_view>{
    {},
    value_view::of_integer(std::numeric_limits<std::int64_t>::min()),
    value_view::of_integer(std::numeric_limits<std::int64_t>::max()),
    value_view::of_real(-0.0),
    value_view::of_real(std::numeric_limits<double>::infinity()),
    value_view::of_text(""),
    value_view::of_text({}),
    value_view::of_text("text"),
    value_view::of_blob(zeros),
    value_view::of_blob({})};
  for (const auto& value : values) {
    auto insert = db->cached("INSERT INTO t VALUES (?1)");
    REQUIRE(insert.has_value());
    REQUIRE(insert->parameters() == 1);
    REQUIRE(insert->bind_value(1, value).run().has_value());
  }
  auto query = db->prepare("SELECT x FROM t ORDER BY rowid");
  REQUIRE(query.has_value());
  CHECK(query->columns() == 1);
  CHECK(query->column_name(0) == "x");
  for (const auto& value : values) {
    REQUIRE(query->step().value());
    CHECK(query->value(0) == value);
    CHECK(query->is_null(0) == (value.type == value_type::null));
  }
  CHECK_FALSE(query->step().value());
}

TEST_CASE("an unsigned number keeps its bits") {
  auto db = memory();
  auto query = db->prepare("SELECT ?1");
  auto top = std::numeric_limits<std::uint64_t>::max();
  query->bind_unsigned(1, top);
  REQUIRE(query->step().value());
  CHECK(query->unsigned_integer(0) == top);
}

TEST_CASE("a failure has the code that was asked for and SQLite's text") {
  auto options = sqlite_options{};
  options.failure = errc::sink_unavailable;
  auto db = sqlite_db::open(":memory:", options);
  auto wrong = (*db)->prepare("SELEC");
  REQUIRE_FALSE(wrong.has_value());
  CHECK(wrong.error().code == errc::sink_unavailable);
  CHECK(wrong.error().detail.find("syntax") != std::string::npos);
  auto bad_bind = (*db)->prepare("SELECT ?1");
  auto row = bad_bind->bind_integer(2, 1).step();
  CHECK_FALSE(row.has_value());
  CHECK((*db)->last_code() != 0);
  CHECK_FALSE(sqlite_db::open("/nowhere/at/all.db").has_value());
}

TEST_CASE("a cached statement can be used inside of itself") {
  auto db = memory();
  REQUIRE(db->exec("CREATE TABLE t(x); INSERT INTO t VALUES (1), (2)"));
  auto outer = db->cached("SELECT x FROM t");
  std::int64_t sum = 0;
  while (outer->step().value()) {
    auto inner = db->cached("SELECT x FROM t");
    while (inner->step().value())
      sum += outer->integer(0) * inner->integer(0);
  }
  CHECK(sum == 9);
}

TEST_CASE("a transaction that is not committed is rolled back") {
  auto db = memory();
  REQUIRE(db->exec("CREATE TABLE t(x)"));
  {
    auto guard = sqlite_transaction::begin(*db);
    REQUIRE(guard.has_value());
    CHECK(db->in_transaction());
    REQUIRE(db->exec("INSERT INTO t VALUES (1)"));
  }
  CHECK(db->query_integer("SELECT count(*) FROM t").value() == 0);
  {
    auto guard = sqlite_transaction::begin(*db);
    REQUIRE(db->exec("INSERT INTO t VALUES (1)"));
    REQUIRE(guard->commit().has_value());
  }
  CHECK_FALSE(db->in_transaction());
  CHECK(db->query_integer("SELECT count(*) FROM t").value() == 1);
}

TEST_CASE("any text can be an identifier") {
  auto db = memory();
  auto name = sqlite_quoted("a \"b\" c");
  REQUIRE(db->exec("CREATE TABLE " + name + "(x)").has_value());
  CHECK(db->exec("SELECT * FROM " + name).has_value());
}
