#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <vector>

#include "messages/row.hpp"
#include "messages/schema.hpp"

namespace sluice::exploration {

/// A row of a script.
struct row_at {
  std::uint64_t table = 0;
  std::uint64_t ts = 0;
  std::uint64_t start = 0; ///< start_ts; 0: as `ts`.
  std::uint64_t version = 1;
};

/// All that a source will ever say in a scenario, also what is yet to come:
/// what a promise speaks of does not depend on when it is looked at.
class facts {
public:
  struct append {
    block_ptr block; ///< Null: only the promise.
    timestamp resolved;
  };

  void add_table(std::uint64_t table);
  void add_block(std::initializer_list<row_at> rows, std::uint64_t resolved);
  void add_ddl(std::uint64_t table, std::uint64_t ts, bool dropped = false);

  [[nodiscard]] const std::vector<append>& appends() const { return appends_; }
  /// Of a table, ascending.
  [[nodiscard]] const std::vector<row_cursor>& rows(table_id table) const;
  [[nodiscard]] const std::vector<ddl_event>& ddl(table_id table) const {
    return ddl_.at(table);
  }
  [[nodiscard]] const std::map<table_id, std::vector<ddl_event>>&
  tables() const {
    return ddl_;
  }
  /// How many rows are <= `ts`.
  [[nodiscard]] std::size_t rows_to(table_id table, timestamp ts) const;
  [[nodiscard]] schema_version version_at(table_id table, timestamp ts) const;
  /// Where everything ends.
  [[nodiscard]] timestamp end() const { return appends_.back().resolved; }
  [[nodiscard]] table_info info(table_id table) const;

private:
  std::vector<append> appends_;
  std::map<table_id, std::vector<row_cursor>> rows_;
  std::map<table_id, std::vector<ddl_event>> ddl_; // with the first version
};

} // namespace sluice::exploration
