#pragma once

#include <string>

#include "actors/sources/postgres/binary_reader.hpp"

namespace sluice::postgres {

/// Appends what numeric_send wrote as numeric_out prints it.
/// @returns False if it is no numeric.
[[nodiscard]] bool append_numeric(binary_reader& from, std::string& into);

} // namespace sluice::postgres
