#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/sinks/sink_connector.hpp"
#include "actors/sinks/sqlite/replica_progress.hpp"
#include "messages/errc.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// What is known of a file of lines, in a small SQLite file beside it: whose
/// it is, how many bytes are committed, and what each target keeps (fence,
/// positions, low watermark).
class json_progress {
public:
  /// @param path Of the state; made if missing.
  /// @param sync Commits wait for the disk.
  /// @param has_lines Whether there are bytes in the file of lines: then a
  ///        state must be there, too.
  /// @error invalid_option if it is not ours or another feed's;
  ///        log_format_newer; sink_conflict; sink_unavailable
  [[nodiscard]] static expected<std::unique_ptr<json_progress>>
  open(const feed_record& feed, const std::string& path, bool sync,
       bool has_lines);

  json_progress(const json_progress&) = delete;
  json_progress& operator=(const json_progress&) = delete;

  /// What it said when it was opened; the incarnation is raised by that.
  [[nodiscard]] const sink_position& opened() const noexcept { return opened_; }
  /// Bytes of the file of lines at the last commit.
  [[nodiscard]] std::uint64_t committed_bytes() const noexcept {
    return bytes_;
  }
  /// Whether this `open` made it.
  [[nodiscard]] bool is_new() const noexcept { return is_new_; }

  /// Starts a commit. @error sink_fenced; sink_unavailable
  [[nodiscard]] expected<sqlite_transaction> begin();
  /// The rest of it.
  [[nodiscard]] status finish(sqlite_transaction& work, std::uint64_t bytes,
                              const std::vector<table_position>& positions,
                              std::optional<timestamp> low_watermark);

private:
  json_progress(std::unique_ptr<sqlite_db> db, const feed_record& feed);

  [[nodiscard]] expected<bool> is_empty() const;
  [[nodiscard]] status create();
  [[nodiscard]] status check_owner();
  [[nodiscard]] status read_bytes();
  [[nodiscard]] tl::unexpected<error> failed(error x) const;

  std::unique_ptr<sqlite_db> db_;
  replica_progress progress_;
  std::string feed_;
  sink_position opened_;
  std::uint64_t bytes_ = 0;
  bool is_new_ = false;
};

} // namespace sluice
