#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// The indexed terms of a CREATE INDEX statement as they are written, without
/// ASC and DESC: `CREATE INDEX i ON t(a, lower(b) DESC)` has "a", "lower(b)".
/// Empty if `sql` is nothing of that kind.
[[nodiscard]] std::vector<std::string> index_terms(std::string_view sql);

} // namespace sluice
