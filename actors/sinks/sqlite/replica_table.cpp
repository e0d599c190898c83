#include "actors/sinks/sqlite/replica_table.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include <sqlite3.h>

#include "actors/sinks/sqlite/sink_error.hpp"

namespace sluice {

namespace {

bool same_name(std::string_view x, std::string_view y) noexcept {
  return x.size() == y.size()
         && sqlite3_strnicmp(x.data(), y.data(), static_cast<int>(x.size()))
              == 0;
}

const column* find(const std::vector<column>& columns,
                   std::string_view name) noexcept {
  auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& x) {
    return same_name(x.name, name);
  });
  return found == columns.end() ? nullptr : &*found;
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// (10) or (10,2) or (10, 2)
bool is_size(std::string_view x) noexcept {
  auto is_number = [](std::string_view y) {
    return !y.empty() && std::all_of(y.begin(), y.end(), is_digit);
  };
  if (x.size() < 3 || x.front() != '(' || x.back() != ')')
    return false;
  x = x.substr(1, x.size() - 2);
  auto comma = x.find(',');
  if (comma == std::string_view::npos)
    return is_number(x);
  auto second = x.substr(comma + 1);
  if (!second.empty() && second.front() == ' ')
    second.remove_prefix(1);
  return is_number(x.substr(0, comma)) && is_number(second);
}

// The schema's names as the replica can have them, else why not.
status check_names(const table_schema& schema) {
  auto name = replica_name(schema);
  auto bad = [](std::string_view x) {
    return x.empty() || x.find('\0') != std::string_view::npos;
  };
  if (bad(name))
    return fail(errc::invalid_option,
                "a replica cannot have a table name that is empty or has a "
                "NUL, table id "
                  + std::to_string(schema.table.value),
                "Exclude it in the feed's rules.");
  if (name.size() >= 7
      && (same_name(std::string_view{name}.substr(0, 7), "sluice_")
          || same_name(std::string_view{name}.substr(0, 7), "sqlite_")))
    return fail(errc::invalid_option,
                "table \"" + name
                  + "\": names with sluice_ or sqlite_ in front are taken in "
                    "a replica",
                "Exclude it in the feed's rules.");
  for (const auto& x : schema.columns)
    if (bad(x.name) || x.type.find('\0') != std::string::npos)
      return fail(errc::invalid_option,
                  "table \"" + name
                    + "\" has a column whose name is empty or has a NUL",
                  "Exclude it in the feed's rules.");
  return {};
}

enum class affinity : std::uint8_t { integer, text, blob, real, numeric };

// "Determination Of Column Affinity" in https://sqlite.org/datatype3.html: what
// a column of that type converts values to.
affinity affinity_of(std::string type) {
  for (auto& c : type)
    if (c >= 'a' && c <= 'z')
      c = static_cast<char>(c - 'a' + 'A');
  auto has = [&](const char* x) { return type.find(x) != std::string::npos; };
  if (has("INT"))
    return affinity::integer;
  if (has("CHAR") || has("CLOB") || has("TEXT"))
    return affinity::text;
  if (type.empty() || has("BLOB"))
    return affinity::blob;
  if (has("REAL") || has("FLOA") || has("DOUB"))
    return affinity::real;
  return affinity::numeric;
}

// The type that the replica's column should have.
std::string wanted_type(const column& x, const sqlite_sink_options& options) {
  return options.declared_types ? replica_type(x.type) : std::string{};
}

std::string definition(const column& x, const sqlite_sink_options& options) {
  auto result = sqlite_quoted(x.name);
  auto type = wanted_type(x, options);
  return type.empty() ? result : result + ' ' + type;
}

std::vector<column> key_of(const std::vector<column>& columns) {
  auto result = std::vector<column>{};
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(result),
               [](const column& x) { return x.key_part > 0; });
  std::sort(result.begin(), result.end(), [](const auto& x, const auto& y) {
    return x.key_part < y.key_part;
  });
  return result;
}

std::string create_sql(const table_schema& schema,
                       const sqlite_sink_options& options) {
  auto sql = "CREATE TABLE " + sqlite_quoted(replica_name(schema)) + " (\n";
  for (const auto& x : schema.columns)
    sql += "  " + definition(x, options) + ",\n";
  auto separator = "  PRIMARY KEY (";
  for (const auto& x : key_of(schema.columns)) {
    sql += separator + sqlite_quoted(x.name);
    separator = ", ";
  }
  return sql + "))";
}

// The columns of the table as it is; none if there is no such table.
expected<std::vector<column>> read_columns(sqlite_db& db,
                                           std::string_view name) {
  auto result = std::vector<column>{};
  auto query = db.cached(
    "SELECT name, type, pk FROM pragma_table_xinfo(?) ORDER BY cid");
  if (!query)
    return tl::unexpected{std::move(query.error())};
  query->bind_text(1, name);
  for (;;) {
    auto row = query->step();
    if (!row)
      return tl::unexpected{std::move(row.error())};
    if (!*row)
      return result;
    result.push_back({std::string{query->text(0)}, std::string{query->text(1)},
                      static_cast<std::uint16_t>(query->integer(2))});
  }
}

expected<bool> has_other_unique(sqlite_db& db, std::string_view name) {
  auto query = db.cached("SELECT count(*) FROM pragma_index_list(?) "
                         "WHERE \"unique\" AND origin <> 'pk'");
  if (!query)
    return tl::unexpected{std::move(query.error())};
  auto row = query->bind_text(1, name).step();
  if (!row)
    return tl::unexpected{std::move(row.error())};
  return *row && query->integer(0) > 0;
}

bool same_key(const std::vector<column>& there,
              const std::vector<column>& wanted) {
  auto x = key_of(there);
  auto y = key_of(wanted);
  // Names only: a key of other types can hold the rows as well.
  return std::equal(
    x.begin(), x.end(), y.begin(), y.end(),
    [](const column& a, const column& b) { return same_name(a.name, b.name); });
}

bool has_others(const std::vector<column>& there,
                const std::vector<column>& wanted) {
  return std::any_of(there.begin(), there.end(), [&](const column& x) {
    return find(wanted, x.name) == nullptr;
  });
}

// Such a key takes integers only.
bool key_is_rowid(const std::vector<column>& columns) {
  auto key = key_of(columns);
  return key.size() == 1 && same_name(key[0].type, "INTEGER");
}

// Whether values would become others, or not fit, in the table that is there.
bool converts(const std::vector<column>& there,
              const std::vector<column>& wanted,
              const sqlite_sink_options& options) {
  if (key_is_rowid(there) && !key_is_rowid(wanted))
    return true;
  return std::any_of(wanted.begin(), wanted.end(), [&](const column& x) {
    const auto* old = find(there, x.name);
    return old != nullptr
           && affinity_of(old->type) != affinity_of(wanted_type(x, options));
  });
}

status add_columns(sqlite_db& db, const table_schema& schema,
                   const std::vector<column>& there,
                   const sqlite_sink_options& options) {
  auto name = replica_name(schema);
  for (const auto& x : schema.columns) {
    if (find(there, x.name) != nullptr)
      continue;
    if (!options.create_tables)
      return fail(errc::sink_conflict,
                  db.path() + ": table \"" + name + "\" has no column \""
                    + x.name + "\" and create_tables is off",
                  "Add the column to the target, or set create_tables.");
    auto added = db.exec("ALTER TABLE " + sqlite_quoted(name) + " ADD COLUMN "
                         + definition(x, options));
    if (!added)
      return sink_failure(db, std::move(added.error()), "");
  }
  return {};
}

// Makes the table, or changes the one that is there.
status fit(sqlite_db& db, const table_schema& schema,
           const std::vector<column>& there, const sqlite_sink_options& options,
           bool copy_starts) {
  auto name = replica_name(schema);
  auto where = db.path() + ": table \"" + name + '"';
  auto fits = same_key(there, schema.columns);
  auto create = there.empty();
  if (create && !options.create_tables)
    return fail(errc::sink_conflict,
                where + " is missing and create_tables is off",
                "Make the table in the target, or set create_tables.");
  if (!create && copy_starts && options.create_tables
      && (!fits || has_others(there, schema.columns)
          || converts(there, schema.columns, options))) {
    auto dropped = db.exec("DROP TABLE " + sqlite_quoted(name));
    if (!dropped)
      return sink_failure(db, std::move(dropped.error()), "");
    create = true;
  }
  if (create) {
    auto made = db.exec(create_sql(schema, options));
    if (!made)
      return sink_failure(db, std::move(made.error()), "");
    return {};
  }
  if (!fits)
    return fail(errc::sink_conflict,
                where + " has another primary key than the source's");
  return add_columns(db, schema, there, options);
}

} // namespace

std::string replica_name(const table_schema& schema) {
  constexpr auto prefix = std::string_view{"main."};
  auto name = std::string_view{schema.name};
  if (name.substr(0, prefix.size()) == prefix)
    name.remove_prefix(prefix.size());
  return std::string{name};
}

std::string replica_type(std::string_view type) {
  // A STRICT table's ANY keeps every value; elsewhere ANY would convert.
  if (type.empty() || same_name(type, "ANY"))
    return {};
  auto size = std::min(type.find('('), type.size());
  auto word = type.substr(0, size);
  auto plain = std::all_of(word.begin(), word.end(), [](char c) {
    return c == '_' || is_digit(c) || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z');
  });
  plain = plain && !word.empty() && !is_digit(word[0])
          && sqlite3_keyword_check(word.data(), static_cast<int>(size)) == 0
          && (size == type.size() || is_size(type.substr(size)));
  return plain ? std::string{type} : sqlite_quoted(type);
}

expected<replica_table> fit_replica_table(sqlite_db& db,
                                          const table_schema& schema,
                                          const sqlite_sink_options& options,
                                          bool copy_starts) {
  if (auto names = check_names(schema); !names)
    return tl::unexpected{std::move(names.error())};
  auto name = replica_name(schema);
  if (key_of(schema.columns).empty())
    return fail(errc::table_without_key, "table \"" + name + '"');
  auto there = read_columns(db, name);
  if (!there)
    return sink_failure(db, std::move(there.error()), name);
  if (auto done = fit(db, schema, *there, options, copy_starts); !done)
    return tl::unexpected{std::move(done.error())};
  there = read_columns(db, name);
  if (!there)
    return sink_failure(db, std::move(there.error()), name);
  auto in_order = has_other_unique(db, name);
  if (!in_order)
    return sink_failure(db, std::move(in_order.error()), name);
  auto key = key_of(*there);
  auto loose = std::any_of(key.begin(), key.end(), [](const column& x) {
    return affinity_of(x.type) == affinity::blob;
  });
  return replica_table{std::move(name), *in_order, loose};
}

} // namespace sluice
