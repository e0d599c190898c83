#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "store/file_ops.hpp"

namespace sluice {

/// A disk that is only read: what a log makes, renames and deletes while it
/// opens stays in memory. So a log can be looked at as its next start would
/// find it, and is left as it is. For one thread.
class read_only_ops : public file_ops {
public:
  int open(const char* path, int flags, mode_t mode) override;
  int close(int fd) override;
  /// Recovery writes to a file that is there only what it has already.
  ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) override;
  ssize_t pread(int fd, void* to, std::size_t size, off_t at) override;
  int fdatasync(int) override { return 0; }
  int fsync(int) override { return 0; }
  int ftruncate(int fd, off_t size) override;
  int allocate(int fd, off_t size) override { return ftruncate(fd, size); }
  off_t size(int fd) override;
  int lock(int fd) override;
  int access(const char* path) override;
  int mkdir(const char* path, mode_t mode) override;
  int rename(const char* from, const char* to) override;
  int unlink(const char* path) override;
  int list(const char* path, std::vector<std::string>& names) override;

private:
  using file_ptr = std::shared_ptr<std::string>;

  // Null: the system's.
  [[nodiscard]] std::string* made(int fd) const;

  std::map<std::string, file_ptr, std::less<>> made_; // by path
  std::set<std::string, std::less<>> gone_;
  std::map<int, file_ptr> open_;
  int last_fd_ = 1 << 30; // no descriptor of the system
};

} // namespace sluice
