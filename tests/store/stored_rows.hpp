#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/store/log_fixture.hpp"

namespace log_test {

/// A row that a log has.
struct stored {
  row_cursor at;
  std::uint64_t table = 0;
  std::string bytes;
  friend bool operator==(const stored&, const stored&) = default;
};

/// What one gets who reads a table to its end, or to where it cannot be read.
struct stored_reading {
  std::vector<stored> rows;
  error failure;

  [[nodiscard]] std::vector<std::uint64_t> commit_ts() const {
    auto result = std::vector<std::uint64_t>{};
    for (const auto& x : rows)
      result.push_back(x.at.commit_ts.value);
    return result;
  }
};

/// @param table 0: all of them.
/// @param bytes_max Of each scan on the way.
inline stored_reading read_stored(log_engine& log, std::uint64_t table,
                                  row_cursor after,
                                  std::uint64_t bytes_max = 2000) {
  auto result = stored_reading{};
  for (auto done = block_index{}; done < log.last();) {
    auto plan = plan_scan(log, {{table}, after, log.last(), bytes_max});
    result.failure = plan.failure;
    if (plan.failure)
      return result;
    for (const auto& piece : plan.pieces) {
      auto block = load(log, piece);
      for (std::size_t i = 0; i < block->rows(); ++i) {
        auto x = block->row(i);
        auto wanted = table == all_tables.value || x.table().value == table;
        if (!wanted || x.cursor() <= after)
          continue;
        after = x.cursor();
        result.rows.push_back({after, x.table().value, std::string{x.bytes()}});
      }
    }
    REQUIRE((plan.complete_to > done || !plan.pieces.empty()));
    done = plan.complete_to;
  }
  return result;
}

} // namespace log_test
