#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/sources/postgres/pg_connection.hpp"
#include "actors/sources/postgres/pgoutput.hpp"
#include "actors/sources/postgres/postgres_options.hpp"

/// What a server must have before rows can flow, what is missing, and the SQL
/// that mends it.
namespace sluice::postgres {

/// One thing that was looked at.
struct finding {
  enum class level {
    good,
    warning, ///< Works, but the operator should know.
    missing, ///< `set_up` makes it, or the SQL does.
    broken,  ///< Only the operator can mend it.
  };
  level how = level::good;
  std::string what;   ///< `wal_level`, `publication`, `table public.t`, ...
  std::string detail; ///< One line: how it is, and what that means.
  /// Exact statements, each with its semicolon; empty: nothing to run.
  std::vector<std::string> sql;
  std::string remedy; ///< A sentence, where SQL alone is not enough.
  errc code = errc::source_unsupported; ///< Of the error that it becomes.
};

struct column_info {
  std::string name;
  oid type = 0;
  std::int32_t modifier = -1;
  /// format_type, for types that are not built in: `public.mood`.
  std::string type_name;
  std::uint16_t key_part = 0; ///< 1, 2, ... in the replica identity's key.
};

/// A table that can be captured.
struct captured_table {
  oid id = 0;
  std::string schema;
  std::string name;
  std::vector<column_info> columns; ///< Without generated ones.
  char identity = 'd';
  std::uint64_t rows_estimated = 0;

  [[nodiscard]] std::string qualified() const { return schema + "." + name; }
};

struct report {
  std::vector<finding> findings;
  std::vector<captured_table> tables; ///< That match and can be captured.

  /// The first that is broken, or missing while nothing may be made; none if
  /// rows can flow.
  [[nodiscard]] const finding* obstacle(bool may_set_up) const noexcept;
  /// One line per table that matches but is not captured: which and why.
  [[nodiscard]] std::vector<std::string> left_out() const;
};

/// Looks at everything and changes nothing: version (>= 14), wal_level, the
/// role's rights (REPLICATION, SELECT on the tables), free slots and senders,
/// publication and its tables, slot (plugin, database, wal_status, active),
/// max_slot_wal_keep_size, and of each table that matches: its key and replica
/// identity. Partitioned tables are captured as their root.
/// A table without a key is left out with a warning, and broken if it is named
/// without a wildcard: publishing its updates would make the application's own
/// UPDATE and DELETE fail.
/// @error source_unavailable
[[nodiscard]] expected<report> examine(connection& to,
                                       const postgres_source_options& options);

/// Makes the publication, or adds the tables that it lacks. Never FOR ALL
/// TABLES. To be called before the slot is made: a slot older than its
/// publication can't be read.
[[nodiscard]] status make_publication(connection& to,
                                      const postgres_source_options& options,
                                      const report& found);

/// The finding as one error: what, where, the SQL as remedy.
[[nodiscard]] error to_error(const finding& x, const std::string& where);

} // namespace sluice::postgres
