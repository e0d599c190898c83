#pragma once

#include <string>

#include "actors/sources/postgres/binary_reader.hpp"
#include "actors/sources/postgres/pg_types.hpp"

/// Values that have values in them, as their send functions write them, to the
/// text that PostgreSQL prints.
namespace sluice::postgres {

/// @returns False if it is no array of that.
[[nodiscard]] bool append_array(oid element, binary_reader& from,
                                std::string& into);
/// @returns False if it is no range with such bounds.
[[nodiscard]] bool append_range(oid bound, binary_reader& from,
                                std::string& into);
[[nodiscard]] bool append_multirange(oid bound, binary_reader& from,
                                     std::string& into);

} // namespace sluice::postgres
