#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "actors/sources/source_connector.hpp"
#include "actors/sources/sqlite/capture_setup.hpp"
#include "messages/row.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// The copy of some tables as one open transaction at `seq`: per table
/// snapshot_begin and its rows, one end mark behind the last row of all.
class table_copy {
public:
  struct table {
    copy_job job;
    table_id id;
  };

  /// @param db In the read transaction that began at the copies' place.
  /// @param tables Ascending by generation.
  table_copy(sqlite_db& db, std::uint64_t seq, std::vector<table> tables);

  /// Adds rows until there are `bytes_max`.
  /// @returns Whether everything is copied.
  [[nodiscard]] expected<bool> fill(row_block_builder& into,
                                    std::size_t bytes_max);
  /// Of the table that is being copied.
  [[nodiscard]] const copy_progress& progress() const noexcept {
    return progress_;
  }

private:
  expected<bool> next();
  status open(const table& x);
  void add_begin(const table& x, row_block_builder& into) const;
  void add_row(const table& x, row_block_builder& into);
  row_header header(const table& x, row_op op, std::uint64_t ordinal) const;

  sqlite_db& db_;
  std::uint64_t seq_;
  std::vector<table> tables_;
  std::size_t at_ = 0;                   // of the present table
  std::optional<sqlite_statement> rows_; // of the present table
  bool pending_ = false;                 // `next` found something to add
  std::uint64_t ordinal_ = 0;            // of it; 0: snapshot_begin
  std::vector<bool> key_columns_;
  std::vector<value_view> values_;
  copy_progress progress_;
};

} // namespace sluice
