#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "store/file_ops.hpp"
#include "store/segment_format.hpp"

namespace sluice {

/// Keeps other processes, and other logs of this one, out of a directory.
class directory_lock {
public:
  /// Creates the directory if it is missing.
  /// @error log_locked, log_io
  [[nodiscard]] static expected<std::unique_ptr<directory_lock>>
  take(const std::shared_ptr<file_ops>& ops, const std::string& directory);

private:
  explicit directory_lock(std::shared_ptr<open_file> file);
  std::shared_ptr<open_file> file_; // closing it unlocks
};

/// An error of a directory as a whole.
[[nodiscard]] tl::unexpected<error>
directory_failure(const std::string& directory, std::error_code problem);

/// The segment files, in the order of the log. Deletes unfinished files.
/// @error log_io
[[nodiscard]] expected<std::vector<std::uint64_t>>
list_segments(const std::shared_ptr<file_ops>& ops,
              const std::string& directory);

/// The spool files, ascending. @error log_io
[[nodiscard]] expected<std::vector<std::uint64_t>>
list_spools(const std::shared_ptr<file_ops>& ops, const std::string& directory);

/// The store's uuid, made at first use. If its file is damaged or missing, it
/// is written again: each segment has the uuid, too.
/// @param segments That are there.
/// @error log_corrupt, log_format_newer, log_io
[[nodiscard]] expected<store_uuid>
store_identity(const std::shared_ptr<file_ops>& ops,
               const std::string& directory,
               const std::vector<std::uint64_t>& segments);

} // namespace sluice
