#pragma once

#include <functional>
#include <memory>

#include "actors/sources/source_connector.hpp"
#include "tests/simulation/world/history.hpp"

namespace sluice::simulation {

/// A source that replays a history identically from any cursor, in reads of
/// random size that may end inside of a transaction.
class upstream : public source_connector {
public:
  /// @param failing How many of the next calls fail; the world sets it.
  /// @param confirmed Called with what may be forgotten here.
  upstream(const history& truth, choices& choose, std::uint64_t rows_max,
           std::shared_ptr<std::uint64_t> failing,
           std::function<void(timestamp)> confirmed)
    : truth_{truth}, choose_{choose}, rows_max_{rows_max},
      failing_{std::move(failing)}, confirmed_{std::move(confirmed)} {
    // nop
  }

  [[nodiscard]] std::string describe() const override { return "upstream"; }
  [[nodiscard]] expected<std::vector<ddl_event>>
  open(const source_position& from, source_journal& journal) override;
  [[nodiscard]] expected<source_batch> read(std::size_t bytes_max) override;
  [[nodiscard]] expected<bool> confirm(timestamp ts) override;
  [[nodiscard]] std::chrono::milliseconds
  idle_wait(std::uint32_t empty_reads) const override;

private:
  [[nodiscard]] bool fails();
  static void add(row_block_builder& to, const history::row& x);

  const history& truth_;
  choices& choose_;
  std::uint64_t rows_max_;
  std::shared_ptr<std::uint64_t> failing_;
  std::function<void(timestamp)> confirmed_;
  std::size_t next_ = 0;     // row
  std::size_t next_ddl_ = 0; // of those that stand before it or later
};

} // namespace sluice::simulation
