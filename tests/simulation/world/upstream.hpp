#pragma once

#include <map>
#include <memory>
#include <vector>

#include "actors/sources/source_connector.hpp"
#include "tests/simulation/world/options.hpp"
#include "tests/support/rows.hpp"

namespace sluice::simulation {

/// Every row that was ever committed, in commit order: the truth that
/// deliveries are compared with.
class history {
public:
  struct entry {
    std::uint64_t table = 0;
    row_cursor cursor;
    bool ends = false; ///< Its transaction is complete with it.
  };

  explicit history(std::uint64_t tables) : tables_{tables} {
    // nop
  }

  /// One transaction of 1 to 6 rows, or seldom of 40; of the ts of the one
  /// before it now and then.
  void commit(dice& luck);

  [[nodiscard]] std::uint64_t tables() const { return tables_; }
  [[nodiscard]] const std::vector<entry>& all() const { return all_; }
  /// Rows of one table, as places in `all`.
  [[nodiscard]] const std::vector<std::size_t>& of(std::uint64_t table) const {
    static const auto none = std::vector<std::size_t>{};
    auto found = by_table_.find(table);
    return found == by_table_.end() ? none : found->second;
  }
  /// How many rows of `table` are <= `ts`.
  [[nodiscard]] std::size_t up_to(std::uint64_t table, timestamp ts) const;
  /// No transaction of a ts <= it follows.
  [[nodiscard]] timestamp settled() const {
    return open_ts_ ? timestamp{ts_ - 1} : timestamp{ts_};
  }
  /// The next transaction gets a ts of its own.
  void settle() { open_ts_ = false; }

private:
  std::uint64_t tables_;
  std::vector<entry> all_;
  std::map<std::uint64_t, std::vector<std::size_t>> by_table_;
  std::uint64_t ts_ = 10;
  std::uint64_t start_ = 1;
  bool open_ts_ = false; // another transaction may have this ts, too
};

/// A source that replays a history identically from any cursor, in reads of
/// random size that may end inside of a transaction.
class upstream : public source_connector {
public:
  upstream(const history& truth, std::uint64_t seed, std::uint64_t rows_max)
    : truth_{truth}, luck_{seed}, rows_max_{rows_max} {
    // nop
  }

  [[nodiscard]] std::string describe() const override { return "upstream"; }
  [[nodiscard]] expected<std::vector<ddl_event>>
  open(row_cursor resume, source_journal& journal) override;
  [[nodiscard]] expected<source_batch> read(std::size_t bytes_max) override;
  [[nodiscard]] expected<bool> confirm(timestamp ts) override;
  [[nodiscard]] std::chrono::milliseconds
  idle_wait(std::uint32_t empty_reads) const override;

private:
  const history& truth_;
  dice luck_;
  std::uint64_t rows_max_;
  std::size_t next_ = 0;
};

} // namespace sluice::simulation
