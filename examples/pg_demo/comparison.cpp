#include "pg_demo/comparison.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "plain_postgres.hpp"
#include "plain_sqlite.hpp"

namespace pg_demo {

namespace {

// A value with its kind in front, for both sides alike: `integer 7`, `NULL`.
using cell = std::string;
using row = std::vector<cell>;

struct table {
  std::string name; ///< `public.orders`, also in the replica.
  std::vector<std::string> columns;
  std::vector<int> types; ///< pg_type.oid of each.
  std::string key;        ///< For ORDER BY.
  std::size_t key_columns = 0;
};

// -- PostgreSQL ---------------------------------------------------------------

// As docs/postgres.md maps types; the oids are fixed, see pg_type.dat.
enum class kind { boolean, integer, real, bytes, text };

kind kind_of(int type) {
  switch (type) {
    case 16:
      return kind::boolean;
    case 20: // int8, int2, int4, oid
    case 21:
    case 23:
    case 26:
      return kind::integer;
    case 700:
    case 701:
      return kind::real;
    case 17:
      return kind::bytes;
    default:
      return kind::text;
  }
}

cell real_cell(double x) {
  return std::isnan(x) ? cell{"NULL"} : fmt::format("real {}", x);
}

cell bytes_cell(std::string_view bytes) {
  constexpr auto digits = "0123456789abcdef";
  auto result = cell{"blob "};
  for (auto c : bytes) {
    result += digits[static_cast<unsigned char>(c) >> 4U];
    result += digits[static_cast<unsigned char>(c) & 15U];
  }
  return result;
}

cell cell_of(int type, std::string_view text) {
  switch (kind_of(type)) {
    case kind::boolean:
      return text == "t" ? "integer 1" : "integer 0";
    case kind::integer:
      return "integer " + std::string{text};
    case kind::real:
      return real_cell(std::strtod(std::string{text}.c_str(), nullptr));
    case kind::bytes:
      return "blob " + std::string{text.substr(2)}; // behind \x
    case kind::text:
      break;
  }
  return "text " + std::string{text};
}

constexpr auto settings =
  "SET datestyle = ISO; SET intervalstyle = postgres; SET timezone = UTC; "
  "SET bytea_output = hex; SET extra_float_digits = 3; SET search_path = ''; "
  "SET client_encoding = UTF8; BEGIN ISOLATION LEVEL REPEATABLE READ";

constexpr auto columns_of_tables = R"(
SELECT n.nspname || '.' || c.relname, a.attname, a.atttypid,
  array_position(i.indkey::int2[], a.attnum) IS NOT NULL AS in_key
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relkind = 'r' AND n.nspname = 'public' ORDER BY 1, in_key DESC, attnum
)";

// The columns of the key come first: what is ordered by them can be merged.
std::vector<table> tables_of(plain_postgres::database& db) {
  auto found = db.run(columns_of_tables);
  auto result = std::vector<table>{};
  for (auto i = 0; i < found.rows(); ++i) {
    if (result.empty() || result.back().name != found.text(i, 0))
      result.push_back({std::string{found.text(i, 0)}, {}, {}, {}, 0});
    auto& x = result.back();
    x.columns.emplace_back(found.text(i, 1));
    x.types.push_back(std::stoi(std::string{found.text(i, 2)}));
    if (found.text(i, 3) == "t") {
      x.key += (x.key.empty() ? "" : ", ")
               + plain_postgres::sql_name(x.columns.back());
      ++x.key_columns;
    }
  }
  return result;
}

std::string select(const table& x, const std::string& from) {
  auto result = std::string{"SELECT "};
  for (const auto& name : x.columns)
    result += (&name == &x.columns.front() ? "" : ", ")
              + plain_postgres::sql_name(name);
  return result + " FROM " + from + " ORDER BY " + x.key;
}

std::string from_clause(const table& x) {
  auto dot = x.name.find('.');
  return plain_postgres::sql_name(x.name.substr(0, dot)) + '.'
         + plain_postgres::sql_name(x.name.substr(dot + 1));
}

row row_of(const plain_postgres::result& from, int i, const table& x) {
  auto result = row{};
  for (auto k = 0; k < from.columns(); ++k)
    result.push_back(
      from.is_null(i, k)
        ? "NULL"
        : cell_of(x.types[static_cast<std::size_t>(k)], from.text(i, k)));
  return result;
}

// -- SQLite -------------------------------------------------------------------

cell cell_of(const plain_sqlite::statement& from, int i) {
  switch (from.type(i)) {
    case SQLITE_INTEGER:
      return fmt::format("integer {}", from.integer(i));
    case SQLITE_FLOAT:
      return real_cell(from.real(i));
    case SQLITE_TEXT:
      return "text " + std::string{from.bytes(i)};
    case SQLITE_BLOB:
      return bytes_cell(from.bytes(i));
    default:
      return "NULL";
  }
}

std::optional<row> next_row(plain_sqlite::statement& from) {
  if (!from.step())
    return {};
  auto result = row{};
  for (auto i = 0; i < from.columns(); ++i)
    result.push_back(cell_of(from, i));
  return result;
}

// -- both ---------------------------------------------------------------------

std::string key_of(const table& x, const row& of) {
  auto result = std::string{};
  for (std::size_t i = 0; i < x.key_columns; ++i)
    result += (i == 0 ? "" : ", ") + x.columns[i] + " = " + of[i];
  return result;
}

std::string shortened(const cell& x) {
  constexpr auto most = std::size_t{60};
  return x.size() > most ? x.substr(0, most) + "..." : x;
}

std::string difference(const table& x, const std::optional<row>& source,
                       const std::optional<row>& replica) {
  if (!source || !replica)
    return source ? "the replica ends before " + key_of(x, *source)
                  : "the source ends before " + key_of(x, *replica);
  if (key_of(x, *source) != key_of(x, *replica))
    return fmt::format("the source goes on with {}, the replica with {}",
                       key_of(x, *source), key_of(x, *replica));
  for (std::size_t i = 0; i < x.columns.size(); ++i)
    if ((*source)[i] != (*replica)[i])
      return fmt::format("{}: {} is {} in the source, {} in the replica",
                         key_of(x, *source), x.columns[i],
                         shortened((*source)[i]), shortened((*replica)[i]));
  return {};
}

std::uint64_t compare(const table& x, plain_postgres::database& source,
                      plain_sqlite::database& replica, bool& equal) {
  auto theirs = source.run(select(x, from_clause(x)));
  auto ours = plain_sqlite::statement{
    replica.get(), select(x, plain_sqlite::sql_name(x.name))};
  auto wrong = std::string{};
  for (auto i = 0;; ++i) {
    auto left = std::optional<row>{};
    if (i < theirs.rows())
      left = row_of(theirs, i, x);
    auto right = next_row(ours);
    if (left != right)
      wrong = difference(x, left, right);
    if (!wrong.empty() || (!left && !right))
      break;
  }
  fmt::print("{:<28} {:>8} rows  {}\n", x.name, theirs.rows(),
             wrong.empty() ? "equal" : "DIFFERENT");
  if (!wrong.empty())
    fmt::print("  first difference: {}\n", wrong);
  std::fflush(stdout);
  equal = equal && wrong.empty();
  return static_cast<std::uint64_t>(theirs.rows());
}

} // namespace

comparison compare(const std::string& conninfo, const std::string& replica) {
  auto from = plain_postgres::database{conninfo};
  from.run(settings);
  auto to = plain_sqlite::database{replica, SQLITE_OPEN_READONLY};
  auto result = comparison{};
  for (const auto& x : tables_of(from)) {
    ++result.tables;
    result.rows += compare(x, from, to, result.equal);
  }
  return result;
}

void alter_one_value(const std::string& replica, std::uint64_t choice) {
  auto db = plain_sqlite::database{replica, SQLITE_OPEN_READWRITE};
  auto change = plain_sqlite::statement{
    db.get(), "UPDATE \"public.pgbench_accounts\" SET abalance = abalance + 1 "
              "WHERE aid = 1 + ? % (SELECT count(*) "
              "FROM \"public.pgbench_accounts\")"};
  change.bind(1, static_cast<std::int64_t>(choice >> 1U));
  if (change.run() != 1)
    throw plain_sqlite::failure{replica + ": no value to alter"};
}

} // namespace pg_demo
