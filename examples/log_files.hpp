#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/segment_log.hpp"
#include "store/table_history.hpp"

/// The logs in a directory, read as the next start of their service would.
namespace log_files {

/// Where a log lies, and what it belongs to.
struct log_place {
  std::string directory;
  std::string source; ///< Empty if no service is around it.
  std::string state;  ///< The service's directory; empty if there is none.
};

/// @param directory Of a service, or of one log.
/// @error invalid_option: there is none
[[nodiscard]] sluice::expected<std::vector<log_place>>
find(const std::string& directory);

/// Bytes at the end of a file that the next start cuts.
struct torn_tail {
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// Blocks that were durable and cannot be read.
struct lost_blocks {
  std::string why;          ///< "<file>: byte <n>: block <i> is damaged"
  sluice::row_cursor after; ///< The last row before them ...
  std::optional<sluice::row_cursor> before; ///< ... the first behind them.
};

/// Rows of a transaction that did not commit; the next start deletes them.
struct left_spool {
  std::string path;
  std::uint64_t bytes = 0;
};

struct findings {
  std::vector<torn_tail> torn;
  std::vector<left_spool> spools;
  std::vector<lost_blocks> lost;
  std::uint64_t segments = 0;
  std::uint64_t blocks = 0; ///< That can be read.
  std::uint64_t rows = 0;   ///< In them, those of an open tail included.
  sluice::row_cursor last;
  std::set<std::uint64_t> named; ///< Spool files that references name.
};

/// Reads all of it.
/// @error log_locked, log_corrupt: it does not open; log_format_newer, log_io
[[nodiscard]] sluice::expected<findings> examine(const log_place& at);

/// A log, and its tables' schemas if they are there.
struct opened_log {
  std::unique_ptr<sluice::segment_log> engine;
  std::optional<sluice::table_history> schemas;

  /// "3", or "items (3)".
  [[nodiscard]] std::string name_of(sluice::table_id table) const;
  /// @param name Also a number; empty: all tables. @error unknown_table
  [[nodiscard]] sluice::expected<sluice::table_id>
  table_of(const std::string& name) const;
  /// @error unknown_table
  [[nodiscard]] sluice::expected<sluice::schema_ptr>
  schema_of(sluice::row_view row) const;
};

/// @error as `examine`
[[nodiscard]] sluice::expected<opened_log> open(const log_place& at);

} // namespace log_files
