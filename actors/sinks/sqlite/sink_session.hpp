#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actors/sinks/sink_connector.hpp"
#include "actors/sinks/sqlite/replica_progress.hpp"
#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "actors/sinks/sqlite/table_writer.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// One connection to a replica, from `open` to the first error. What it
/// remembers is true only while its transactions commit, so an error ends it;
/// its end rolls back.
class sink_session {
public:
  /// @param options Must outlive it.
  /// @param directory Id of the service's, see `replica_progress`.
  [[nodiscard]] static expected<std::unique_ptr<sink_session>>
  open(const feed_record& feed, const sqlite_sink_options& options,
       std::string_view directory);

  sink_session(const sink_session&) = delete;
  sink_session& operator=(const sink_session&) = delete;

  /// What the file said when it was opened.
  [[nodiscard]] const sink_position& opened() const noexcept { return opened_; }
  [[nodiscard]] status write(const sink_rows& rows);
  [[nodiscard]] status commit(const std::vector<table_position>& positions,
                              std::optional<timestamp> low_watermark);

private:
  sink_session(std::unique_ptr<sqlite_db> db, const feed_record& feed,
               const sqlite_sink_options& options);

  [[nodiscard]] status begin();
  [[nodiscard]] expected<table_writer*> writer_of(const schema_ptr& schema,
                                                  bool copy_starts);
  [[nodiscard]] status
  store_positions(const std::vector<table_position>& positions);
  [[nodiscard]] status check_place() const;

  const sqlite_sink_options& options_;
  feed_order order_;
  std::unique_ptr<sqlite_db> db_; // after all that has statements of it
  replica_progress progress_;
  sink_position opened_;
  /// The dedup barriers and checkpoints: committed ones, and of tables in
  /// `written_` those of the open transaction.
  std::unordered_map<table_id, table_position> reached_;
  std::set<table_id> written_;
  std::unordered_map<table_id, std::unique_ptr<table_writer>> writers_;
  std::map<std::string, table_id> owners_; // of the replica's tables
  std::optional<sqlite_transaction> work_; // its end rolls back: last member
};

} // namespace sluice
