#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/sources/postgres/pg_setup.hpp"

/// What `examine` consists of.
namespace sluice::postgres {

// In this order: the publication needs the tables.
[[nodiscard]] status examine_server(connection& to,
                                    const postgres_source_options& options,
                                    report& into);
[[nodiscard]] status examine_tables(connection& to,
                                    const postgres_source_options& options,
                                    report& into);
[[nodiscard]] status examine_publication(connection& to,
                                         const postgres_source_options& options,
                                         report& into);
[[nodiscard]] status examine_slot(connection& to,
                                  const postgres_source_options& options,
                                  report& into);

/// Older minor versions may not send changes of a table that was put into a
/// publication while a transaction wrote it.
/// @param version As server_version_num, 150013.
/// @source PostgreSQL's commit 4909b38af0, of the releases of May 2025.
[[nodiscard]] bool sends_all_that_join(int version) noexcept;

/// Of findings about the publication; `make_publication` looks for it.
inline constexpr auto about_publication = std::string_view{"publication"};

/// Of a relation `c`: the index that is the key of its replica identity, as
/// columns indexrelid and parts, the numbers of its columns in order. None if
/// PostgreSQL would refuse an UPDATE that is published; of REPLICA IDENTITY
/// FULL it is the primary key. For `LEFT JOIN LATERAL`.
/// @source RelationGetIndexList in relcache.c: valid, unique, not deferrable,
///         not partial. The included columns are behind indnkeyatts.
inline constexpr auto key_index =
  "(SELECT i.indexrelid, (i.indkey::int2[])[0:i.indnkeyatts - 1] AS parts"
  " FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid"
  " AND i.indisunique AND i.indimmediate AND i.indpred IS NULL"
  " AND CASE c.relreplident WHEN 'i' THEN i.indisreplident"
  " WHEN 'n' THEN false ELSE i.indisprimary END)";

[[nodiscard]] inline bool is_true(const result& rows, int row, int column) {
  return rows.text(row, column) == "t";
}

[[nodiscard]] inline std::string cell(const result& rows, int row, int column) {
  return std::string{rows.text(row, column)};
}

/// `"schema"."table"`
[[nodiscard]] inline std::string sql_name(std::string_view schema,
                                          std::string_view name) {
  return quoted_name(schema) + '.' + quoted_name(name);
}

/// `'{1,2}'::oid[]`
[[nodiscard]] std::string oid_array(const std::vector<oid>& ids);
[[nodiscard]] std::vector<oid> ids_of(const std::vector<captured_table>& x);

} // namespace sluice::postgres
