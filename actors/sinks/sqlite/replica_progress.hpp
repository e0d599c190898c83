#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/sinks/sink_connector.hpp"
#include "messages/errc.hpp"
#include "store/checkpoint_store.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// What one feed keeps in its target: fence, positions, low watermark. All
/// calls but `become_newest` run in the transaction of the rows.
class replica_progress {
public:
  /// @param db Must outlive it.
  replica_progress(sqlite_db& db, const feed_record& feed);

  /// Makes the tables if missing, raises the incarnation, then reads the
  /// positions, all in one transaction of its own.
  /// @param directory Id of the service's; positions of another one go. Empty:
  ///        not known.
  [[nodiscard]] expected<sink_position>
  become_newest(std::string_view directory = {});
  /// @error sink_fenced when a newer incarnation has been here.
  [[nodiscard]] status check_fence();
  [[nodiscard]] status store(const table_position& x);
  [[nodiscard]] status store_watermark(timestamp ts);

private:
  [[nodiscard]] status make_tables();
  [[nodiscard]] expected<incarnation> raise_incarnation();
  [[nodiscard]] status forget_others(std::string_view directory);
  [[nodiscard]] expected<std::vector<table_position>> read_positions();
  [[nodiscard]] expected<timestamp> read_watermark();

  sqlite_db& db_;
  std::string feed_;
  incarnation writer_;
};

} // namespace sluice
