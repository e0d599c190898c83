#pragma once

#include <cstdint>
#include <string>

/// Whether a replica has what the database has, read without sluice.
namespace pg_demo {

struct comparison {
  std::uint64_t tables = 0;
  std::uint64_t rows = 0; ///< Of all tables.
  bool equal = true;
};

/// Prints a line per table, and the first difference of each.
[[nodiscard]] comparison compare(const std::string& conninfo,
                                 const std::string& replica);

/// Changes one value in the replica: the comparison has to find it.
void alter_one_value(const std::string& replica, std::uint64_t choice);

} // namespace pg_demo
