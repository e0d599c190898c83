#pragma once

#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

#include "actors/sources/postgres/captured_tables.hpp"
#include "actors/sources/postgres/table_copies.hpp"
#include "messages/row.hpp"

namespace sluice::postgres {

/// Makes rows of what table_copies reads; a table begins with snapshot_begin.
class copy_rows {
public:
  copy_rows(std::unique_ptr<table_copies> from, const captured_tables& tables);

  /// Of which transaction the rows are that come next.
  void stand_at(timestamp commit_ts, timestamp start_ts) {
    at_ = {commit_ts, start_ts, 0};
  }
  /// Adds what is there, about `bytes_max`, and no end of the transaction.
  /// Waits for the first so long.
  /// @returns Whether everything is copied.
  /// @error source_unavailable, malformed
  [[nodiscard]] expected<bool> fill(row_block_builder& into,
                                    std::size_t bytes_max,
                                    std::chrono::milliseconds wait);
  /// Of the table that rows came of last, and of all.
  [[nodiscard]] const copy_progress& progress() const noexcept {
    return progress_;
  }

private:
  struct table {
    const captured_tables::table* of = nullptr;
    std::vector<bool> key_columns;
    std::vector<oid> types;
    std::uint64_t rows = 0;
    bool begun = false;
    bool ended = false;
  };

  status add_piece(const copied_piece& x, row_block_builder& into);
  void note_progress(std::size_t of);
  status add_row(table& to, row_block_builder& into);
  [[nodiscard]] row_header next_header(const table& of, row_op op);

  std::unique_ptr<table_copies> from_;
  std::vector<table> tables_;
  row_cursor at_;
  copy_progress progress_;
  std::vector<std::optional<std::string>> fields_;
  std::vector<std::string> bytes_;
  std::vector<value_view> values_;
};

} // namespace sluice::postgres
