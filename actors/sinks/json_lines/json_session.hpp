#pragma once

#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "actors/sinks/json_lines/change_encoder.hpp"
#include "actors/sinks/json_lines/json_lines_sink.hpp"
#include "actors/sinks/json_lines/json_progress.hpp"
#include "actors/sinks/json_lines/line_file.hpp"
#include "actors/sinks/sink_connector.hpp"

namespace sluice {

/// One opening of a file of lines, to the first error. What it wrote after the
/// last commit is cut off by the next one.
class json_session {
public:
  /// @param options Must outlive it.
  [[nodiscard]] static expected<std::unique_ptr<json_session>>
  open(const feed_record& feed, const json_lines_options& options);

  json_session(const json_session&) = delete;
  json_session& operator=(const json_session&) = delete;

  [[nodiscard]] const sink_position& opened() const noexcept {
    return progress_->opened();
  }
  [[nodiscard]] status write(const sink_rows& rows);
  [[nodiscard]] status commit(const std::vector<table_position>& positions,
                              std::optional<timestamp> low_watermark);

private:
  json_session(std::unique_ptr<line_file> file,
               std::unique_ptr<json_progress> progress, change_encoder encoder,
               const json_lines_options& options);

  [[nodiscard]] row_cursor barrier_of(table_id table) const;
  [[nodiscard]] std::vector<table_position>
  take_positions(const std::vector<table_position>& positions);

  const json_lines_options& options_;
  std::unique_ptr<line_file> file_;
  std::unique_ptr<json_progress> progress_;
  change_encoder encoder_;
  /// Positions of the tables; of those in `written_` with what is pending.
  std::unordered_map<table_id, table_position> reached_;
  std::set<table_id> written_;
};

} // namespace sluice
