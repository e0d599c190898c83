#include <bit>
#include <limits>

#include "tests/sqlite/sink_fixture.hpp"

using namespace sink_test;

namespace {

using limits = std::numeric_limits<double>;

// Values that an affinity may change when they are stored.
const values& odd_values() {
  // clang-format off
  static const auto result = values{
    null(), same(), // stored as NULL, and kept: none of them is in the key
    i(0), i(1), i(-1), i(INT64_MAX), i(INT64_MIN), i(9007199254740993),
    r(0.0), r(-0.0), r(1.0), r(1.5), r(1e3), r(9007199254740992.0),
    r(9007199254740994.0), r(9.2233720368547748e18), r(9223372036854775808.0),
    r(-9223372036854775808.0), r(1e19), r(1e300), r(5e-324), r(0.1),
    r(limits::infinity()), r(-limits::infinity()), r(limits::quiet_NaN()),
    t(""), t("1"), t("1.0"), t(" 1 "), t("1e3"), t("+5"), t("-0"), t("-0.0"),
    t("0x10"), t("9007199254740993"), t("9007199254740993.0"),
    t("9223372036854775807"), t("9223372036854775808"), t("1e19"), t("1e400"),
    t("0.1"), t("inf"), t("nan"), t("1 apple"), t("01"), t("1."), t(".5"),
    t("123456789012345678901234567890"), t("2026-11-23"),
    t("\xF0\x9F\x98\x80"), t("\xFF\xFE"), t({"a\0b", 3}),
    b(""), b("1"), b("1e3"), b({"\0\0", 2}), b("\xFF")};
  // clang-format on
  return result;
}

const std::vector<std::string>& types() {
  static const auto result = std::vector<std::string>{
    "",
    "INTEGER",
    "INT",
    "BIGINT",
    "TEXT",
    "REAL",
    "DOUBLE",
    "NUMERIC",
    "DECIMAL(10,5)",
    "BLOB",
    "DATE",
    "BOOLEAN",
    "VARCHAR(20)",
    "timestamp with time zone",
    "FLOATING POINT",
    "CHARINT",
    "ANY thing"};
  return result;
}

// The value as it is in the file: its class and its bits.
struct stored {
  value_type type = value_type::null;
  std::string bytes;
  friend bool operator==(const stored&, const stored&) = default;
};

stored take(const value_view& x) {
  auto result = stored{x.type, std::string{x.bytes}};
  if (x.type == value_type::integer)
    result.bytes = std::to_string(x.integer);
  if (x.type == value_type::real)
    result.bytes = std::to_string(std::bit_cast<std::uint64_t>(x.real));
  return result;
}

std::vector<stored> read(sqlite_db& db) {
  auto query = db.prepare("SELECT * FROM odd ORDER BY id");
  REQUIRE(query.has_value());
  auto result = std::vector<stored>{};
  for (auto row = query->step(); row && *row; row = query->step())
    for (auto k = 0; k < query->columns(); ++k)
      result.push_back(take(query->value(k)));
  return result;
}

schema_ptr odd_schema() {
  auto columns = std::vector<column>{{"id", "INTEGER", 1}};
  for (const auto& x : types())
    columns.push_back({"c" + std::to_string(columns.size()), x, 0});
  return schema_of(1, "odd", 1, std::move(columns));
}

// A source as an application has it: what affinity makes of each value there.
std::unique_ptr<sqlite_db> make_source() {
  auto db = sqlite_db::open(":memory:");
  REQUIRE(db.has_value());
  auto sql = std::string{"CREATE TABLE odd (id INTEGER PRIMARY KEY"};
  auto schema = odd_schema();
  for (const auto& x : schema->columns)
    if (x.name != "id")
      sql += ", " + x.name + ' ' + x.type;
  REQUIRE((*db)->exec(sql + ")").has_value());
  auto insert = std::string{"INSERT INTO odd VALUES (?"};
  for (std::size_t k = 0; k < types().size(); ++k)
    insert += ", ?2";
  auto query = (*db)->prepare(insert + ")");
  REQUIRE(query.has_value());
  for (std::size_t k = 0; k < odd_values().size(); ++k) {
    query->bind_integer(1, static_cast<std::int64_t>(k));
    query->bind_value(2, odd_values()[k]);
    REQUIRE(query->run().has_value());
  }
  return std::move(*db);
}

} // namespace

TEST_CASE("every value keeps its storage class and its bits") {
  auto source = make_source();
  auto expected_values = read(*source);
  for (auto declared : {true, false}) {
    for (auto compact : {true, false}) {
      CAPTURE(declared);
      CAPTURE(compact);
      auto uut = replica{compact};
      uut.options.declared_types = declared;
      uut.uut = make_sqlite_sink(uut.options);
      uut.open();
      auto query = source->prepare("SELECT * FROM odd ORDER BY id");
      REQUIRE(query.has_value());
      auto builder = rows_builder{odd_schema()};
      auto ts = std::uint64_t{0};
      for (auto row = query->step(); row && *row; row = query->step()) {
        auto image = values{};
        for (auto k = 0; k < query->columns(); ++k)
          image.push_back(query->value(k));
        builder.insert(ts + 1, image).update(ts + 2, image, image);
        ts += 2;
      }
      uut.apply(builder);
      auto there = uut.connect();
      auto found = read(*there);
      REQUIRE(found.size() == expected_values.size());
      for (std::size_t k = 0; k < found.size(); ++k) {
        CAPTURE(k);
        CHECK(found[k] == expected_values[k]);
      }
    }
  }
}

TEST_CASE("without declared types foreign values stay what they are") {
  auto uut = replica{};
  uut.options.declared_types = false;
  uut.uut = make_sqlite_sink(uut.options);
  uut.open();
  auto schema = schema_of(1, "odd", 1,
                          {{"id", "bigint", 1}, {"amount", "numeric", 0}});
  uut.apply(rows_builder{schema}.insert(1, {i(1), t("1.50")}));
  CHECK(uut.query("SELECT id, amount, typeof(amount) FROM odd")
        == lines{"1|1.50|text"});
}

TEST_CASE("ANY of a STRICT table converts nothing in the replica") {
  auto uut = replica{};
  uut.open();
  auto schema = schema_of(1, "odd", 1, {{"id", "INT", 1}, {"x", "ANY", 0}});
  uut.apply(rows_builder{schema}.insert(1, {i(1), t("1")}));
  CHECK(uut.query("SELECT typeof(x) FROM odd") == lines{"text"});
}

TEST_CASE("keys that SQLite takes for the same are one row") {
  auto schema = schema_of(1, "loose", 1, {{"k", "", 1}, {"v", "", 0}});
  auto all = "SELECT typeof(k), cast(k AS INTEGER), v FROM loose ORDER BY k";
  for (auto compact : {true, false}) {
    CAPTURE(compact);
    auto uut = replica{compact};
    uut.open();
    uut.apply(rows_builder{schema}
                .insert(1, {i(1), t("a")})
                .update(2, {i(1), t("a")}, {r(1), t("b")})
                .insert(3, {t("1"), t("text")})
                .insert(4, {b("1"), t("blob")})
                .insert(5, {i(9007199254740993), t("odd")})
                .insert(6, {r(9007199254740992.0), t("even")}));
    CHECK(uut.query(all)
          == lines{"real|1|b", "real|9007199254740992|even",
                   "integer|9007199254740993|odd", "text|1|text",
                   "blob|1|blob"});
    uut.apply(rows_builder{schema}
                .erase(7, {r(1), t("b")})
                .insert(8, {i(1), t("c")})
                .erase(9, {i(9007199254740993), t("odd")})
                .erase(10, {r(9007199254740992.0), same()})
                .erase(11, {t("1"), same()})
                .insert(12, {r(-0.0), t("zero")})
                .update(13, {r(-0.0), t("zero")}, {i(0), t("zero")}));
    CHECK(uut.query(all)
          == lines{"integer|0|zero", "integer|1|c", "blob|1|blob"});
  }
}
