#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "store/file_ops.hpp"

namespace sluice {

/// Room that is kept for what gives room back: the file `reserve` beside the
/// segments. Once the disk is full it is given up, and nobody may append until
/// it is whole again. Its size says so after a restart, too. For any thread.
class disk_reserve {
public:
  /// @param bytes 0: none.
  disk_reserve(std::shared_ptr<file_ops> ops, const std::string& directory,
               std::uint64_t bytes);

  /// Looks at what an earlier run left; makes nothing yet.
  void look();
  /// Makes it if there was none. Without the room for it, or on a file system
  /// that sets none aside, there is none.
  void make();
  /// Makes it whole again if it was given up.
  /// @error disk_full: there is no room for it yet
  [[nodiscard]] status restore();

  /// Gives up all but a last part: for what needs much, and for everybody.
  /// @returns Whether that gave room.
  bool give_up();
  /// The last part, too: for the few bytes with which files are let go.
  bool give_up_rest();

  /// What is missing of it; 0 if there is none.
  [[nodiscard]] std::uint64_t missing() const;

private:
  enum class state { absent, useless, there };
  [[nodiscard]] std::uint64_t rest() const noexcept;
  bool shrink_to(std::uint64_t size);
  status fill(open_file& file);
  status grow();

  std::shared_ptr<file_ops> ops_;
  std::string path_;
  std::uint64_t bytes_;
  mutable std::mutex mutex_; // of what follows
  state state_ = state::absent;
  std::uint64_t held_ = 0; // of a file that is there
};

} // namespace sluice
