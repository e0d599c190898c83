#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "messages/errc.hpp"
#include "store/file_ops.hpp"

namespace sluice {

/// A locked file that grows by whole lines. Nobody else of ours can open it
/// meanwhile; closing it, or the end of the process, unlocks it.
class line_file {
public:
  /// Opens or creates it, and locks it.
  /// @error sink_unavailable, also when it is locked; invalid_option if it is
  ///        not a regular file.
  [[nodiscard]] static expected<std::unique_ptr<line_file>>
  open(const std::string& path);

  /// Bytes on disk.
  [[nodiscard]] expected<std::uint64_t> size() const;
  /// Goes on behind the first `length` bytes and cuts off all others.
  /// @error sink_conflict if there are not that many, or no line ends there;
  ///        sink_unavailable
  [[nodiscard]] status go_on_at(std::uint64_t length);
  /// Lines to write; append to it.
  [[nodiscard]] std::string& pending() noexcept { return pending_; }
  /// Writes what is pending. @error sink_unavailable
  [[nodiscard]] status flush();
  /// Bytes that were written.
  [[nodiscard]] std::uint64_t length() const noexcept { return length_; }
  /// Waits until the disk has them. @error sink_unavailable
  [[nodiscard]] status sync();
  /// Makes the names in the file's directory durable.
  /// @error sink_unavailable
  [[nodiscard]] status sync_directory();
  /// Whether the path still leads to this file.
  /// @error sink_unavailable
  [[nodiscard]] status check_place() const;

private:
  line_file(std::shared_ptr<file_ops> ops, std::shared_ptr<open_file> file);

  std::shared_ptr<file_ops> ops_;
  std::shared_ptr<open_file> file_;
  std::uint64_t length_ = 0;
  std::string pending_;
};

} // namespace sluice
