#include "actors/sources/sqlite/source_table.hpp"

#include <algorithm>

#include <sqlite3.h>

#include "actors/sources/sqlite/index_terms.hpp"
#include "actors/sources/sqlite/source_error.hpp"

namespace sluice {

namespace {

struct index_entry {
  std::string name;
  bool is_primary = false;
  bool partial = false;
};

status read_columns(sqlite_db& db, source_table& into) {
  auto bind = [&](sqlite_statement& q) { q.bind_text(1, into.name); };
  auto on_row = [&](sqlite_statement& q) {
    auto hidden = q.integer(3);
    into.all_columns.emplace_back(q.text(0));
    if (hidden == 0)
      into.columns.push_back({std::string{q.text(0)}, std::string{q.text(1)},
                              static_cast<std::uint16_t>(q.integer(2))});
  };
  return db.run("SELECT name, type, pk, hidden"
                " FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
                bind, on_row);
}

status read_foreign_keys(sqlite_db& db, source_table& into) {
  auto bind = [&](sqlite_statement& q) { q.bind_text(1, into.name); };
  auto on_row = [&](sqlite_statement& q) {
    into.updates_itself = q.integer(0) > 0;
    into.cascades = q.integer(1) > 0;
  };
  return db.run("SELECT total(\"table\" = ?1 COLLATE NOCASE"
                " AND on_update NOT IN ('NO ACTION', 'RESTRICT')),"
                " total(on_delete = 'CASCADE')"
                " FROM pragma_foreign_key_list(?1, 'main')",
                bind, on_row);
}

expected<std::vector<index_entry>> read_indexes(sqlite_db& db,
                                                const std::string& table) {
  auto result = std::vector<index_entry>{};
  auto bind = [&](sqlite_statement& q) { q.bind_text(1, table); };
  auto on_row = [&](sqlite_statement& q) {
    result.push_back(
      {std::string{q.text(0)}, q.text(1) == "pk", q.integer(2) != 0});
  };
  // By name: SQLite's own order changes when the schema is read again, and
  // with it the text of the triggers would.
  auto done = db.run("SELECT name, origin, partial"
                     " FROM pragma_index_list(?1, 'main')"
                     " WHERE \"unique\" ORDER BY name",
                     bind, on_row);
  if (!done)
    return pass_on(done);
  return result;
}

expected<std::vector<std::string>> read_index_terms(sqlite_db& db,
                                                    const std::string& index) {
  auto sql = std::string{};
  auto bind = [&](sqlite_statement& q) { q.bind_text(1, index); };
  auto on_row = [&](sqlite_statement& q) { sql = q.text(0); };
  auto done = db.run("SELECT sql FROM main.sqlite_schema"
                     " WHERE type = 'index' AND name = ?1",
                     bind, on_row);
  if (!done)
    return pass_on(done);
  return index_terms(sql);
}

expected<unique_key> read_index(sqlite_db& db, const index_entry& index) {
  auto result = unique_key{{}, index.partial};
  auto has_expression = false;
  auto bind = [&](sqlite_statement& q) { q.bind_text(1, index.name); };
  auto on_row = [&](sqlite_statement& q) {
    has_expression = has_expression || q.integer(0) == -2;
    auto name = std::string{q.integer(0) == -2 ? "" : q.text(1)};
    result.terms.push_back({std::move(name), {}, std::string{q.text(2)}});
  };
  auto done = db.run("SELECT cid, name, coll"
                     " FROM pragma_index_xinfo(?1, 'main')"
                     " WHERE \"key\" ORDER BY seqno",
                     bind, on_row);
  if (!done)
    return pass_on(done);
  if (!has_expression)
    return result;
  auto written = read_index_terms(db, index.name);
  if (!written)
    return pass_on(written);
  if (written->size() != result.terms.size())
    return fail(errc::source_unsupported,
                db.path() + ": cannot read the terms of unique index \""
                  + index.name + '"',
                "Drop that index, or leave its table out.");
  for (std::size_t i = 0; i < result.terms.size(); ++i)
    if (result.terms[i].column.empty())
      result.terms[i].expression = (*written)[i];
  return result;
}

std::string rowid_name(const std::vector<std::string>& columns) {
  for (const auto* name : {"rowid", "_rowid_", "oid"}) {
    auto hides = [&](const std::string& x) {
      return sqlite3_stricmp(x.c_str(), name) == 0;
    };
    if (std::none_of(columns.begin(), columns.end(), hides))
      return name;
  }
  return {};
}

// An INTEGER PRIMARY KEY has no index of its own: it is the rowid.
unique_key declared_key(const source_table& info) {
  auto parts = std::vector<column>{};
  std::copy_if(info.columns.begin(), info.columns.end(),
               std::back_inserter(parts),
               [](const column& x) { return x.key_part > 0; });
  std::sort(parts.begin(), parts.end(), [](const column& x, const column& y) {
    return x.key_part < y.key_part;
  });
  auto result = unique_key{};
  for (auto& part : parts)
    result.terms.push_back({std::move(part.name), {}, {}});
  return result;
}

// An INTEGER key that is not the rowid (WITHOUT ROWID, or DESC) may hold other
// values, too. INT says the same of the column, and is the rowid nowhere.
void name_plain_integers(std::vector<column>& columns) {
  for (auto& x : columns)
    if (x.key_part > 0 && sqlite3_stricmp(x.type.c_str(), "INTEGER") == 0)
      x.type = "INT";
}

} // namespace

expected<std::vector<listed_table>> list_tables(sqlite_db& db) {
  auto result = std::vector<listed_table>{};
  auto on_row = [&](sqlite_statement& q) {
    result.push_back(
      {std::string{q.text(0)}, q.text(1) == "virtual", q.integer(2) != 0});
  };
  auto done = db.run(
    "SELECT name, type, wr FROM pragma_table_list"
    " WHERE schema = 'main' AND type IN ('table', 'virtual')"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    " AND name NOT LIKE 'sluice\\_%' ESCAPE '\\'"
    " ORDER BY name",
    [](sqlite_statement&) {}, on_row);
  if (!done)
    return pass_on(done);
  return result;
}

expected<source_table> read_source_table(sqlite_db& db,
                                         const listed_table& listed) {
  auto result = source_table{};
  result.name = listed.name;
  result.without_rowid = listed.without_rowid;
  if (auto done = read_columns(db, result); !done)
    return pass_on(done);
  if (auto done = read_foreign_keys(db, result); !done)
    return pass_on(done);
  auto indexes = read_indexes(db, result.name);
  if (!indexes)
    return pass_on(indexes);
  result.primary = declared_key(result);
  auto key_is_rowid = !result.without_rowid && !result.primary.terms.empty();
  for (const auto& index : *indexes) {
    auto key = read_index(db, index);
    if (!key)
      return pass_on(key);
    if (index.is_primary) {
      result.primary = std::move(*key);
      key_is_rowid = false;
    } else {
      result.uniques.push_back(std::move(*key));
    }
  }
  if (!key_is_rowid && result.primary.terms.size() == 1)
    name_plain_integers(result.columns);
  if (!result.without_rowid && !key_is_rowid)
    result.rowid = rowid_name(result.all_columns);
  return result;
}

} // namespace sluice
