#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>
#include <sys/uio.h>

#include "messages/errc.hpp"

namespace sluice {

/// All that a log wants of the machine, so that tests can put another one in
/// its place. Results and errno as the system calls have them. Called from
/// several threads.
class file_ops {
public:
  virtual ~file_ops() = default;

  // -- files ------------------------------------------------------------------

  virtual int open(const char* path, int flags, mode_t mode);
  virtual int close(int fd);
  virtual ssize_t pwritev(int fd, const iovec* parts, int count, off_t at);
  virtual ssize_t pread(int fd, void* to, std::size_t size, off_t at);
  virtual int fdatasync(int fd);
  virtual int fsync(int fd);
  virtual int ftruncate(int fd, off_t size);
  /// Makes the file `size` bytes long, with room for all of them. EOPNOTSUPP
  /// where a file system cannot.
  virtual int allocate(int fd, off_t size);
  /// Bytes that its disk has left for this program; -1 if nobody knows.
  virtual off_t room(int fd);
  virtual off_t size(int fd);
  /// Keeps others out until `fd` is closed; EWOULDBLOCK if they were first.
  virtual int lock(int fd);

  // -- names ------------------------------------------------------------------

  virtual int access(const char* path);
  virtual int mkdir(const char* path, mode_t mode);
  virtual int rename(const char* from, const char* to);
  virtual int unlink(const char* path);
  /// What is in a directory, in no order.
  virtual int list(const char* path, std::vector<std::string>& names);

  // -- not of a disk ----------------------------------------------------------

  virtual int random(void* to, std::size_t size);
  /// Of a clock that never goes back.
  virtual std::chrono::nanoseconds now();
  /// Unix time.
  virtual std::chrono::seconds wall_clock();
};

/// disk_full or log_io from errno, with what was done and to which file.
[[nodiscard]] tl::unexpected<error> system_failure(std::string_view action,
                                                   const std::string& path);

/// An open file, closed at the end.
class open_file {
public:
  /// @param flags As for open(2); O_CLOEXEC is added.
  [[nodiscard]] static expected<std::shared_ptr<open_file>>
  open(std::shared_ptr<file_ops> ops, std::string path, int flags);

  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file();

  /// Writes all parts at `at` in one call, and what a short write left in
  /// further ones. @error disk_full, log_io
  [[nodiscard]] status write(std::vector<std::string_view> parts,
                             std::uint64_t at);
  /// Reads exactly `size` bytes.
  /// @error log_corrupt when the file ends before, log_io
  [[nodiscard]] expected<std::string> read(std::uint64_t at,
                                           std::uint64_t size) const;
  /// The same, to where there is room.
  [[nodiscard]] status read_into(char* to, std::uint64_t at,
                                 std::uint64_t size) const;
  [[nodiscard]] expected<std::uint64_t> size() const;
  [[nodiscard]] status sync_data();
  [[nodiscard]] status sync_all();
  [[nodiscard]] status truncate(std::uint64_t size);
  /// @pre No other thread has the file yet.
  [[nodiscard]] status rename(std::string path);
  /// @error disk_full; log_io, also where no room can be set aside
  [[nodiscard]] status allocate(std::uint64_t size);
  [[nodiscard]] bool has_room(std::uint64_t size) const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] int descriptor() const noexcept { return fd_; }

private:
  open_file(std::shared_ptr<file_ops> ops, std::string path, int fd);

  std::shared_ptr<file_ops> ops_;
  std::string path_;
  int fd_;
};

/// Makes the names in a directory durable.
[[nodiscard]] status sync_directory(const std::shared_ptr<file_ops>& ops,
                                    const std::string& path);

} // namespace sluice
