#pragma once

#include <string>
#include <string_view>

#include "actors/sources/postgres/pg_types.hpp"

/// Values as their types' send functions write them: what pgoutput sends with
/// the option `binary`.
/// @source The send functions in src/backend/utils/adt of PostgreSQL 15.
namespace sluice::postgres {

/// Whether `append_as_text` knows the type: no user type, no composite.
[[nodiscard]] bool reads_binary(oid type) noexcept;

/// Appends exactly what the type's output function prints with datestyle ISO,
/// timezone UTC, intervalstyle postgres and bytea_output hex.
/// @returns False if it is no value of the type, or of one that is not known;
///          what is appended then means nothing.
[[nodiscard]] bool append_as_text(oid type, std::string_view bytes,
                                  std::string& into);

} // namespace sluice::postgres
