#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/sources/postgres/pg_connection.hpp"
#include "actors/sources/postgres/pg_setup_parts.hpp"

/// What the catalogs say of tables, before anything is made of it.
namespace sluice::postgres {

/// What pg_class says of something that has the name of a table.
struct relation {
  oid id = 0;
  std::string schema;
  std::string name;
  char kind = 'r';
  char persistence = 'p';
  char identity = 'd';
  std::string root; ///< Of a partition: qualified.

  [[nodiscard]] std::string qualified() const { return schema + '.' + name; }
  [[nodiscard]] std::string sql() const { return sql_name(schema, name); }
};

/// What else decides whether it can be captured.
struct table_state {
  std::uint64_t rows = 0;
  std::string role;
  bool may_use_schema = false;
  bool may_select = false;
  bool rows_are_hidden = false; ///< By row level security.
  std::string key;              ///< `id, part`; empty: none.
  bool key_is_generated = false;
  bool has_primary = false; ///< Also one that is deferrable.
  /// An index that could be the key: that of the primary key is "".
  std::optional<std::string> candidate;
};

/// Whether a schema is PostgreSQL's own, also that of temporary tables.
[[nodiscard]] bool is_system(std::string_view schema);
/// All tables and views outside of those, by name.
[[nodiscard]] expected<std::vector<relation>> list_relations(connection& to);
/// Of those that are still there.
[[nodiscard]] expected<std::map<oid, table_state>>
read_states(connection& to, const std::vector<oid>& ids);
/// Fills in the columns of `tables`.
[[nodiscard]] status read_columns(connection& to,
                                  std::vector<captured_table>& tables);

} // namespace sluice::postgres
