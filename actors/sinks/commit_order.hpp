#pragma once

#include <cstdint>
#include <vector>

#include "messages/changes.hpp"
#include "messages/sink.hpp"

namespace sluice {

/// All rows of items that come grouped by table, in commit order. Empty: they
/// stand in that order already.
/// @pre The rows of an item ascend.
[[nodiscard]] std::vector<row_place>
commit_order(const std::vector<write_item>& items);

} // namespace sluice
