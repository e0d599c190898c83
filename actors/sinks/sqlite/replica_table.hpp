#pragma once

#include <string>
#include <string_view>

#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "messages/errc.hpp"
#include "messages/schema.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// The replica's name of a table: without the "main." of SQLite.
[[nodiscard]] std::string replica_name(const table_schema& schema);

/// A column's type as it may stand in CREATE TABLE: quoted unless it is one
/// plain word, perhaps with numbers in brackets. Quotes do not become part of
/// the type.
[[nodiscard]] std::string replica_type(std::string_view type);

/// What the sink must know of a table that fits its schema.
struct replica_table {
  std::string name;
  /// There are UNIQUE indexes beside the key: changes must keep their order.
  bool in_order = false;
  /// A column of the key converts nothing, so that keys which SQLite takes for
  /// the same, 1 and 1.0, can be stored as either.
  bool loose_key = false;
};

/// Makes the replica's table fit `schema`: creates it, adds columns.
/// @param copy_starts All rows go away next, so that the table may be made
///        anew if the key is another one or columns are gone.
/// @error sink_conflict, table_without_key, invalid_option (a name with NUL
///        or one of the sink's own)
[[nodiscard]] expected<replica_table>
fit_replica_table(sqlite_db& db, const table_schema& schema,
                  const sqlite_sink_options& options, bool copy_starts);

} // namespace sluice
