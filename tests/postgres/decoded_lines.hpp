#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "actors/sources/postgres/pg_connection.hpp"
#include "actors/sources/postgres/pg_types.hpp"
#include "actors/sources/postgres/pg_value.hpp"
#include "actors/sources/postgres/pgoutput.hpp"

/// The same WAL, decoded by two plugins, as lines that can be compared:
/// `16/B374D848 U public.t (id integer 7, n text 'a') of (id integer 2)`.
namespace sluice::postgres_test {

using namespace sluice::postgres;
using decoded_lines = std::vector<std::string>;

inline std::string real_text(double x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", x);
  return text;
}

inline std::string in_quotes(std::string_view x) {
  return '\'' + std::string{x} + '\'';
}

/// What pgoutput sent.
class pgoutput_lines {
public:
  /// @param db Says what PostgreSQL calls a type.
  explicit pgoutput_lines(connection& db) : db_{db} {
    // nop
  }

  void take(const std::string& at, std::string_view payload) {
    auto done = decode(payload, message_);
    if (!done)
      FAIL(to_string(done.error()));
    at_ = at;
    std::visit([this](const auto& x) { add(x); }, message_);
  }

  [[nodiscard]] std::uint64_t changes() const {
    return seen.at('I') + seen.at('U') + seen.at('D') + seen.at('T');
  }

  decoded_lines lines;
  /// How many of each operation; `u`: values unchanged out of line; `k` and
  /// `o`: updates that name the old key or the whole old row.
  std::map<char, std::uint64_t> seen{{'I', 0}, {'U', 0}, {'D', 0}, {'T', 0},
                                     {'M', 0}, {'u', 0}, {'k', 0}, {'o', 0}};

private:
  void add(const begin_message& x) {
    lines.push_back("begin " + to_string_lsn(x.final_lsn) + ' '
                    + time(x.commit_us) + ' ' + std::to_string(x.xid));
  }
  void add(const commit_message& x) {
    lines.push_back("commit " + to_string_lsn(x.commit_lsn) + ' '
                    + to_string_lsn(x.end_lsn) + ' ' + time(x.commit_us));
  }
  void add(const origin_message&) { FAIL("nothing has an origin here"); }
  void add(const relation_message& x) { relations_[x.id] = x; }
  void add(const type_message&) {
    // nop
  }
  void add(const logical_message& x) {
    lines.push_back(to_string_lsn(x.at) + " M " + std::string{x.prefix} + ' '
                    + std::string{x.content});
    ++seen['M'];
  }
  void add(const insert_message& x) {
    change('I', x.relation, columns(x.relation, x.after, false));
  }
  void add(const update_message& x) {
    seen['k'] += x.kind == old_row::key ? 1 : 0;
    seen['o'] += x.kind == old_row::full ? 1 : 0;
    const auto& before = x.kind == old_row::none ? x.after : x.before;
    change('U', x.relation,
           columns(x.relation, x.after, false) + " of "
             + columns(x.relation, before, x.kind != old_row::full));
  }
  void add(const delete_message& x) {
    change('D', x.relation,
           "of " + columns(x.relation, x.before, x.kind != old_row::full));
  }
  void add(const truncate_message& x) {
    for (auto id : x.relations)
      change('T', id, "");
  }

  void change(char op, oid relation, const std::string& rest) {
    const auto& of = relations_.at(relation);
    lines.push_back(at_ + ' ' + op + ' ' + of.schema + '.' + of.name + ' '
                    + rest);
    ++seen[op];
  }

  std::string columns(oid relation, const tuple& x, bool identity_only) {
    const auto& of = relations_.at(relation);
    REQUIRE(of.columns.size() == x.size());
    auto result = std::string{"("};
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto& column = of.columns[i];
      if (x[i].kind == value_kind::unchanged)
        ++seen['u'];
      else if (column.in_identity || !identity_only)
        result += column.name + ' ' + type(column) + ' '
                  + value(column.type, x[i]) + ", ";
    }
    return result + ')';
  }

  std::string value(oid type, const tuple_value& from) {
    auto scratch = std::string{};
    auto x = to_value(type, from, scratch);
    if (!x)
      FAIL(to_string(x.error()));
    switch (x->type) {
      case value_type::integer:
        if (type == bool_oid)
          return x->integer == 1 ? "true" : "false";
        return std::to_string(x->integer);
      case value_type::real: // wal2json knows no others
        return std::isfinite(x->real) ? real_text(x->real) : "NULL";
      case value_type::blob:
        return in_quotes(hex_text(x->bytes));
      case value_type::text:
        return type == numeric_oid ? numeric(x->bytes) : in_quotes(x->bytes);
      default:
        return "NULL";
    }
  }

  static std::string numeric(std::string_view x) {
    auto known = x.find_first_not_of("0123456789.-") == std::string_view::npos;
    return known ? std::string{x} : "NULL"; // as wal2json has it
  }

  static std::string hex_text(std::string_view x) {
    auto result = std::string{};
    for (auto c : x) {
      char digits[3];
      std::snprintf(digits, sizeof digits, "%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(c)));
      result += digits;
    }
    return result;
  }

  // As PostgreSQL writes a time: 2026-11-26 17:01:44.27+00
  static std::string time(std::int64_t us) {
    auto seconds = static_cast<std::time_t>(us / 1'000'000);
    auto fields = std::tm{};
    ::gmtime_r(&seconds, &fields);
    char text[64];
    auto size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &fields);
    std::snprintf(text + size, sizeof text - size, ".%06d",
                  static_cast<int>(us % 1'000'000));
    auto result = std::string{text};
    result.erase(result.find_last_not_of('0') + 1);
    if (result.back() == '.')
      result.pop_back();
    return result + "+00";
  }

  const std::string& type(const relation_column& x) {
    auto& result = types_[{x.type, x.modifier}];
    if (result.empty()) {
      auto found = db_.run(
        "SELECT format_type($1::oid, $2::int4)",
        {std::to_string(x.type), std::to_string(x.modifier)});
      if (!found)
        FAIL(to_string(found.error()));
      result = found->text(0, 0);
    }
    return result;
  }

  connection& db_;
  message message_;
  std::string at_;
  std::map<oid, relation_message> relations_;
  std::map<std::pair<oid, std::int32_t>, std::string> types_;
};

/// What wal2json, format-version 2, wrote.
class wal2json_lines {
public:
  void take(const std::string& at, std::string_view text) {
    auto json = nlohmann::json::parse(with_exact_numbers(text));
    auto op = json["action"].get<std::string>();
    if (op == "B")
      lines.push_back("begin " + word(json, "lsn") + ' '
                      + word(json, "timestamp") + ' '
                      + json["xid"]["number"].get<std::string>());
    else if (op == "C")
      commit(json);
    else if (op == "M")
      lines.push_back(at + " M " + word(json, "prefix") + ' '
                      + word(json, "content"));
    else
      lines.push_back(at + ' ' + op + ' ' + word(json, "schema") + '.'
                      + word(json, "table") + ' ' + images(json));
  }

  decoded_lines lines;

private:
  using object = nlohmann::json;

  static std::string word(const object& from, const char* name) {
    return from.at(name).get<std::string>();
  }

  // It also shows transactions of which it has nothing else to say.
  void commit(const object& json) {
    if (lines.back().starts_with("begin "))
      lines.pop_back();
    else
      lines.push_back("commit " + word(json, "lsn") + ' '
                      + word(json, "nextlsn") + ' ' + word(json, "timestamp"));
  }

  static std::string images(const object& json) {
    auto result = std::string{};
    if (json.contains("columns"))
      result += columns(json["columns"]);
    if (json.contains("identity"))
      result += (result.empty() ? "of " : " of ") + columns(json["identity"]);
    return result;
  }

  static std::string columns(const object& from) {
    auto result = std::string{"("};
    for (const auto& x : from)
      result += word(x, "name") + ' ' + word(x, "type") + ' '
                + value(word(x, "type"), x.at("value")) + ", ";
    return result + ')';
  }

  static std::string value(const std::string& type, const object& x) {
    if (x.is_null())
      return "NULL";
    if (x.is_boolean())
      return x.get<bool>() ? "true" : "false";
    if (x.is_string())
      return in_quotes(x.get<std::string>());
    auto text = word(x, "number");
    if (type == "real" || type == "double precision")
      return real_text(std::strtod(text.c_str(), nullptr));
    return text;
  }

  // A parser would round them: 1.50 becomes {"number":"1.50"}.
  static std::string with_exact_numbers(std::string_view json) {
    constexpr std::string_view digits = "0123456789+-.eE";
    auto result = std::string{};
    auto in_string = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
      auto c = json[i];
      if (!in_string && (c == '-' || (c >= '0' && c <= '9'))) {
        auto end = std::min(json.find_first_not_of(digits, i), json.size());
        result += R"({"number":")";
        result += json.substr(i, end - i);
        result += "\"}";
        i = end - 1;
        continue;
      }
      result += c;
      if (c == '"')
        in_string = !in_string;
      else if (c == '\\')
        result += json[++i];
    }
    return result;
  }
};

} // namespace sluice::postgres_test
