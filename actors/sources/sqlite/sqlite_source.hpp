#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "actors/sources/source_connector.hpp"
#include "messages/feed.hpp"

namespace sluice {

/// What to capture of which SQLite database.
struct sqlite_source_options {
  /// Of the application's database. It must exist.
  std::string path;
  /// Shell patterns on table names. A table named without a wildcard must be
  /// there and capturable, or the source does not start; others are left out.
  /// One that was captured and cannot be any more stops the source.
  feed_rules tables;
  /// The source does not start if there is nothing to capture, instead of
  /// waiting until there is.
  bool need_table = false;
  /// Consent to switch the database to WAL, which stays that way.
  bool set_wal = false;
  /// Consent to go on with a database that was rolled back or replaced, or
  /// that another service captures: all tables are copied again. Take it back
  /// after the start that needed it.
  bool copy_again = false;
  /// How long to wait for the application's locks at set-up.
  std::chrono::milliseconds busy_timeout{5'000};

  /// @returns invalid_option if the values make no sense.
  [[nodiscard]] status validate() const;
};

/// Captures a SQLite database by triggers that write to an outbox inside the
/// application's own transactions.
///
/// commit_ts and start_ts are the outbox's sequence, position is the random
/// number beside it. Rows end in groups: what one read snapshot showed, a
/// union of whole transactions.
/// Generated columns are left out. Not captured: virtual tables, tables
/// without a declared primary key, with a UNIQUE index on a generated column,
/// or with a foreign key to themselves that has an ON UPDATE action;
/// sqlite3_blob_write, and connections that switch triggers off.
///
/// The application needs a busy_timeout: set-up and pruning take the write
/// lock. While a table is captured, SQLite refuses to drop a column of it with
/// ALTER TABLE; a rebuilt table is copied again.
class sqlite_source final : public source_connector {
public:
  explicit sqlite_source(sqlite_source_options options);
  ~sqlite_source() override;

  /// `sqlite <path>`, and which tables are left out and why.
  [[nodiscard]] std::string describe() const override;
  /// @error source_unavailable, source_unsupported, source_replaced,
  ///        source_rolled_back, stale_source, table_without_key, unknown_table
  [[nodiscard]] expected<std::vector<ddl_event>>
  open(const source_position& from, source_journal& journal) override;
  [[nodiscard]] expected<source_batch> read(std::size_t bytes_max) override;
  [[nodiscard]] expected<bool> confirm(timestamp ts) override;
  [[nodiscard]] std::vector<std::string> left_out() const override;
  [[nodiscard]] std::chrono::milliseconds
  idle_wait(std::uint32_t empty_reads) const override;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

[[nodiscard]] std::unique_ptr<source_connector>
make_sqlite_source(sqlite_source_options options);

} // namespace sluice
