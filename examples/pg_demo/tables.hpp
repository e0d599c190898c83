#pragma once

#include <cstdint>
#include <string>

#include "plain_postgres.hpp"

/// The demo's tables, beside those of pgbench.
namespace pg_demo {

/// Rows of public.big at the beginning: enough to be met in its copy.
inline constexpr auto big_rows = std::uint64_t{200'000};

/// Tables with rows, and functions that make a row of a random number.
void make_tables(plain_postgres::database& db);

} // namespace pg_demo
