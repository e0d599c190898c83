#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// The kinds of statements that histories are made of.
namespace sluice::histories_test {

enum class kind : std::uint8_t {
  insert,
  insert_or_ignore,
  insert_or_fail,
  insert_or_replace_key,
  insert_or_replace_unique,
  replace_into,
  update_or_replace_key,
  update_or_replace_unique,
  declared_replace_key,
  declared_replace_unique,
  declared_replace_update,
  upsert_update,
  upsert_update_unique,
  upsert_nothing,
  update,
  update_of_key,
  update_of_added_column,
  erase,
  erase_all,
  child,
  on_delete_cascade,
  on_delete_set_null,
  on_update_cascade,
  on_update_set_null,
  commit,
  rollback,
  savepoint_release,
  savepoint_rollback,
  add_column,
  add_column_default,
  rename_column,
  drop_column_refused,
  rebuild,
  rebuild_all_triggers,
  rebuild_by_rename,
  drop_and_create,
  unique_index,
  trigger_created,
  trigger_dropped,
  vacuum,
};

inline constexpr auto kind_names = std::array<std::string_view, 40>{
  "INSERT",
  "INSERT OR IGNORE",
  "INSERT OR FAIL, many rows",
  "INSERT OR REPLACE, primary key",
  "INSERT OR REPLACE, secondary UNIQUE",
  "REPLACE INTO, two rows displaced",
  "UPDATE OR REPLACE, primary key",
  "UPDATE OR REPLACE, secondary UNIQUE",
  "declared ON CONFLICT REPLACE, INSERT, key",
  "declared ON CONFLICT REPLACE, INSERT, UNIQUE",
  "declared ON CONFLICT REPLACE, UPDATE",
  "UPSERT DO UPDATE",
  "UPSERT DO UPDATE, UNIQUE, of the key",
  "UPSERT DO NOTHING",
  "UPDATE",
  "UPDATE of the key",
  "UPDATE of an added column",
  "DELETE",
  "DELETE without WHERE",
  "INSERT of a child",
  "ON DELETE CASCADE",
  "ON DELETE SET NULL",
  "ON UPDATE CASCADE",
  "ON UPDATE SET NULL",
  "COMMIT",
  "ROLLBACK",
  "RELEASE of a savepoint",
  "ROLLBACK TO a savepoint",
  "ADD COLUMN",
  "ADD COLUMN with DEFAULT",
  "RENAME COLUMN",
  "DROP COLUMN, refused in one line",
  "12-step rebuild",
  "12-step rebuild, with our triggers re-created",
  "rebuild by renaming the old table",
  "DROP TABLE, CREATE TABLE",
  "CREATE UNIQUE INDEX",
  "CREATE TRIGGER behind ours",
  "DROP TRIGGER of the application",
  "VACUUM",
};

inline constexpr auto kinds = kind_names.size();
static_assert(kinds == static_cast<std::size_t>(kind::vacuum) + 1);

/// Schemas that both sides of a history know.
inline constexpr auto rowid_shapes = std::array{
  "(k INTEGER PRIMARY KEY, u UNIQUE, v)",
  "(k INTEGER PRIMARY KEY AUTOINCREMENT, u INT UNIQUE, v TEXT, UNIQUE(u, v))",
  "(k TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, u UNIQUE, v REAL)",
  "(k INTEGER PRIMARY KEY ON CONFLICT REPLACE, u UNIQUE ON CONFLICT REPLACE,"
  " v)",
  "(k TEXT NOT NULL PRIMARY KEY ON CONFLICT REPLACE,"
  " u NUMERIC UNIQUE ON CONFLICT REPLACE, v)",
  "(k INTEGER NOT NULL PRIMARY KEY DESC, u UNIQUE, v)",
};

inline constexpr auto keyed_shapes = std::array{
  "(k NOT NULL PRIMARY KEY, u UNIQUE, v) WITHOUT ROWID",
  "(k INTEGER PRIMARY KEY, u UNIQUE, v) WITHOUT ROWID",
  "(k TEXT PRIMARY KEY ON CONFLICT REPLACE, u UNIQUE ON CONFLICT REPLACE, v)"
  " WITHOUT ROWID",
  "(k, u, v, PRIMARY KEY(u, k), UNIQUE(k), UNIQUE(u)) WITHOUT ROWID",
};

} // namespace sluice::histories_test
