#pragma once

#include <memory>
#include <string>
#include <vector>

#include "messages/errc.hpp"
#include "messages/ids.hpp"
#include "messages/schema.hpp"

namespace sluice {

/// Schema versions of all tables of one upstream, by ts; durable.
///
/// In memory for reading; each change is written to `meta.db` in `directory`
/// (beside checkpoint_store's tables) before it shows. Calls that write block.
class table_history {
public:
  /// @error log_io, log_format_newer
  [[nodiscard]] static expected<table_history>
  open(const std::string& directory, const std::string& source);
  /// Not durable; for tests and memory_log.
  [[nodiscard]] static table_history in_memory();

  table_history(table_history&&) noexcept;
  table_history& operator=(table_history&&) noexcept;
  ~table_history();

  /// Records DDL in its order: all of it, with one sync, or nothing. The same
  /// event again changes nothing.
  /// @error append_out_of_order when a table has a later version already,
  ///        log_io
  [[nodiscard]] status add(const std::vector<ddl_event>& events);

  /// The table as of `at`: its greatest version with valid_from <= `at`. It
  /// is the schema of rows with commit_ts in (valid_from, next valid_from].
  /// @error unknown_table (before its first version), table_deleted
  [[nodiscard]] expected<schema_ptr> at(table_id table, timestamp at) const;
  /// One version. @error unknown_table
  [[nodiscard]] expected<schema_ptr> version(table_id table,
                                             schema_version version) const;
  /// All DDL, ascending by ts, then table. Also what has ts 0: a table that a
  /// source had from the beginning.
  [[nodiscard]] std::vector<ddl_event> all() const;
  /// DDL with ts in (from, to], ascending by ts, then table.
  [[nodiscard]] std::vector<ddl_event> between(timestamp from,
                                               timestamp to) const;
  /// The newest schema of each table that is not dropped.
  [[nodiscard]] std::vector<schema_ptr> tables() const;

private:
  struct impl;
  explicit table_history(std::unique_ptr<impl> x);
  std::unique_ptr<impl> impl_;
};

} // namespace sluice
