#pragma once

#include <set>
#include <string>
#include <vector>

#include "actors/sources/postgres/captured_tables.hpp"
#include "actors/sources/postgres/pg_connection.hpp"

/// Questions about what a database has.
namespace sluice::postgres {

/// The names of all types that are not built in.
[[nodiscard]] expected<type_names> user_types(connection& plain);

/// @error source_unsupported: a column can't be read in binary. One that comes
///        later is refused with its first value.
[[nodiscard]] status check_binary(const std::string& where,
                                  const std::vector<captured_table>& tables);

/// The tables of which a publication has all changes: their names may change
/// between two questions.
[[nodiscard]] expected<std::set<oid>>
published_tables(connection& plain, const std::string& publication);

/// Whether it is still there, under its name.
[[nodiscard]] expected<bool> has_table(connection& plain,
                                       const captured_table& x);

/// A table that is captured is not in the publication: it has a gap.
[[nodiscard]] error lacks_changes(const std::string& publication,
                                  const std::string& table);

} // namespace sluice::postgres
