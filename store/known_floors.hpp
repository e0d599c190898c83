#pragma once

#include <functional>
#include <unordered_map>

#include "messages/ids.hpp"

namespace sluice {

/// Floors that are looked up once per table.
class known_floors {
public:
  explicit known_floors(const std::function<timestamp(table_id)>& floor_of)
    : floor_of_{floor_of} {
    // nop
  }

  [[nodiscard]] timestamp operator()(table_id table) {
    auto [i, is_new] = known_.try_emplace(table);
    if (is_new)
      i->second = floor_of_(table);
    return i->second;
  }

private:
  const std::function<timestamp(table_id)>& floor_of_;
  std::unordered_map<table_id, timestamp> known_;
};

} // namespace sluice
