#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/sources/sqlite/source_identity.hpp"
#include "messages/ids.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// How to read the rows of one capture.
struct outbox_table {
  std::int64_t capture = 0;
  table_id table;
  schema_version version;
  std::vector<column> columns;
  std::uint64_t after_seq = 0; ///< Earlier rows are left out: a copy has them.
};

/// Reads one snapshot of the outbox after the other, in any number of parts.
class outbox_reader {
public:
  /// @param db In a read transaction from `begin` to `end`.
  explicit outbox_reader(sqlite_db& db);

  void set_tables(const std::vector<outbox_table>& tables);
  /// Goes to the row behind `after`.
  [[nodiscard]] status begin(std::uint64_t after);
  /// Adds rows until there are `bytes_max`; behind the snapshot's last row it
  /// adds the end mark.
  /// @returns Whether the snapshot is read to its end.
  [[nodiscard]] expected<bool> fill(row_block_builder& into,
                                    std::size_t bytes_max);
  /// Lets go of the snapshot.
  void end();

  /// The last place looked at; also where nothing was given.
  [[nodiscard]] const outbox_place& last() const noexcept { return last_; }

private:
  // A table's rows by sequence, read side by side with the log: a step on is
  // cheaper than a look-up.
  struct source {
    outbox_table table;
    std::vector<bool> key_columns;
    std::string sql;
    std::optional<sqlite_statement> rows;
  };

  expected<bool> next();
  status find_row(source& from);
  void add(source& from, row_block_builder& into);

  sqlite_db& db_;
  std::unordered_map<std::int64_t, source> sources_;
  std::optional<sqlite_statement> log_;
  source* pending_ = nullptr; // of the row that `next` found
  std::uint64_t begun_after_ = 0;
  outbox_place last_;
  std::vector<value_view> before_;
  std::vector<value_view> after_;
};

/// Unix microseconds of a julianday, whole milliseconds as SQLite knows them.
[[nodiscard]] std::uint64_t unix_microseconds(double julianday) noexcept;

/// One flag per column: whether it is in the key.
[[nodiscard]] std::vector<bool> key_columns(const std::vector<column>& columns);

} // namespace sluice
