#include "actors/sources/postgres/pg_value.hpp"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "actors/sources/postgres/pg_types.hpp"

using namespace sluice;
using namespace sluice::postgres;
using namespace std::string_literals;

namespace {

constexpr oid somebodys_oid = 16'400; // an enum, a domain, ...

struct read_value {
  value_type type = value_type::null;
  std::int64_t integer = 0;
  double real = 0;
  std::string bytes;
};

bool operator==(const read_value& x, const value_view& y) {
  return value_view{x.type, x.integer, x.real, x.bytes} == y;
}

read_value read(oid type, value_kind kind, const std::string& bytes) {
  auto scratch = "left over"s;
  auto done = to_value(type, {kind, bytes}, scratch);
  INFO((done ? ""s : to_string(done.error())));
  REQUIRE(done);
  return {done->type, done->integer, done->real, std::string{done->bytes}};
}

read_value text(oid type, const std::string& bytes) {
  return read(type, value_kind::text, bytes);
}

read_value binary(oid type, const std::string& bytes) {
  return read(type, value_kind::binary, bytes);
}

std::string refusal(oid type, value_kind kind, const std::string& bytes) {
  auto scratch = std::string{};
  auto done = to_value(type, {kind, bytes}, scratch);
  INFO("type " << type << ", bytes " << bytes);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == errc::malformed);
  return done.error().detail;
}

void refuse_text(oid type, std::initializer_list<const char*> wrong) {
  for (const auto* x : wrong)
    refusal(type, value_kind::text, x);
}

const auto integer = value_view::of_integer;
const auto real = value_view::of_real;

constexpr auto not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr auto infinity = std::numeric_limits<double>::infinity();

} // namespace

TEST_CASE("NULL, the empty string and unchanged are three values") {
  CHECK(read(text_oid, value_kind::null, "") == value_view{});
  CHECK(read(text_oid, value_kind::unchanged, "") == value_view::unchanged());
  CHECK(text(text_oid, "") == value_view::of_text(""));
  CHECK(text(bytea_oid, "\\x") == value_view::of_blob(""));
  CHECK(read(int4_oid, value_kind::null, "") == value_view{});
  CHECK(read(bytea_oid, value_kind::unchanged, "") == value_view::unchanged());
}

TEST_CASE("a boolean is 0 or 1") {
  CHECK(text(bool_oid, "t") == integer(1));
  CHECK(text(bool_oid, "f") == integer(0));
  CHECK(binary(bool_oid, "\1") == integer(1));
  CHECK(binary(bool_oid, "\0"s) == integer(0));
  refuse_text(bool_oid, {"", "true", "1", "T"});
  refusal(bool_oid, value_kind::binary, "\2");
  refusal(bool_oid, value_kind::binary, "");
}

TEST_CASE("an integer keeps to the range of its type") {
  CHECK(text(int2_oid, "-32768") == integer(-32'768));
  CHECK(text(int4_oid, "2147483647") == integer(2'147'483'647));
  CHECK(text(int8_oid, "-9223372036854775808")
        == integer(std::numeric_limits<std::int64_t>::min()));
  CHECK(text(oid_oid, "4294967295") == integer(4'294'967'295));
  refuse_text(int2_oid, {"32768", "", "1 ", " 1", "+1", "1.0", "0x1", "-"});
  refuse_text(int4_oid, {"2147483648", "-2147483649"});
  refuse_text(int8_oid, {"9223372036854775808"});
  refuse_text(oid_oid, {"-1", "4294967296"});

  CHECK(binary(int2_oid, "\x80\x00"s) == integer(-32'768));
  CHECK(binary(int4_oid, "\xFF\xFF\xFF\xFE") == integer(-2));
  CHECK(binary(int8_oid, "\0\0\0\1\0\0\0\2"s) == integer(0x100000002));
  CHECK(binary(oid_oid, "\xFF\xFF\xFF\xFF") == integer(4'294'967'295));
  refusal(int4_oid, value_kind::binary, "\1\2\3");
  refusal(int4_oid, value_kind::binary, "\1\2\3\4\5");
}

TEST_CASE("a real is what PostgreSQL prints, to the last bit") {
  CHECK(text(float8_oid, "0.1") == real(0.1));
  CHECK(text(float8_oid, "-0") == real(-0.0));
  CHECK(text(float8_oid, "1.7976931348623157e+308")
        == real(std::numeric_limits<double>::max()));
  CHECK(text(float8_oid, "5e-324")
        == real(std::numeric_limits<double>::denorm_min()));
  CHECK(text(float8_oid, "NaN") == real(not_a_number));
  CHECK(text(float8_oid, "Infinity") == real(infinity));
  CHECK(text(float4_oid, "-Infinity") == real(-infinity));
  CHECK(text(float4_oid, "0.1") == real(0.1));
  CHECK(text(float4_oid, "1e-45") == real(1e-45));
  CHECK(text(float4_oid, "NaN") == real(not_a_number));
  // Its double rounds to the float above.
  CHECK(text(float4_oid, "7.038531e-26")
        == real(static_cast<double>(7.038531e-26F)));
  refuse_text(float4_oid, {"", "1e39", "inf", "nan", "1e-60"});
  refuse_text(float8_oid, {"", "inf", "nan", "-NaN", "nan(1)", "1e999", "0x1p3",
                           "1,5", "1e", " 1", "1 ", "+1"});
}

TEST_CASE("a binary real is the value of its text") {
  CHECK(binary(float8_oid, "\x3F\xB9\x99\x99\x99\x99\x99\x9A") == real(0.1));
  CHECK(binary(float8_oid, "\x80\0\0\0\0\0\0\0"s) == real(-0.0));
  CHECK(binary(float8_oid, "\xFF\xF8\0\0\0\0\0\1"s) == real(not_a_number));
  CHECK(binary(float4_oid, "\x3D\xCC\xCC\xCD") == real(0.1));
  CHECK(binary(float4_oid, "\x80\0\0\0"s) == real(-0.0));
  // PostgreSQL prints 1.2345679e+08, although it is 123456792.
  CHECK(binary(float4_oid, "\x4C\xEB\x79\xA3") == real(1.2345679e8));
  CHECK(binary(float4_oid, "\x7F\x7F\xFF\xFF") == real(3.4028235e38));
  CHECK(binary(float4_oid, "\xFF\x80\0\0"s) == real(-infinity));
  CHECK(binary(float4_oid, "\x7F\xC0\0\0"s) == real(not_a_number));
  refusal(float4_oid, value_kind::binary, "\x3F\xB9\x99\x99\x99\x99\x99\x9A");
  refusal(float8_oid, value_kind::binary, "\x3D\xCC\xCC\xCD");
}

TEST_CASE("bytea is bytes in both of its text formats") {
  CHECK(text(bytea_oid, "\\x00ff41aF")
        == value_view::of_blob("\0\xFF\x41\xAF"s));
  CHECK(text(bytea_oid, "") == value_view::of_blob(""));
  CHECK(text(bytea_oid, "a\\\\b\\000\\377c")
        == value_view::of_blob("a\\b\0\xFF"
                               "c"s));
  CHECK(text(bytea_oid, "\\\\x41") == value_view::of_blob("\\x41"));
  CHECK(binary(bytea_oid, "\\x41\0"s) == value_view::of_blob("\\x41\0"s));
  refuse_text(bytea_oid, {"\\x0", "\\x0g", "\\x 00", "\\", "\\1", "\\12",
                          "\\400", "\\089", "a\\", "\\-01"});
}

TEST_CASE("text and what has no type here pass through") {
  for (auto type : {text_oid, varchar_oid, bpchar_oid, name_oid, json_oid,
                    jsonb_oid, uuid_oid, numeric_oid, somebodys_oid, oid{0}})
    CHECK(text(type, "\\x 1.50 {\xC3\xA4}")
          == value_view::of_text("\\x 1.50 {\xC3\xA4}"));
  for (auto type : {text_oid, varchar_oid, bpchar_oid, name_oid, json_oid})
    CHECK(binary(type, " a\xC3\xA4 ") == value_view::of_text(" a\xC3\xA4 "));
}

TEST_CASE("binary jsonb has a version") {
  CHECK(binary(jsonb_oid, "\1{\"a\": 1}") == value_view::of_text("{\"a\": 1}"));
  refusal(jsonb_oid, value_kind::binary, "\2{}");
  refusal(jsonb_oid, value_kind::binary, "");
}

TEST_CASE("a binary uuid becomes text") {
  auto bytes = "\xA0\xEE\xBC\x99\x9C\x0B\x4E\xF8\xBB\x6D\x6B\xB9\xBD\x38\x0A"
               "\x11"s;
  CHECK(binary(uuid_oid, bytes)
        == value_view::of_text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"));
  refusal(uuid_oid, value_kind::binary, bytes + 'x');
  refusal(uuid_oid, value_kind::binary, bytes.substr(1));
}

TEST_CASE("a refusal names the type and never the value") {
  CHECK(refusal(int4_oid, value_kind::text, "s3cret")
        == "6 bytes of text that are no value of int4");
  CHECK(refusal(float8_oid, value_kind::binary, "s3cret")
        == "6 bytes that are no value of float8");
  CHECK(refusal(oid{869}, value_kind::binary, "s3cret")
        == "a binary value of inet, which is read as text only");
  CHECK(refusal(somebodys_oid, value_kind::binary, "s3cret")
        == "a binary value of the type with oid 16400, which is read as text "
           "only");
}

TEST_CASE("a type is named with its modifier") {
  CHECK(type_name(23, -1) == "int4");
  CHECK(type_name(1043, -1) == "varchar");
  CHECK(type_name(1043, 24) == "varchar(20)");
  CHECK(type_name(1042, 5) == "bpchar(1)");
  CHECK(type_name(1042, -1) == "bpchar");
  CHECK(type_name(1700, -1) == "numeric");
  CHECK(type_name(1700, (10 << 16 | 2) + 4) == "numeric(10,2)");
  CHECK(type_name(1700, (3 << 16 | 2045) + 4) == "numeric(3,-3)");
  CHECK(type_name(1700, (1000 << 16 | 1000) + 4) == "numeric(1000,1000)");
  CHECK(type_name(1700, (1000 << 16 | 1048) + 4) == "numeric(1000,-1000)");
  CHECK(type_name(1560, 8) == "bit(8)");
  CHECK(type_name(1562, 8) == "varbit(8)");
  CHECK(type_name(1083, 0) == "time(0)");
  CHECK(type_name(1114, 6) == "timestamp(6)");
  CHECK(type_name(1184, 3) == "timestamptz(3)");
  CHECK(type_name(1186, 0x7FFF0003) == "interval(3)");
  CHECK(type_name(1186, 0x7FFFFFFF) == "interval");
  CHECK(type_name(1186, 0x0006FFFF) == "interval"); // year to month
  CHECK(type_name(1007, -1) == "_int4");
  CHECK(type_name(1015, 24) == "_varchar(20)");
  CHECK(type_name(18, -1) == "\"char\"");
  CHECK(type_name(1002, -1) == "_char");
}

TEST_CASE("a modifier that a type does not have is left out") {
  CHECK(type_name(23, 4) == "int4");
  CHECK(type_name(1043, 3) == "varchar");
  CHECK(type_name(1700, 0) == "numeric");
}

TEST_CASE("a type that is not built in has no name") {
  CHECK(type_name(16'400, -1).empty());
  CHECK(type_name(0, -1).empty());
}
