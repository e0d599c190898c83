#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/dice.hpp"

namespace sluice::test {

struct power_cut;

/// A file, or a directory, of a simulated disk. Its bytes are there once, as
/// programs see them, with a list of how to undo what is not durable.
class simulated_file {
public:
  using names = std::map<std::string, std::shared_ptr<simulated_file>,
                         std::less<>>;
  static constexpr std::size_t sector = 512;

  explicit simulated_file(bool is_directory) : is_directory_{is_directory} {
    // nop
  }

  // -- of a directory ---------------------------------------------------------

  [[nodiscard]] bool is_directory() const { return is_directory_; }
  names now;     ///< As programs see it.
  names durable; ///< As it is on the disk.

  // -- of a file --------------------------------------------------------------

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] const char* data() const { return bytes_.data(); }
  void write(const char* from, std::size_t size, std::size_t at);
  void truncate(std::size_t size);
  void sync();
  /// As Linux has it: what was not written is forgotten by the next sync. To
  /// readers it is there until memory is short.
  /// @returns How many sectors the disk does not have.
  std::uint64_t fail_sync(dice& luck);

  struct toll {
    std::uint64_t lost = 0;
    std::uint64_t kept = 0;
  };
  toll crash(dice& luck, const power_cut& how);

private:
  // A write: what there was before.
  struct change {
    std::size_t at = 0;
    std::size_t size = 0;
    std::string old; // shorter where the file ended
  };

  void note(std::size_t at, std::size_t size);
  void resize(std::size_t size);
  void undo(const change& x, std::size_t at_sector, dice* stale);

  bool is_directory_;
  std::vector<char> bytes_;
  std::vector<change> unsynced_;
  std::vector<std::size_t> sizes_; // before each unsynced change of it
  // Sectors that the disk has otherwise, though a sync went over them.
  std::map<std::size_t, std::string> forgotten_;
};

} // namespace sluice::test
