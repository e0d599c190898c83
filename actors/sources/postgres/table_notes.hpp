#pragma once

#include <map>
#include <string>
#include <string_view>

#include "actors/sources/postgres/captured_tables.hpp"

/// What the journal keeps about tables, as text.
namespace sluice::postgres {

/// Relation and versions of a table.
[[nodiscard]] std::string to_note(const captured_tables::table& x);
void parse_table(std::string_view note, captured_tables::table& into);

/// The tables whose rows we have, by name, and where the last row of each one's
/// copy stands; zero: in the first copy. A log that lost that row, or never had
/// it, has no copy of the table.
using copied_tables = std::map<std::string, row_cursor>;

[[nodiscard]] std::string to_note(const copied_tables& x);
[[nodiscard]] copied_tables parse_copied(std::string_view note);

} // namespace sluice::postgres
