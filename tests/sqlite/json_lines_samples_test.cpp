#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "actors/sinks/json_lines/change_encoder.hpp"
#include "actors/sinks/json_lines/json_text.hpp"
#include "tests/sqlite/json_lines_fixture.hpp"
#include "tests/support/checkout.hpp"

using namespace json_test;

namespace {

constexpr auto recorded_us = std::uint64_t{1'795'390'800'123'456};

std::string sample(const std::string& name) {
  return read_file(sluice::test::checkout_file("tests/sqlite/samples/" + name));
}

schema_ptr orders() {
  return schema_of(7, "main.orders", 1,
                   {{"id", "INTEGER", 1},
                    {"status", "TEXT", 0},
                    {"total", "REAL", 0},
                    {"photo", "BLOB", 0}});
}

change_encoder encoder() {
  return change_encoder{{"0.1.0", "sqlite", "shop", "main"}};
}

std::string encoded(const sink_rows& rows) {
  auto uut = encoder();
  auto result = std::string{};
  for (std::uint32_t k = 0; k < rows.count; ++k) {
    auto done = uut.append(*rows.schema, rows.block->grouped(k), test_time(),
                           result);
    REQUIRE_MESSAGE(done.has_value(), to_string(done.error()));
  }
  return result;
}

/// The one column `x` of a row that is inserted.
json encoded_value(const value_view& x) {
  auto schema = schema_of(1, "t", 1, {{"id", "", 1}, {"x", "", 0}});
  auto rows = rows_builder{schema}.insert(1, {i(1), x}).rows();
  return json::parse(encoded(rows))["after"]["x"];
}

sink_rows sampled_rows() {
  auto big = std::numeric_limits<std::int64_t>::max();
  auto small = std::numeric_limits<std::int64_t>::min();
  auto infinity = std::numeric_limits<double>::infinity();
  auto nan = std::numeric_limits<double>::quiet_NaN();
  auto odd = std::string{"Ü \"q\" \\ /\n\t\0\1 😀\u2028", 22};
  auto result = rows_builder{orders()};
  result.copied(true)
    .snapshot_begin(1)
    .insert(2, {i(41), t("paid"), r(12.5), null()})
    .copied(false)
    .recorded(recorded_us)
    .insert(3, {i(42), t("pending"), r(19.9), null()})
    .update(4, {i(42), t("pending"), r(19.9), null()},
            {i(42), t("shipped"), r(19.9), null()})
    // The key changes; what is not said is what it was before.
    .update(5, {i(42), t("shipped"), r(19.9), null()},
            {i(43), t("shipped"), same(), same()})
    .update(6, {i(43), same(), r(19.9), same()},
            {same(), same(), r(18), same()})
    .update(7, {same(), t("shipped"), same(), null()},
            {i(43), same(), same(), b({"\0\xFF", 2})})
    .insert(8, {i(big), t(""), r(-0.0), b("")})
    .insert(9, {i(small), t("caf\xE9"), r(0.1 + 0.2), b("\1\2\3\4")})
    .insert(10, {i(9'007'199'254'740'993), t(odd), r(infinity), r(-infinity)})
    .insert(11, {i(44), same(), r(nan), i(7)})
    .erase(12, {i(44), same(), r(nan), i(7)})
    .erase(13, {i(45), same(), same(), same()})
    .truncate(14);
  return result.rows();
}

} // namespace

TEST_CASE("each kind of change gives the line that is recorded") {
  auto wanted = lines_of(sample("changes.jsonl"));
  auto there = lines_of(encoded(sampled_rows()));
  REQUIRE(there.size() == wanted.size());
  for (std::size_t k = 0; k < wanted.size(); ++k)
    CHECK(there[k] == wanted[k]);
}

TEST_CASE("lines have the fields of Debezium with their types") {
  auto theirs = json::parse(sample("debezium_postgresql.json"));
  for (const auto* field : {"schema", "txId", "lsn", "xmin"})
    theirs["source"].erase(field); // PostgreSQL's own
  for (const auto& line : lines_of(encoded(sampled_rows()))) {
    CAPTURE(line);
    auto ours = json::parse(line);
    CHECK(ours.size() == theirs.size());
    for (const auto& [name, x] : theirs.items()) {
      REQUIRE(ours.contains(name));
      CHECK((ours[name].is_null() || ours[name].type() == x.type()));
    }
    for (const auto& [name, x] : theirs["source"].items()) {
      REQUIRE(ours["source"].contains(name));
      CHECK(ours["source"][name].type() == x.type());
    }
    auto parts = json::parse(ours["source"]["sequence"].get<std::string>());
    CHECK(parts.is_array());
    CHECK(std::string{"cudrt"}.find(ours["op"].get<std::string>())
          != std::string::npos);
  }
}

TEST_CASE("an update of all columns is the one that Debezium writes") {
  auto theirs = json::parse(sample("debezium_postgresql.json"));
  auto rows = rows_builder{orders()}
                .recorded(recorded_us)
                .update(4, {i(42), t("pending"), r(19.9), null()},
                        {i(42), t("shipped"), r(19.9), null()})
                .rows();
  auto ours = json::parse(encoded(rows));
  theirs.erase("source");
  ours.erase("source");
  CHECK(ours.dump() == theirs.dump());
}

TEST_CASE("reals come back bit by bit and stay reals") {
  constexpr auto seed = std::uint64_t{20'261};
  CAPTURE(seed);
  auto engine = std::mt19937_64{seed};
  auto all = std::vector<double>{0.0,
                                 -0.0,
                                 1,
                                 1e15,
                                 1e16,
                                 1e21,
                                 1e22,
                                 5e-324,
                                 1.7976931348623157e308,
                                 2.2250738585072014e-308,
                                 123456789012345680.0};
  while (all.size() < 2'000)
    if (auto x = std::bit_cast<double>(engine()); std::isfinite(x))
      all.push_back(x);
  for (auto x : all) {
    auto back = encoded_value(r(x));
    REQUIRE(back.is_number_float());
    REQUIRE(std::bit_cast<std::uint64_t>(back.get<double>())
            == std::bit_cast<std::uint64_t>(x));
  }
}

TEST_CASE("text is text only if it is UTF-8") {
  for (const auto& x : {"", "a", "\x7F", "\u0080", "\u07FF", "\u0800", "\uFFFF",
                        "\U00010000", "\U0010FFFF"}) {
    CHECK(is_utf8(x));
    CHECK(encoded_value(t(x)) == x);
  }
  for (const auto* x :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x80\x80",
        "\xE2\x82", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF0\x9F\x98",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "ok\xFE"}) {
    CHECK(!is_utf8(x));
    CHECK(encoded_value(t(x)).is_object());
  }
  // What follows the value is not looked at.
  CHECK(!is_utf8(std::string_view{"\u00FC"}.substr(0, 1)));
}

TEST_CASE("bytes become the base64 of the standard") {
  // RFC 4648, section 10.
  const auto pairs = std::vector<std::pair<std::string, std::string>>{
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {{"\xFB\xFF\0", 3}, "+/8A"}};
  for (const auto& [bytes, text] : pairs)
    CHECK(encoded_value(b(bytes)) == json{{"$base64", text}});
}

TEST_CASE("a column may have any name that is UTF-8") {
  auto odd = std::string{"a\"b\\c\nü"};
  auto named = [](std::string name) {
    return schema_of(1, "t", 1, {{"id", "", 1}, {std::move(name), "", 0}});
  };
  auto good = rows_builder{named(odd)}.insert(1, {i(1), t("x")}).rows();
  CHECK(json::parse(encoded(good))["after"][odd] == "x");

  auto uut = encoder();
  auto text = std::string{"as before"};
  auto bad = rows_builder{named("\xFF")}.insert(1, {i(1), t("x")}).rows();
  auto result = uut.append(*bad.schema, bad.block->row(0), test_time(), text);
  REQUIRE(!result.has_value());
  CHECK(result.error().code == errc::invalid_option);
  CHECK(text == "as before");
}

TEST_CASE("a row that does not fit the table gives no line") {
  auto uut = encoder();
  auto text = std::string{};
  auto narrow = rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}).rows();
  auto result = uut.append(*orders(), narrow.block->row(0), test_time(), text);
  REQUIRE(!result.has_value());
  CHECK(result.error().code == errc::malformed);
  auto keyless = rows_builder{items()}.insert(1, {null(), t("a"), r(1)}).rows();
  result = uut.append(*items(), keyless.block->row(0), test_time(), text);
  REQUIRE(!result.has_value());
  CHECK(result.error().code == errc::null_in_key);
  CHECK(text.empty());
}

TEST_CASE("columns follow the version of the table") {
  auto uut = encoder();
  auto text = std::string{};
  auto wide = schema_of(1, "items", 2,
                        {{"id", "", 1}, {"name", "", 0}, {"size", "", 0}});
  for (const auto& rows :
       {rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}).rows(),
        rows_builder{wide}.insert(2, {i(1), t("a"), r(1)}).rows()})
    REQUIRE(uut.append(*rows.schema, rows.block->row(0), test_time(), text)
              .has_value());
  auto there = lines_of(text);
  CHECK(json::parse(there[0])["after"].contains("price"));
  CHECK(json::parse(there[1])["after"].contains("size"));
}
