#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "messages/errc.hpp"
#include "messages/schema.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// One term of a key: a column or an expression.
struct key_term {
  std::string column;     ///< Empty for an expression.
  std::string expression; ///< As written in CREATE INDEX.
  std::string collation;  ///< By which it is compared; empty: none needed.
};

/// What no two rows may share.
struct unique_key {
  std::vector<key_term> terms;
  bool partial = false; ///< Only for rows that fulfil a condition.
};

/// All that capturing needs to know of a table.
struct source_table {
  std::string name;
  /// Those that are captured: not the generated ones.
  std::vector<column> columns;
  /// Also the generated ones: what an index expression may name.
  std::vector<std::string> all_columns;
  unique_key primary;              ///< No terms: the table declares no key.
  std::vector<unique_key> uniques; ///< The other ones.
  /// By which name the rowid can be had; empty if there is none, if columns
  /// hide all its names, or if it is the primary key.
  std::string rowid;
  bool without_rowid = false;
  /// A foreign key to itself changes rows when their key is updated.
  bool updates_itself = false;
  /// Deleting a row elsewhere, or here, may delete rows of this table.
  bool cascades = false;
};

/// A table of the database, and of which kind.
struct listed_table {
  std::string name;
  bool is_virtual = false;
  bool without_rowid = false;
};

/// Tables and virtual tables, but neither SQLite's own nor ours.
[[nodiscard]] expected<std::vector<listed_table>> list_tables(sqlite_db& db);

[[nodiscard]] expected<source_table>
read_source_table(sqlite_db& db, const listed_table& listed);

} // namespace sluice
