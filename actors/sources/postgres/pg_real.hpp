#pragma once

#include <string>

namespace sluice::postgres {

/// Appends a float4 or float8 as PostgreSQL 12 and later print it.
void append_real(float x, std::string& into);
void append_real(double x, std::string& into);

} // namespace sluice::postgres
