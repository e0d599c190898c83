// Compares a replica with its source, row by row and bit by bit. It knows
// nothing of sluice but the names of its tables, which it leaves out.
//
// Exit status: 0 if all tables are equal, 1 if not, 2 if it could not look.

#include <array>
#include <bit>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "plain_sqlite.hpp"

namespace {

using plain_sqlite::database;
using plain_sqlite::sql_name;
using plain_sqlite::statement;

/// What of a table is compared, in the order of the source's columns.
struct table {
  std::vector<std::string> columns;
  std::vector<std::string> key; ///< All columns if no key was declared.
};

/// Rows of one side of a table, in the order of the key.
struct side {
  statement query;
  XXH3_state_t hash{};
  std::uint64_t rows = 0;
  std::string row;   ///< The present one, as it is hashed.
  bool there = true; ///< Not at the end.

  side(database& db, const std::string& sql) : query{db.get(), sql} {
    XXH3_128bits_reset(&hash);
  }
  void next(int columns);
  [[nodiscard]] std::string digest() const {
    auto x = XXH3_128bits_digest(&hash);
    return fmt::format("{:016x}{:016x}", x.high64, x.low64);
  }
};

// Storage class, length and bytes, so that no two rows look the same.
void append_value(std::string& to, const statement& from, int i) {
  auto append = [&](std::uint64_t x) {
    auto bytes = std::array<char, 8>{};
    for (auto& c : bytes) {
      c = static_cast<char>(x & 0xFF);
      x >>= 8;
    }
    to.append(bytes.data(), bytes.size());
  };
  to += static_cast<char>(from.type(i));
  switch (from.type(i)) {
    case SQLITE_INTEGER:
      return append(static_cast<std::uint64_t>(from.integer(i)));
    case SQLITE_FLOAT:
      return append(std::bit_cast<std::uint64_t>(from.real(i)));
    case SQLITE_NULL:
      return;
    default:
      append(from.bytes(i).size());
      to += from.bytes(i);
  }
}

void side::next(int columns) {
  there = there && query.step(); // A step after the end would start again.
  if (!there)
    return;
  row.clear();
  for (auto i = 0; i < columns; ++i)
    append_value(row, query, i);
  XXH3_128bits_update(&hash, row.data(), row.size());
  ++rows;
}

// A value for people.
std::string shown(const statement& from, int i) {
  switch (from.type(i)) {
    case SQLITE_INTEGER:
      return std::to_string(from.integer(i));
    case SQLITE_FLOAT:
      return fmt::format("{}", from.real(i));
    case SQLITE_NULL:
      return "NULL";
    case SQLITE_TEXT: {
      auto result = std::string{from.bytes(i).substr(0, 60)};
      for (auto& c : result)
        if (c >= 0 && c < ' ')
          c = ' '; // One line is one line.
      return '\'' + result + '\'';
    }
    default: {
      auto result = std::string{"x'"};
      for (auto c : from.bytes(i).substr(0, 30))
        result += fmt::format("{:02x}", static_cast<unsigned char>(c));
      return result + '\'';
    }
  }
}

// -- what is there ------------------------------------------------------------

std::map<std::string, table> tables_of(database& db) {
  auto result = std::map<std::string, table>{};
  auto names = statement{
    db.get(), "SELECT name FROM sqlite_schema WHERE type = 'table' AND "
              "name NOT LIKE 'sluice\\_%' ESCAPE '\\' AND "
              "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND "
              "sql NOT LIKE 'CREATE VIRTUAL%'"};
  while (names.step())
    result[std::string{names.bytes(0)}];
  for (auto& entry : result) {
    auto columns = statement{
      db.get(), "SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0 "
                "ORDER BY cid"};
    columns.bind(1, entry.first);
    auto key = std::map<std::int64_t, std::string>{};
    while (columns.step()) {
      entry.second.columns.emplace_back(columns.bytes(0));
      if (columns.integer(1) > 0)
        key[columns.integer(1)] = columns.bytes(0);
    }
    for (const auto& part : key)
      entry.second.key.push_back(part.second);
    if (key.empty())
      entry.second.key = entry.second.columns;
  }
  return result;
}

std::string list(const std::vector<std::string>& names,
                 std::string_view behind = "") {
  auto result = std::string{};
  for (const auto& x : names)
    result += (result.empty() ? "" : ", ") + sql_name(x) + std::string{behind};
  return result;
}

// "a" = ?1 AND "b" = ?2
std::string where(const std::vector<std::string>& key) {
  auto result = std::string{};
  for (const auto& x : key)
    result += (result.empty() ? " WHERE " : " AND ") + sql_name(x) + " IS ?";
  return result;
}

// The key's columns come once more behind the others, to be shown.
std::string select(const std::string& name, const table& x) {
  return "SELECT " + list(x.columns) + ", " + list(x.key) + " FROM "
         + sql_name(name) + " ORDER BY " + list(x.key, " COLLATE BINARY");
}

// -- the comparison -----------------------------------------------------------

std::string key_of(const statement& row, const table& x) {
  auto first = static_cast<int>(x.columns.size());
  auto result = std::string{};
  for (auto i = 0; i < static_cast<int>(x.key.size()); ++i)
    result += (i == 0 ? "" : ", ") + x.key[static_cast<std::size_t>(i)] + " = "
              + shown(row, first + i);
  return result;
}

bool has_row(database& db, const std::string& name, const table& x,
             const statement& row) {
  auto query = statement{db.get(),
                         "SELECT 1 FROM " + sql_name(name) + where(x.key)};
  auto first = static_cast<int>(x.columns.size());
  for (auto i = 0; i < static_cast<int>(x.key.size()); ++i)
    query.bind_column(i + 1, row, first + i);
  return query.step();
}

// What is different in the present rows, which are not equal.
std::string difference(database& replica, const std::string& name,
                       const table& x, const side& left, const side& right) {
  if (!left.there)
    return "the source lacks the row with " + key_of(right.query, x);
  if (!has_row(replica, name, x, left.query))
    return "the replica lacks the row with " + key_of(left.query, x);
  if (key_of(left.query, x) != key_of(right.query, x))
    return "the source lacks the row with " + key_of(right.query, x);
  for (auto i = 0; i < static_cast<int>(x.columns.size()); ++i) {
    auto a = std::string{};
    auto b = std::string{};
    append_value(a, left.query, i);
    append_value(b, right.query, i);
    if (a != b)
      return fmt::format("the row with {}: {} is {} in the source, {} in the "
                         "replica",
                         key_of(left.query, x),
                         x.columns[static_cast<std::size_t>(i)],
                         shown(left.query, i), shown(right.query, i));
  }
  return "the row with " + key_of(left.query, x);
}

/// Prints a line, or two if there is a difference.
/// @returns Whether both sides are equal.
bool compare(database& source, database& replica, const std::string& name,
             const table& x) {
  auto columns = static_cast<int>(x.columns.size());
  auto left = side{source, select(name, x)};
  auto right = side{replica, select(name, x)};
  auto found = std::optional<std::string>{};
  do {
    // Both to their ends, so that the counts and the hashes are whole.
    left.next(columns);
    right.next(columns);
    if (!found
        && (left.there != right.there || (left.there && left.row != right.row)))
      found = difference(replica, name, x, left, right);
  } while (left.there || right.there);
  if (!found) {
    fmt::print("{:<20} {:>10} rows  {}  equal\n", name, left.rows,
               left.digest());
    return true;
  }
  fmt::print("{:<20} {:>10} rows  {}  source\n", name, left.rows,
             left.digest());
  fmt::print("{:<20} {:>10} rows  {}  replica: DIFFERENT\n", "", right.rows,
             right.digest());
  fmt::print("  first difference: {}\n", *found);
  return false;
}

bool compare(database& source, database& replica) {
  // Each is read as of one moment.
  source.exec("BEGIN");
  replica.exec("BEGIN");
  auto wanted = tables_of(source);
  auto there = tables_of(replica);
  auto equal = true;
  for (const auto& entry : wanted) {
    auto found = there.find(entry.first);
    if (found == there.end()) {
      fmt::print("{}: the replica lacks the table\n", entry.first);
      equal = false;
      continue;
    }
    if (found->second.columns != entry.second.columns) {
      fmt::print("{}: the columns are {} in the source, {} in the replica\n",
                 entry.first, list(entry.second.columns),
                 list(found->second.columns));
      equal = false;
      continue;
    }
    equal = compare(source, replica, entry.first, entry.second) && equal;
  }
  for (const auto& entry : there)
    if (wanted.count(entry.first) == 0) {
      fmt::print("{}: the source lacks the table\n", entry.first);
      equal = false;
    }
  fmt::print("{} tables: {}\n", wanted.size(), equal ? "equal" : "DIFFERENT");
  return equal;
}

// -- the check of the check ---------------------------------------------------

/// A copy of a database that goes away.
struct scratch_copy {
  std::string path;

  explicit scratch_copy(const std::string& of) {
    path = (std::filesystem::temp_directory_path() / "compare_XXXXXX").string();
    auto file = ::mkstemp(path.data());
    if (file < 0)
      throw plain_sqlite::failure{path + ": cannot be made"};
    ::close(file);
    auto from = database{of, SQLITE_OPEN_READONLY};
    auto to = database{path, SQLITE_OPEN_READWRITE};
    auto* copy = sqlite3_backup_init(to.get(), "main", from.get(), "main");
    auto done = sqlite3_backup_step(copy, -1);
    sqlite3_backup_finish(copy);
    if (done != SQLITE_DONE)
      throw plain_sqlite::failure{
        of + ": cannot be copied: " + sqlite3_errmsg(to.get())};
  }
  scratch_copy(const scratch_copy&) = delete;
  scratch_copy& operator=(const scratch_copy&) = delete;
  ~scratch_copy() {
    for (const auto* end : {"", "-wal", "-shm", "-journal"})
      ::unlink((path + end).c_str());
  }
};

// The value of the present row with one byte, or one bit of a number, changed.
void bind_flipped(statement& to, const statement& from, int i) {
  auto bytes = std::string{from.bytes(i)};
  switch (from.type(i)) {
    case SQLITE_INTEGER:
      return to.bind(1, from.integer(i) ^ 1);
    case SQLITE_FLOAT:
      return to.bind(1, std::bit_cast<double>(
                          std::bit_cast<std::uint64_t>(from.real(i)) ^ 1U));
    case SQLITE_TEXT:
      bytes.back() = static_cast<char>(bytes.back() ^ 1);
      return to.bind(1, bytes);
    default:
      bytes.back() = static_cast<char>(bytes.back() ^ 1);
      return to.bind_blob(1, bytes);
  }
}

/// Changes one byte of one value, in the middle of a table that has any.
/// @returns Whether there was one.
bool flip_in(database& db, const std::string& name, const table& x) {
  auto key = static_cast<int>(x.columns.size());
  for (auto i = key - 1; i >= 0; --i) {
    auto column = sql_name(x.columns[static_cast<std::size_t>(i)]);
    auto usable = " FROM " + sql_name(name) + " WHERE " + column
                  + " IS NOT NULL AND length(cast(" + column + " AS BLOB)) > 0";
    auto row = statement{
      db.get(), "SELECT " + list(x.columns) + ", " + list(x.key) + usable
                  + " LIMIT 1 OFFSET (SELECT count(*) / 2" + usable + ")"};
    if (!row.step())
      continue;
    auto change = statement{db.get(), "UPDATE " + sql_name(name) + " SET "
                                        + column + " = ?" + where(x.key)};
    bind_flipped(change, row, i);
    for (auto k = 0; k < static_cast<int>(x.key.size()); ++k)
      change.bind_column(k + 2, row, key + k);
    fmt::print("one byte altered in a copy of the replica: {}.{}, {}\n", name,
               x.columns[static_cast<std::size_t>(i)], key_of(row, x));
    row.reset();
    return change.run() == 1;
  }
  return false;
}

void flip(database& db) {
  for (const auto& entry : tables_of(db))
    if (flip_in(db, entry.first, entry.second))
      return;
  throw plain_sqlite::failure{"the replica has no value that could be altered"};
}

int run(const std::string& source_path, const std::string& replica_path,
        bool flip_one_byte) {
  auto source = database{source_path, SQLITE_OPEN_READONLY};
  if (!flip_one_byte) {
    auto replica = database{replica_path, SQLITE_OPEN_READONLY};
    return compare(source, replica) ? 0 : 1;
  }
  auto copy = scratch_copy{replica_path};
  auto replica = database{copy.path, SQLITE_OPEN_READWRITE};
  flip(replica);
  return compare(source, replica) ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  auto source = std::string{};
  auto replica = std::string{};
  auto flip_one_byte = false;
  auto app = CLI::App{"Compares the tables of two SQLite databases."};
  app.add_option("source", source)->required()->check(CLI::ExistingFile);
  app.add_option("replica", replica)->required()->check(CLI::ExistingFile);
  app.add_flag("--flip-one-byte", flip_one_byte,
               "Alter one byte in a copy of the replica first: must be found");
  try {
    app.parse(argc, argv);
    return run(source, replica, flip_one_byte);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& x) {
    fmt::print(stderr, "compare_databases: {}\n", x.what());
  } catch (const plain_sqlite::failure& x) {
    fmt::print(stderr, "compare_databases: {}\n", x.what());
  }
  return 2;
}
