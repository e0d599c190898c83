#pragma once

#include <cstdint>
#include <vector>

#include "messages/sink.hpp"

namespace sluice {

/// One row of a batch of items.
struct row_place {
  std::uint32_t item = 0;
  std::uint32_t row = 0; ///< Counted from the item's first.

  friend bool operator==(const row_place&, const row_place&) = default;
};

/// All rows of items that come grouped by table, in commit order. Empty: they
/// stand in that order already.
/// @pre The rows of an item ascend.
[[nodiscard]] std::vector<row_place>
commit_order(const std::vector<write_item>& items);

} // namespace sluice
