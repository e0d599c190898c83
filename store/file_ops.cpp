#include "store/file_ops.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/unix_time.hpp"

namespace sluice {

int file_ops::open(const char* path, int flags, mode_t mode) {
  return ::open(path, flags, mode);
}

int file_ops::close(int fd) {
  return ::close(fd);
}

ssize_t file_ops::pwritev(int fd, const iovec* parts, int count, off_t at) {
  return ::pwritev(fd, parts, count, at);
}

ssize_t file_ops::pread(int fd, void* to, std::size_t size, off_t at) {
  return ::pread(fd, to, size, at);
}

int file_ops::fdatasync(int fd) {
  return ::fdatasync(fd);
}

int file_ops::fsync(int fd) {
  return ::fsync(fd);
}

int file_ops::ftruncate(int fd, off_t size) {
  return ::ftruncate(fd, size);
}

// Not posix_fallocate, which writes zeros where this fails.
int file_ops::allocate(int fd, off_t size) {
  return ::fallocate(fd, 0, 0, size);
}

off_t file_ops::room(int fd) {
  struct ::statvfs info = {};
  if (::fstatvfs(fd, &info) != 0)
    return -1;
  return static_cast<off_t>(info.f_bavail * info.f_frsize);
}

off_t file_ops::size(int fd) {
  struct ::stat info = {};
  return ::fstat(fd, &info) == 0 ? info.st_size : -1;
}

int file_ops::lock(int fd) {
  return ::flock(fd, LOCK_EX | LOCK_NB);
}

int file_ops::access(const char* path) {
  return ::access(path, F_OK);
}

int file_ops::mkdir(const char* path, mode_t mode) {
  return ::mkdir(path, mode);
}

int file_ops::rename(const char* from, const char* to) {
  return ::rename(from, to);
}

int file_ops::unlink(const char* path) {
  return ::unlink(path);
}

int file_ops::list(const char* path, std::vector<std::string>& names) {
  namespace fs = std::filesystem;
  auto problem = std::error_code{};
  auto end = fs::directory_iterator{};
  for (auto i = fs::directory_iterator{path, problem}; !problem && i != end;
       i.increment(problem))
    names.push_back(i->path().filename().string());
  errno = problem.value();
  return problem ? -1 : 0;
}

int file_ops::random(void* to, std::size_t size) {
  return ::getentropy(to, size);
}

std::chrono::nanoseconds file_ops::now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

std::chrono::seconds file_ops::wall_clock() {
  return unix_time();
}

tl::unexpected<error> system_failure(std::string_view action,
                                     const std::string& path) {
  auto number = errno;
  auto code = number == ENOSPC || number == EDQUOT ? errc::disk_full
                                                   : errc::log_io;
  auto where = action.empty() ? path : path + ": " + std::string{action};
  auto denied = number == EACCES || number == EPERM || number == EROFS;
  return fail(code, where + ": " + std::generic_category().message(number),
              denied ? "Let this program read and write there." : "");
}

// -- open_file ----------------------------------------------------------------

open_file::open_file(std::shared_ptr<file_ops> ops, std::string path, int fd)
  : ops_{std::move(ops)}, path_{std::move(path)}, fd_{fd} {
  // nop
}

expected<std::shared_ptr<open_file>>
open_file::open(std::shared_ptr<file_ops> ops, std::string path, int flags) {
  auto fd = ops->open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0)
    return system_failure("open", path);
  return std::shared_ptr<open_file>(
    new open_file(std::move(ops), std::move(path), fd));
}

open_file::~open_file() {
  ops_->close(fd_);
}

status open_file::write(std::vector<std::string_view> parts, std::uint64_t at) {
  auto vectors = std::vector<iovec>{};
  for (const auto& part : parts)
    if (!part.empty())
      vectors.push_back({const_cast<char*>(part.data()), part.size()});
  std::size_t first = 0;
  while (first < vectors.size()) {
    auto written = ops_->pwritev(fd_, vectors.data() + first,
                                 static_cast<int>(vectors.size() - first),
                                 static_cast<off_t>(at));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return system_failure("write", path_);
    if (written == 0) {
      errno = EIO; // would loop for ever
      return system_failure("write", path_);
    }
    auto left = static_cast<std::size_t>(written);
    at += left;
    while (first < vectors.size() && left >= vectors[first].iov_len)
      left -= vectors[first++].iov_len;
    if (left > 0) {
      vectors[first].iov_base = static_cast<char*>(vectors[first].iov_base)
                                + left;
      vectors[first].iov_len -= left;
    }
  }
  return {};
}

expected<std::string> open_file::read(std::uint64_t at,
                                      std::uint64_t size) const {
  auto result = std::string(size, '\0');
  if (auto done = read_into(result.data(), at, size); !done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

status open_file::read_into(char* to, std::uint64_t at,
                            std::uint64_t size) const {
  std::uint64_t done = 0;
  while (done < size) {
    auto count = ops_->pread(fd_, to + done, size - done,
                             static_cast<off_t>(at + done));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return system_failure("read", path_);
    if (count == 0)
      return fail(errc::log_corrupt,
                  path_ + ": ends at byte " + std::to_string(at + done));
    done += static_cast<std::uint64_t>(count);
  }
  return {};
}

expected<std::uint64_t> open_file::size() const {
  auto result = ops_->size(fd_);
  if (result < 0)
    return system_failure("stat", path_);
  return static_cast<std::uint64_t>(result);
}

status open_file::sync_data() {
  if (ops_->fdatasync(fd_) != 0)
    return system_failure("sync", path_);
  return {};
}

status open_file::sync_all() {
  if (ops_->fsync(fd_) != 0)
    return system_failure("sync", path_);
  return {};
}

status open_file::truncate(std::uint64_t size) {
  if (ops_->ftruncate(fd_, static_cast<off_t>(size)) != 0)
    return system_failure("truncate", path_);
  return {};
}

status open_file::rename(std::string path) {
  if (ops_->rename(path_.c_str(), path.c_str()) != 0)
    return system_failure("rename", path_);
  path_ = std::move(path);
  return {};
}

status open_file::allocate(std::uint64_t size) {
  if (ops_->allocate(fd_, static_cast<off_t>(size)) != 0)
    return system_failure("set room aside", path_);
  return {};
}

bool open_file::has_room(std::uint64_t size) const {
  auto room = ops_->room(fd_);
  return room < 0 || static_cast<std::uint64_t>(room) >= size;
}

status sync_directory(const std::shared_ptr<file_ops>& ops,
                      const std::string& path) {
  auto directory = open_file::open(ops, path, O_RDONLY | O_DIRECTORY);
  if (!directory)
    return tl::unexpected{std::move(directory.error())};
  return (*directory)->sync_all();
}

} // namespace sluice
