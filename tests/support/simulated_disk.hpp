#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/file_ops.hpp"
#include "tests/support/dice.hpp"
#include "tests/support/simulated_file.hpp"

namespace sluice::test {

/// Calls that fail for the same reason.
enum class disk_call : std::uint8_t {
  write, ///< And truncate. Part of it reaches the file.
  read,
  sync, ///< Of a file, or of a directory.
  name, ///< open, access, mkdir, rename, unlink, list.
};

/// What goes wrong by itself, in percent per call; 0 switches it off.
struct disk_faults {
  std::array<std::uint64_t, 4> fails{}; ///< EIO, by disk_call.
  std::uint64_t short_write = 0;
};

/// What a power cut does, as data.
struct power_cut {
  /// Of sectors that were written since the last sync, in percent.
  std::uint64_t sectors_lost = 50;
  /// Names: a prefix of what was done since the last sync survives, as with a
  /// journal; otherwise any subset.
  bool ordered_names = true;
  /// A file may have got its size and, for its bytes, those of another place.
  bool stale_bytes = false;

  [[nodiscard]] static power_cut draw(dice& luck);
};

/// A disk in memory, with the system calls of one process on it. It forgets
/// what was not synced, tears what was being written, fails and fills up; the
/// same calls and seeds give the same bytes.
class simulated_disk : public file_ops {
public:
  /// @param seed Of faults that come by themselves, and of `random`.
  explicit simulated_disk(std::uint64_t seed = 1);
  ~simulated_disk() override;

  // -- what happens to it -----------------------------------------------------

  /// Power is lost. Sectors, sizes and names that were not synced survive or
  /// not, each as `how` has it; the process ends.
  void crash(dice& luck, const power_cut& how);
  void crash(dice& luck) { crash(luck, power_cut::draw(luck)); }
  /// The process ends: descriptors close, locks go, all that was written
  /// stays. What is left of it can do nothing but fail until then.
  void kill();
  /// The process ends within the call number `n` from now: that one is done
  /// in part or not, later ones not at all. Then call `crash` or `kill`.
  void stop_at(std::uint64_t n) { stop_at_ = n; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  void set_wall_clock(std::chrono::seconds now) { wall_clock_ = now; }

  void set_faults(const disk_faults& faults) { faults_ = faults; }
  /// The call number `n` of its kind from now fails with EIO, `times` times.
  void fail(disk_call kind, std::uint64_t n = 1, std::uint64_t times = 1) {
    planned_[index(kind)] = {n, times};
  }
  /// Nothing fails any more, planned or by chance.
  void heal();
  /// No more than `bytes` can be added.
  void fill_up(std::uint64_t bytes);
  void make_space() { room_for_.reset(); }
  /// Bytes in all files.
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] bool limited() const { return room_for_.has_value(); }

  struct counters {
    std::array<std::uint64_t, 4> failed{}; ///< By disk_call.
    std::uint64_t short_writes = 0;
    std::uint64_t refused_full = 0;
    std::uint64_t sectors_lost = 0;
    std::uint64_t sectors_kept = 0;     ///< Without having been synced.
    std::uint64_t sectors_unsynced = 0; ///< Lost by a sync that failed.
    std::uint64_t names_lost = 0;
    std::uint64_t crashes = 0;
    std::uint64_t kills = 0;
  };
  [[nodiscard]] const counters& counts() const { return counts_; }
  /// How many calls there were.
  [[nodiscard]] std::uint64_t calls() const { return calls_; }

  // -- as file_ops ------------------------------------------------------------

  int open(const char* path, int flags, mode_t mode) override;
  int close(int fd) override;
  ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) override;
  ssize_t pread(int fd, void* to, std::size_t size, off_t at) override;
  int fdatasync(int fd) override { return fsync(fd); }
  int fsync(int fd) override;
  int ftruncate(int fd, off_t size) override;
  int allocate(int fd, off_t size) override;
  off_t room(int fd) override;
  off_t size(int fd) override;
  int lock(int fd) override;
  int access(const char* path) override;
  int mkdir(const char* path, mode_t mode) override;
  int rename(const char* from, const char* to) override;
  int unlink(const char* path) override;
  int list(const char* path, std::vector<std::string>& names) override;
  int random(void* to, std::size_t size) override;
  /// Stands still: nothing may depend on it.
  std::chrono::nanoseconds now() override { return {}; }
  std::chrono::seconds wall_clock() override { return wall_clock_; }

private:
  using file_ptr = std::shared_ptr<simulated_file>;
  // Done to a directory and not synced.
  struct name_change {
    file_ptr in;
    std::string removed; // empty: nothing
    std::string added;   // empty: nothing
    file_ptr what;
    void apply_to(simulated_file::names& to) const;
  };
  struct place {
    file_ptr directory; // null: there is none
    std::string_view name;
  };
  struct plan {
    std::uint64_t in = 0; // 0: none
    std::uint64_t times = 0;
  };

  static std::size_t index(disk_call x) { return static_cast<std::size_t>(x); }
  bool begins(std::optional<disk_call> kind);
  [[nodiscard]] bool fails(disk_call kind);
  [[nodiscard]] file_ptr of(int fd) const;
  [[nodiscard]] file_ptr find(std::string_view path) const;
  [[nodiscard]] place place_of(std::string_view path) const;
  void change(name_change x);
  void commit_names(const file_ptr& directory);
  void lose_names(dice& luck, const power_cut& how);
  void crash_files(const file_ptr& directory, dice& luck, const power_cut& how);
  [[nodiscard]] std::uint64_t used() const;
  [[nodiscard]] std::size_t fitting(const simulated_file& file, std::size_t at,
                                    std::size_t size) const;
  void end_process();

  mutable std::mutex mutex_;
  dice luck_;
  file_ptr root_;
  std::map<int, file_ptr> open_;
  std::set<int> locks_;
  int last_fd_ = 1'000'000; // one that is used again would hide a mistake
  std::vector<name_change> unsynced_names_;
  disk_faults faults_;
  std::array<plan, 4> planned_{};
  std::optional<std::uint64_t> room_for_; // bytes in all files
  std::uint64_t stop_at_ = 0;             // 0: never
  bool stopped_ = false;
  std::chrono::seconds wall_clock_{0};
  std::uint64_t calls_ = 0;
  counters counts_;
};

} // namespace sluice::test
