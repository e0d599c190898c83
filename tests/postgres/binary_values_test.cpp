// Binary values against a real server: exactly the text that it prints.

#include <functional>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "actors/sources/postgres/pg_binary.hpp"
#include "actors/sources/postgres/pg_value.hpp"
#include "random_changes.hpp"
#include "source_fixture.hpp"

using namespace sluice;
using namespace sluice::postgres;
using namespace sluice::postgres_test;

namespace {

using generator = std::function<std::string(dice&)>;

generator any_of(std::vector<std::string> from, generator other) {
  return [from = std::move(from), other = std::move(other)](dice& x) {
    return x.percent(20) ? from[x.roll(from.size())] : other(x);
  };
}

// As an array in braces; each element in quotes.
generator array_of(generator element) {
  return [element = std::move(element)](dice& x) {
    auto result = std::string{x.percent(20) ? "[-2:0]={" : "{"};
    auto size = result.size() > 1 ? 3 : x.roll(5);
    for (std::uint64_t i = 0; i < size; ++i) {
      result += i > 0 ? "," : "";
      if (x.percent(10)) {
        result += "NULL";
        continue;
      }
      result += '"';
      for (auto c : element(x)) {
        if (c == '"' || c == '\\')
          result += '\\';
        result += c;
      }
      result += '"';
    }
    return result + '}';
  };
}

// The bounds in the order that a range wants.
generator range_of(std::string low, std::string high) {
  return any_of(
    {"empty", "(,)", "(," + high + ']', '[' + low + ",)"}, [=](dice& x) {
      return one_of(x, {"[", "("}) + low + ',' + high + one_of(x, {"]", ")"});
    });
}

struct sample {
  const char* type;
  const char* send;
  generator value;
};

std::string whole_interval(dice& x) {
  return signed_number(x, 31) + " mons " + signed_number(x, 31) + " days "
         + signed_number(x, 40) + " us "
         + (x.percent(50) ? "" : signed_number(x, 20) + " hours");
}

std::string any_numeric(dice& x) {
  auto sign = std::string{x.percent(50) ? "-" : ""};
  if (x.percent(30))
    return sign + digits(x, 1 + x.roll(9)) + 'e' + signed_number(x, 9);
  return sign + digits(x, 1 + x.roll(40)) + '.' + digits(x, x.roll(40))
         + std::string(x.roll(9), '0');
}

std::vector<sample> samples() {
  auto numeric = any_of({"NaN", "Infinity", "-Infinity", "0", "0.000",
                         "-0.0001", "9999", "10000", "1e1000", "1e-1000"},
                        any_numeric);
  auto day = any_of({"infinity", "-infinity", "4713-11-24 BC", "0001-01-01",
                     "0001-12-31 BC", "5874897-12-31", "2000-02-29",
                     "1900-02-28", "1999-12-31"},
                    date);
  auto instant = any_of({"infinity", "-infinity", "4713-11-24 00:00:00 BC",
                         "294276-12-31 23:59:59.999999", "2000-01-01",
                         "1999-12-31 23:59:59.999999", "1970-01-01"},
                        moment);
  auto length = any_of({"0", "-1 us", "1 mon -1 day 1 us", "-1 year",
                        "-1 mon +1 day", "1 year 1 mon 1 day -00:00:00.1",
                        "-11 mons", "2562047788 hours", "-13 mons",
                        "1 day -24:00:00", "-5 days +00:00:00.000001"},
                       whole_interval);
  auto words = [](dice& x) { return letters(x, x.roll(6)); };
  auto zones = any_of(
    {"24:00:00+00", "00:00:00-15:59:59", "00:00+15:59", "01:02:03.4+05:30:07"},
    [](dice& x) {
      return time_of_day(x) + one_of(x, {"+01", "-07:30"});
    });
  return {
    {"numeric", "numeric_send", numeric},
    {"numeric(9,-3)", "numeric_send",
     [](dice& x) { return signed_number(x, 30); }},
    {"date", "date_send", day},
    {"time", "time_send", any_of({"00:00", "24:00"}, time_of_day)},
    {"timetz", "timetz_send", zones},
    {"timestamp", "timestamp_send", instant},
    {"timestamptz", "timestamptz_send", instant},
    {"interval", "interval_send", length},
    {"float4", "float4send", any_of({"NaN", "1e15", "1e6", "123456"}, real)},
    {"float8", "float8send", any_of({"1e15", "123456789012345"}, real)},
    {"uuid", "uuid_send", [](dice& x) { return hex(x, 16); }},
    {"jsonb", "jsonb_send", json},
    {"bool", "boolsend",
     [](dice& x) {
       return one_of(x, {"t", "f"});
     }},
    {"bytea", "byteasend", [](dice& x) { return "\\x" + hex(x, x.roll(9)); }},
    {"text", "textsend", words},
    {"numeric[]", "array_send", array_of(numeric)},
    {"date[]", "array_send", array_of(day)},
    {"timestamptz[]", "array_send", array_of(instant)},
    {"interval[]", "array_send", array_of(length)},
    {"float4[]", "array_send", array_of(real)},
    {"float8[]", "array_send", array_of(real)},
    {"bytea[]", "array_send",
     array_of([](dice& x) { return "\\x" + hex(x, x.roll(3)); })},
    {"text[]", "array_send",
     array_of(any_of({"null", "NULL", "Null", "nulls", " ", ""}, words))},
    {"bool[]", "array_send", array_of([](dice&) { return "t"; })},
    {"int4[][]", "array_send",
     [](dice& x) {
       return one_of(x, {"{{1,2},{NULL,4}}", "[0:1][5:5]={{1},{2}}", "{}",
                         "{{{{{{1}}}}}}"});
     }},
    {"int4range[]", "array_send", array_of(range_of("1", "5"))},
    {"int4range", "range_send", range_of("-3", "9")},
    {"int8range", "range_send", range_of("-9000000000", "9")},
    {"numrange", "range_send", range_of("-1.50", "Infinity")},
    {"daterange", "range_send", range_of("2000-01-01", "infinity")},
    {"tsrange", "range_send", range_of("2000-01-01", "2000-01-01 00:00:01")},
    {"tstzrange", "range_send", range_of("\"0001-01-01 BC\"", "2000-01-01")},
    {"tsmultirange", "multirange_send",
     [](dice& x) {
       return one_of(x, {"{}", "{[2000-01-01,2001-01-01),[2002-01-01,)}",
                         "{(,)}", "{[2000-01-01,2000-01-01]}"});
     }},
    {"nummultirange", "multirange_send",
     [](dice& x) {
       return one_of(x, {"{}", "{(,1.0),(1.00,2)}", "{[5,5]}"});
     }},
  };
}

oid oid_of(source_fixture& in, const std::string& type) {
  return static_cast<oid>(
    std::stoul(in.ask(fmt::format("SELECT '{}'::regtype::oid", type))));
}

std::string bytes_of(std::string_view hex_digits) {
  auto scratch = std::string{};
  auto x = to_value(bytea_oid, {value_kind::text, hex_digits}, scratch);
  REQUIRE(x);
  return std::string{x->bytes};
}

std::string written_binary(oid type, const std::string& bytes) {
  auto result = std::string{};
  auto good = append_as_text(type, bytes, result);
  CHECK(good);
  return result;
}

constexpr auto seed = std::uint64_t{1};

} // namespace

TEST_CASE_FIXTURE(source_fixture, "A binary value is written as the server"
                                  " prints it") {
  INFO("seed " << seed);
  auto random = dice{seed};
  auto db = connection::open(options.conninfo, connection::kind::plain);
  REQUIRE(db);
  for (const auto& x : samples()) {
    auto sql = std::string{};
    for (int i = 0; i < 500; ++i)
      sql += (i > 0 ? ",(" : "(") + quoted_text(x.value(random)) + "::" + x.type
             + ')';
    auto rows = db->run(fmt::format(
      "SELECT format('%s', v), {}(v) FROM (VALUES {}) AS t (v)", x.send, sql));
    INFO(std::string{x.type}, (rows ? "" : ": " + to_string(rows.error())));
    REQUIRE(rows);
    auto type = oid_of(*this, x.type);
    CHECK(reads_binary(type));
    for (int i = 0; i < rows->rows(); ++i) {
      auto bytes = bytes_of(rows->text(i, 1));
      REQUIRE(written_binary(type, bytes) == std::string{rows->text(i, 0)});
      // None of its beginnings is a value, and nothing is read behind it.
      auto text = std::string{};
      if (std::string_view{x.type} != "text" && x.type != std::string{"bytea"}
          && x.type != std::string{"jsonb"})
        CHECK_FALSE(
          append_as_text(type, bytes.substr(0, bytes.size() - 1), text));
    }
  }
}

TEST_CASE_FIXTURE(source_fixture, "A float is written as the server prints it,"
                                  " also halfway between two") {
  auto random = dice{seed};
  auto db = connection::open(options.conninfo, connection::kind::plain);
  REQUIRE(db);
  // Powers of two are where such floats are.
  for (auto [type, size] : {std::pair{"float4", 4}, std::pair{"float8", 8}}) {
    auto sql = std::string{};
    for (int i = 0; i < 2'000; ++i) {
      auto power = static_cast<int>(random.roll(size == 4 ? 277 : 2098))
                   - (size == 4 ? 149 : 1074);
      auto number = random.percent(50)
                      ? fmt::format("power(2::float8, {})::{}", power, type)
                      : fmt::format("'{}'::{}", real(random), type);
      sql += (i > 0 ? ",(" : "(") + number + ')';
    }
    auto rows = db->run(fmt::format("SELECT v::text, {}send(v) FROM (VALUES {})"
                                    " AS t (v)",
                                    type, sql));
    INFO((rows ? std::string{} : to_string(rows.error())));
    REQUIRE(rows);
    for (int i = 0; i < rows->rows(); ++i)
      REQUIRE(written_binary(size == 4 ? float4_oid : float8_oid,
                             bytes_of(rows->text(i, 1)))
              == std::string{rows->text(i, 0)});
  }
}

namespace {

/// A source and who follows it.
struct followed {
  std::unique_ptr<source_connector> from;
  mirror rows;
};

/// Tables of all columns that can be read in binary.
struct two_sources : source_fixture {
  two_sources() {
    sql(random_changes::schema());
    for (const auto* table : random_changes::tables) {
      auto change = std::string{"ALTER TABLE "} + table;
      for (const auto& x : columns)
        if (!reads_binary(oid_of(*this, x.type)))
          change += std::string{" DROP "} + x.name + ',';
        else
          names += std::string{"'"} + x.name + "',";
      change.back() = ';';
      sql(change);
    }
  }
  followed follow() {
    target = {};
    open();
    source_fixture::catch_up();
    return {std::move(uut), std::move(target)};
  }
  void catch_up(followed& x) {
    std::swap(uut, x.from);
    std::swap(target, x.rows);
    source_fixture::catch_up();
    std::swap(uut, x.from);
    std::swap(target, x.rows);
  }
  void insert_row(dice& random, const std::string& table) {
    auto into = std::string{"id, code"};
    auto values = fmt::format("{}, 'x'", ++id);
    for (const auto& x : columns) {
      if (names.find(std::string{"'"} + x.name + "',") == std::string::npos)
        continue;
      into += std::string{", "} + x.name;
      values += ", "
                + (random.percent(10) ? "NULL" : quoted_text(x.value(random)));
    }
    sql(fmt::format("INSERT INTO {} ({}) VALUES ({}); UPDATE {} SET code = 'y'"
                    " WHERE id % 3 = 0",
                    table, into, values, table));
  }

  std::string names;
  int id = 0;
};

} // namespace

TEST_CASE_FIXTURE(two_sources, "Rows are the same with the option binary") {
  auto random = dice{seed};
  options.temporary = true;
  auto text = follow();
  options.binary = true;
  auto binary = follow();
  for (int i = 0; i < 200; ++i)
    insert_row(random, random_changes::tables[random.roll(3)]);
  catch_up(text);
  catch_up(binary);
  for (std::string table : random_changes::tables)
    CHECK(text.rows.of("public." + table) == binary.rows.of("public." + table));
  CHECK(text.rows.changes == binary.rows.changes);
  CHECK(text.rows.changes > 200);
}

TEST_CASE_FIXTURE(source_fixture, "A column that is read as text only refuses"
                                  " the option binary") {
  sql("CREATE TABLE public.t (id int PRIMARY KEY, at inet)");
  options.binary = true;
  auto opened = attempt();
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code == errc::source_unsupported);
  CHECK(opened.error().detail.ends_with(
    "column at of table public.t has a type that is read as text only"));
  // One that comes later is met with its first row.
  sql("ALTER TABLE public.t DROP at");
  open();
  catch_up(); // else the copy holds the table
  sql("ALTER TABLE public.t ADD at inet; INSERT INTO public.t VALUES (1,"
      " '10.0.0.1')");
  auto batch = uut->read(1);
  for (int i = 0; i < 1'000 && batch; ++i)
    batch = uut->read(1);
  REQUIRE_FALSE(batch.has_value());
  CHECK(batch.error().detail.find("a binary value of inet")
        != std::string::npos);
}
