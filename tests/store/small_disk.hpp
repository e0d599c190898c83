#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tests/store/log_fixture.hpp"
#include "tests/support/simulated_disk.hpp"

/// A log whose disk fills up.
namespace log_test {

using sluice::test::simulated_disk;

inline constexpr auto directory = "/log";
inline constexpr auto segment = std::uint64_t{16} << 10U;
inline constexpr auto reserve = segment;
inline constexpr auto slow = std::uint64_t{1};
inline constexpr auto fast = std::uint64_t{2};

/// A log on a disk with room for a few segments.
struct small_disk {
  std::shared_ptr<simulated_disk> disk = std::make_shared<simulated_disk>();
  std::unique_ptr<segment_log> log = {};
  std::uint64_t rows = 0; ///< In the log, of each of two tables.
  std::uint64_t reserve_bytes = reserve;
  std::uint64_t floor = 0; ///< Of the fast table, and of the slow one:
  std::uint64_t slow_floor = 0;

  status open() {
    auto opened = segment_log::open(
      {directory, segment, 0, disk, 4000, reserve_bytes});
    if (!opened)
      return tl::unexpected{opened.error()};
    log = std::move(*opened);
    return {};
  }
  status append() {
    auto ts = rows + 1;
    auto done = log->append(block_of({{fast, ts, false, std::string(900, 'f')},
                                      {slow, ts, true, "slow", 1}}),
                            {ts});
    if (!done)
      return tl::unexpected{done.error()};
    rows = ts;
    return {};
  }
  /// @returns What the last one failed with.
  error append_until_it_fails() {
    for (;;)
      if (auto done = append(); !done)
        return done.error();
  }
  [[nodiscard]] timestamp floor_of(table_id table) const {
    return {table.value == fast ? floor : slow_floor};
  }
  [[nodiscard]] std::function<timestamp(table_id)> floors() const {
    return [this](table_id x) { return floor_of(x); };
  }
  /// As EVENT_STORE does it. @returns Whether nothing failed.
  bool let_go() {
    auto gone = log->release(floors());
    auto done = log->disk()->remove(gone).has_value();
    while (auto order = log->plan_rewrite(floors(), log->last())) {
      auto next = log->rewriter()->run(*order);
      if (!next)
        return false;
      done = log->disk()->remove(log->rewritten(*next)).has_value() && done;
    }
    return done;
  }
  [[nodiscard]] bool has_reserve() const { return log->room_missing() == 0; }
  /// Each table has its rows from the first that may not be gone.
  void check() const {
    for (auto table : {fast, slow}) {
      auto got = scan(*log, table);
      auto next = got.empty() ? rows + 1 : got.front();
      REQUIRE(next <= (table == fast ? floor : slow_floor) + 1);
      for (auto ts : got)
        REQUIRE(ts == next++);
      REQUIRE(next == rows + 1);
    }
  }
};

} // namespace log_test
