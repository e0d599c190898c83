#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "actors/sources/postgres/pg_connection.hpp"
#include "tests/support/dice.hpp"

/// Transactions that do all that logical decoding shows, under a seed.
namespace sluice::postgres_test {

using test::dice;

inline std::string number(std::uint64_t x) {
  return std::to_string(x);
}

inline std::string one_of(dice& random,
                          std::initializer_list<const char*> from) {
  return *(from.begin() + random.roll(from.size()));
}

inline std::string digits(dice& random, std::uint64_t count) {
  auto result = std::string{};
  for (; count > 0; --count)
    result += static_cast<char>('0' + random.roll(10));
  return result;
}

inline std::string hex(dice& random, std::uint64_t bytes) {
  auto result = std::string{};
  for (; bytes > 0; --bytes) {
    result += "0123456789abcdef"[random.roll(16)];
    result += "0123456789abcdef"[random.roll(16)];
  }
  return result;
}

/// Letters, and what quoting or an encoding could break.
inline std::string letters(dice& random, std::uint64_t count) {
  auto result = std::string{};
  for (; count > 0; --count)
    result += one_of(random, {"a", "b", "Z", " ", "'", "\"", "\\", "\n", "\t",
                              "\x01", "{", ",", "NULL", "\xC3\xA4",
                              "\xE4\xB8\xAD", "\xF0\x9F\x90\x98"});
  return result;
}

inline std::string signed_number(dice& random, std::uint64_t bits) {
  auto x = random.next() >> (64 - bits) >> random.roll(bits);
  return (random.percent(50) ? "-" : "") + number(x);
}

inline std::string real(dice& random) {
  if (random.percent(10))
    return one_of(random, {"NaN", "Infinity", "-Infinity", "-0", "0", "1e20"});
  char text[40];
  std::snprintf(text, sizeof text, "%s%llu.%llue%d",
                random.percent(50) ? "-" : "",
                static_cast<unsigned long long>(random.roll(10)),
                static_cast<unsigned long long>(random.next()),
                static_cast<int>(random.roll(60)) - 30);
  return text;
}

inline std::string decimal(dice& random) {
  if (random.percent(5))
    return one_of(random, {"NaN", "Infinity", "0.00", "1e100", "-1e-20"});
  return digits(random, 1 + random.roll(30)) + '.'
         + digits(random, random.roll(20));
}

inline std::string date(dice& random) {
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d",
                static_cast<int>(1 + random.roll(4000)),
                static_cast<int>(1 + random.roll(12)),
                static_cast<int>(1 + random.roll(28)));
  return text + one_of(random, {"", "", "", " BC"});
}

inline std::string time_of_day(dice& random) {
  char text[32];
  std::snprintf(
    text, sizeof text, "%02d:%02d:%02d.%06d", static_cast<int>(random.roll(24)),
    static_cast<int>(random.roll(60)), static_cast<int>(random.roll(60)),
    static_cast<int>(random.roll(1'000'000)));
  return text;
}

inline std::string moment(dice& random) {
  if (random.percent(5))
    return one_of(random, {"infinity", "-infinity", "epoch"});
  auto day = date(random); // BC goes last
  auto time = ' ' + time_of_day(random);
  return day.substr(0, 10) + time
         + (random.percent(30) ? one_of(random, {"+05:30", "-11", "Z"}) : "")
         + day.substr(10);
}

inline std::string span(dice& random) {
  return signed_number(random, 10) + " mons " + signed_number(random, 10)
         + " days " + time_of_day(random);
}

inline std::string json(dice& random) {
  return one_of(random, {"null", "{}", R"({"b": [1, 2.50, "x"], "a": null})",
                         R"("\u00e4\"\\")", "[1e3, true,  {}]",
                         R"({"a":1,"a":2})", "12345678901234567890.5"});
}

struct random_column {
  const char* name;
  const char* type;
  std::string (*value)(dice&);
};

/// One column per type, and beside them `id int` and `big text`.
inline const auto columns = std::to_array<random_column>({
  {"c_bool", "bool",
   [](dice& x) {
     return one_of(x, {"t", "f"});
   }},
  {"c_int2", "int2", [](dice& x) { return signed_number(x, 15); }},
  {"c_int4", "int4", [](dice& x) { return signed_number(x, 31); }},
  {"c_int8", "int8", [](dice& x) { return signed_number(x, 63); }},
  {"c_oid", "oid", [](dice& x) { return number(x.roll(1ULL << 32)); }},
  {"c_float4", "float4", real},
  {"c_float8", "float8", real},
  {"c_numeric", "numeric", decimal},
  {"c_money", "numeric(10,2)",
   [](dice& x) { return signed_number(x, 23) + ".5"; }},
  {"c_text", "text", [](dice& x) { return letters(x, x.roll(20)); }},
  {"c_varchar", "varchar(20)", [](dice& x) { return letters(x, x.roll(5)); }},
  {"c_char", "char(30)", [](dice& x) { return letters(x, x.roll(7)); }},
  {"c_name", "name", [](dice& x) { return letters(x, x.roll(5)); }},
  {"c_bytea", "bytea", [](dice& x) { return "\\x" + hex(x, x.roll(20)); }},
  {"c_date", "date", date},
  {"c_time", "time", time_of_day},
  {"c_timetz", "timetz(3)",
   [](dice& x) {
     return time_of_day(x) + one_of(x, {"+01", "-07:30"});
   }},
  {"c_timestamp", "timestamp", moment},
  {"c_timestamptz", "timestamptz(3)", moment},
  {"c_interval", "interval", span},
  {"c_uuid", "uuid", [](dice& x) { return hex(x, 16); }},
  {"c_json", "json", json},
  {"c_jsonb", "jsonb", json},
  {"c_ints", "int4[]",
   [](dice& x) {
     return one_of(x, {"{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "[0:1]={5,6}"});
   }},
  {"c_texts", "text[]",
   [](dice& x) {
     return one_of(x, {"{}", R"({a,"b c",NULL,"NULL","\"\\"})", R"({""})"});
   }},
  {"c_numerics", "numeric[]",
   [](dice& x) { return '{' + decimal(x) + ",NULL," + decimal(x) + '}'; }},
  {"c_reals", "float8[]",
   [](dice& x) { return '{' + real(x) + ',' + real(x) + '}'; }},
  {"c_moments", "timestamptz[]",
   [](dice& x) { return "{\"" + moment(x) + "\"}"; }},
  {"c_enum", "mood",
   [](dice& x) {
     return one_of(x, {"sad", "it's ok"});
   }},
  {"c_domain", "positive", [](dice& x) { return number(1 + x.roll(99)); }},
  {"c_word", "word", [](dice& x) { return letters(x, x.roll(4)); }},
  {"c_pair", "pair",
   [](dice& x) {
     return one_of(x, {"(1,a)", "(,)", R"((-2,"b ""c"",d"))"});
   }},
  {"c_range", "int4range",
   [](dice& x) {
     return one_of(x, {"empty", "[1,5]", "(,3)", "(,)"});
   }},
  {"c_span", "tstzrange",
   [](dice& x) { return "[1999-01-01,2000" + date(x).substr(4, 6) + ')'; }},
  {"c_multi", "int4multirange",
   [](dice& x) {
     return one_of(x, {"{}", "{[1,3),[7,9)}"});
   }},
  {"c_inet", "inet",
   [](dice& x) {
     return one_of(x, {"10.0.0.1", "::1/64", "10.1.2.3/8"});
   }},
  {"c_bits", "bit(5)",
   [](dice& x) {
     return one_of(x, {"10101", "00000"});
   }},
  {"c_varbits", "varbit",
   [](dice& x) {
     return one_of(x, {"", "101"});
   }},
});

/// Tables with every kind of replica identity that can be published.
class random_changes {
public:
  static constexpr std::array tables{"by_key", "by_row", "by_index"};

  explicit random_changes(std::uint64_t seed) : random_{seed} {
    // nop
  }

  static std::string schema() {
    auto result = std::string{
      "CREATE TYPE mood AS ENUM ('sad', 'it''s ok');"
      "CREATE DOMAIN positive AS int CHECK (VALUE > 0);"
      "CREATE DOMAIN word AS text; CREATE TYPE pair AS (a int, b text);"};
    for (std::string table : tables) {
      result += "CREATE TABLE " + table + "(";
      for (const auto& x : columns)
        result += std::string{x.name} + ' ' + x.type + ',';
      result += "id int PRIMARY KEY, code text NOT NULL, big text);"
                "ALTER TABLE "
                + table + " ALTER big SET STORAGE EXTERNAL;";
    }
    return result
           + "CREATE UNIQUE INDEX i ON by_index(code, id);"
             "ALTER TABLE by_index REPLICA IDENTITY USING INDEX i;"
             "ALTER TABLE by_row REPLICA IDENTITY FULL;";
  }

  /// From BEGIN to COMMIT or ROLLBACK; always succeeds.
  std::string transaction() {
    auto result = std::string{"BEGIN;"};
    for (auto i = random_.roll(12); i > 0; --i)
      result += random_.percent(10) ? rolled_back() : statement();
    return result + (random_.percent(8) ? "ROLLBACK;" : "COMMIT;");
  }

  /// Changes the columns of tables.
  std::string schema_change() {
    auto before = "x" + number(added_++);
    return "ALTER TABLE " + table() + " ADD COLUMN x" + number(added_) + ' '
           + one_of(random_, {"int DEFAULT 7", "mood", "varchar(9)"})
           + "; ALTER TABLE " + table() + " DROP COLUMN IF EXISTS " + before
           + ", ALTER c_varchar TYPE varchar(" + number(20 + added_) + ");";
  }

private:
  std::string table() { return tables[random_.roll(tables.size())]; }

  std::string value(const random_column& of) {
    if (random_.percent(15))
      return "NULL";
    return postgres::quoted_text(of.value(random_));
  }

  // Out of line, if it is long.
  std::string big() {
    return postgres::quoted_text(
      hex(random_, random_.percent(50) ? 2000 : random_.roll(20)));
  }

  std::string insert() {
    auto result = "INSERT INTO " + table() + "(id, code, big";
    for (const auto& x : columns)
      result += std::string{", "} + x.name;
    result += ") VALUES ";
    for (auto i = 1 + random_.roll(3); i > 0; --i) {
      auto id = number(++ids_);
      result += '(' + id + ", 'k" + id + "', " + big();
      for (const auto& x : columns)
        result += ", " + value(x);
      result += i > 1 ? ")," : ");";
    }
    return result;
  }

  // Of one of the newest rows, if that table has it.
  std::uint64_t some_id() {
    return ids_ - random_.roll(std::min<std::uint64_t>(ids_, 30) + 1);
  }

  std::string where() {
    auto id = some_id();
    if (random_.percent(10))
      return " WHERE id BETWEEN " + number(id) + " AND " + number(id + 10)
             + ';';
    return " WHERE id = " + number(id) + ';';
  }

  std::string update() {
    auto result = "UPDATE " + table() + " SET ";
    for (auto i = random_.roll(3); i > 0; --i) {
      const auto& of = columns[random_.roll(columns.size())];
      if (result.find(of.name) == std::string::npos)
        result += std::string{of.name} + " = " + value(of) + ", ";
    }
    if (random_.percent(10)) {
      auto old = some_id();
      return result + "id = " + number(++ids_) + " WHERE id = " + number(old)
             + ';';
    }
    if (random_.percent(20))
      return result + "big = " + big() + where();
    if (random_.percent(20))
      return result + "code = code || 'x'" + where();
    return result + "big = big" + where();
  }

  std::string statement() {
    auto kind = random_.roll(100);
    if (kind < 30)
      return insert();
    if (kind < 85)
      return update();
    if (kind < 95)
      return "DELETE FROM " + table() + where();
    if (kind < 96)
      return random_.percent(50)
               ? "TRUNCATE " + table() + ';'
               : "TRUNCATE by_key, by_row RESTART IDENTITY CASCADE;";
    return "SELECT pg_logical_emit_message(true, 'note', "
           + postgres::quoted_text(letters(random_, random_.roll(9))) + ");";
  }

  std::string rolled_back() {
    auto result = std::string{"SAVEPOINT s;"};
    for (auto i = 1 + random_.roll(3); i > 0; --i)
      result += statement();
    return result + (random_.percent(70) ? "ROLLBACK TO s;" : "RELEASE s;");
  }

  dice random_;
  std::uint64_t ids_ = 0;
  std::uint64_t added_ = 0;
};

} // namespace sluice::postgres_test
