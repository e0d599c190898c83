#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/errc.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"

namespace sluice {

/// The key of a table: its columns in the order of the key.
struct table_key {
  std::string table; ///< The replica's name, for messages.
  std::vector<std::uint16_t> columns;
  std::vector<std::string> names; ///< Of `columns`.
};

[[nodiscard]] table_key key_of(const table_schema& schema);

/// One change, taken apart for a sink that addresses rows by their key.
class decoded_row {
public:
  /// Replaces what was here. The values point into the row's block.
  /// @error null_in_key, malformed
  [[nodiscard]] status assign(row_view row, const table_key& key);

  [[nodiscard]] row_op op() const noexcept { return op_; }
  /// The key of the row that is updated or erased.
  [[nodiscard]] const std::vector<value_view>& old_key() const noexcept {
    return old_key_;
  }
  /// The key that an insert or update gives the row.
  [[nodiscard]] const std::vector<value_view>& new_key() const noexcept {
    return new_key_;
  }
  /// The old values, of an update or erase; those of the key are never
  /// `unchanged`.
  [[nodiscard]] const std::vector<value_view>& before() const noexcept {
    return before_;
  }
  /// The new values; those of the key are never `unchanged`.
  [[nodiscard]] const std::vector<value_view>& after() const noexcept {
    return after_;
  }
  /// Whether an update gives the row another key.
  [[nodiscard]] bool moves() const noexcept { return moves_; }
  /// Whether `after` leaves something `unchanged`.
  [[nodiscard]] bool partial() const noexcept { return partial_; }

private:
  row_op op_ = row_op::insert;
  bool moves_ = false;
  bool partial_ = false;
  std::vector<value_view> before_;
  std::vector<value_view> after_;
  std::vector<value_view> old_key_;
  std::vector<value_view> new_key_;
};

/// Whether SQLite would store NULL: of NaN too.
[[nodiscard]] bool is_null(const value_view& x) noexcept;

} // namespace sluice
