#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "messages/schema.hpp"
#include "tests/simulation/world/choices.hpp"
#include "tests/simulation/world/options.hpp"

namespace sluice::simulation {

/// Everything that was ever committed upstream, in commit order: the truth
/// that deliveries are compared with.
class history {
public:
  struct row {
    std::uint64_t table = 0;
    row_cursor cursor;
    bool ends = false; ///< Its transaction is complete with it.
    schema_version version;
    std::size_t bytes = 0; ///< Of its text.
  };
  struct ddl {
    std::size_t before = 0; ///< Of `all`, the row it stands before.
    ddl_event event;
  };

  static constexpr auto tables_max = std::uint64_t{6};

  explicit history(const schedule_options& how);

  /// One transaction of 1 to 6 rows, or seldom of 40; of the ts of the one
  /// before it now and then.
  void commit(choices& choose);
  /// A table gets a column, or there is another table.
  void change_schema(choices& choose);

  [[nodiscard]] std::uint64_t tables() const { return by_table_.size(); }
  [[nodiscard]] const std::vector<row>& all() const { return all_; }
  [[nodiscard]] const std::vector<ddl>& schemas() const { return ddl_; }
  /// Rows of one table, as places in `all`.
  [[nodiscard]] const std::vector<std::size_t>& of(std::uint64_t table) const {
    return by_table_[table - 1];
  }
  [[nodiscard]] const row& of(std::uint64_t table, std::size_t number) const {
    return all_[of(table)[number]];
  }
  /// How many rows of `table` are <= `ts`.
  [[nodiscard]] std::size_t up_to(std::uint64_t table, timestamp ts) const {
    return up_to(table, row_cursor::end_of(ts));
  }
  [[nodiscard]] std::size_t up_to(std::uint64_t table, row_cursor last) const;
  /// No transaction and no DDL of a ts <= it follows.
  [[nodiscard]] timestamp settled() const {
    return open_ts_ ? timestamp{ts_ - 1} : timestamp{ts_};
  }
  /// The next transaction gets a ts of its own.
  void settle() { open_ts_ = false; }

private:
  void add_table();

  std::uint64_t large_;
  std::vector<row> all_;
  std::vector<ddl> ddl_;
  std::vector<std::vector<std::size_t>> by_table_; // table 1 first
  std::vector<schema_version> versions_;
  std::uint64_t ts_ = 10;
  std::uint64_t start_ = 1;
  bool open_ts_ = false; // another transaction may have this ts, too
};

} // namespace sluice::simulation
