#include "store/read_only_ops.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

namespace sluice {

std::string* read_only_ops::made(int fd) const {
  auto found = open_.find(fd);
  return found == open_.end() ? nullptr : found->second.get();
}

int read_only_ops::open(const char* path, int flags, mode_t mode) {
  auto found = made_.find(path);
  if (found == made_.end() && (flags & O_TRUNC) == 0 && !gone_.contains(path)) {
    constexpr auto kept = O_CLOEXEC | O_DIRECTORY;
    auto fd = file_ops::open(path, O_RDONLY | (flags & kept), mode);
    if (fd >= 0 || errno != ENOENT)
      return fd;
  }
  errno = ENOENT;
  if (found == made_.end() && (flags & O_CREAT) == 0)
    return -1;
  if (found == made_.end())
    found = made_.emplace(path, std::make_shared<std::string>()).first;
  open_.emplace(++last_fd_, found->second);
  return last_fd_;
}

int read_only_ops::close(int fd) {
  return open_.erase(fd) == 1 ? 0 : file_ops::close(fd);
}

ssize_t read_only_ops::pwritev(int fd, const iovec* parts, int count,
                               off_t at) {
  auto* file = made(fd);
  auto end = static_cast<std::size_t>(at);
  for (auto i = 0; i < count; ++i) {
    const auto* from = static_cast<const char*>(parts[i].iov_base);
    auto size = parts[i].iov_len;
    if (file != nullptr) {
      file->resize(std::max(file->size(), end + size));
      std::copy_n(from, size, file->begin() + static_cast<std::ptrdiff_t>(end));
    }
    end += size;
  }
  return static_cast<ssize_t>(end) - static_cast<ssize_t>(at);
}

ssize_t read_only_ops::pread(int fd, void* to, std::size_t size, off_t at) {
  const auto* file = made(fd);
  if (file == nullptr)
    return file_ops::pread(fd, to, size, at);
  auto from = std::min(static_cast<std::size_t>(at), file->size());
  auto count = std::min(size, file->size() - from);
  std::copy_n(file->data() + from, count, static_cast<char*>(to));
  return static_cast<ssize_t>(count);
}

int read_only_ops::ftruncate(int fd, off_t size) {
  errno = EROFS;
  auto* file = made(fd);
  if (file == nullptr)
    return -1;
  file->resize(static_cast<std::size_t>(size));
  return 0;
}

off_t read_only_ops::size(int fd) {
  const auto* file = made(fd);
  return file == nullptr ? file_ops::size(fd)
                         : static_cast<off_t>(file->size());
}

int read_only_ops::lock(int fd) {
  return made(fd) == nullptr ? file_ops::lock(fd) : 0;
}

int read_only_ops::access(const char* path) {
  if (made_.contains(path))
    return 0;
  errno = ENOENT;
  return gone_.contains(path) ? -1 : file_ops::access(path);
}

int read_only_ops::mkdir(const char* path, mode_t) {
  if (file_ops::access(path) == 0)
    errno = EEXIST;
  return -1;
}

int read_only_ops::rename(const char* from, const char* to) {
  auto found = made_.find(from);
  errno = EROFS;
  if (found == made_.end())
    return -1;
  made_[to] = found->second;
  made_.erase(from);
  return 0;
}

int read_only_ops::unlink(const char* path) {
  if (access(path) != 0)
    return -1;
  made_.erase(path);
  gone_.insert(path);
  return 0;
}

int read_only_ops::list(const char* path, std::vector<std::string>& names) {
  if (file_ops::list(path, names) != 0)
    return -1;
  auto directory = std::string{path} + '/';
  std::erase_if(names, [&](const std::string& name) {
    return gone_.contains(directory + name);
  });
  for (const auto& entry : made_)
    if (entry.first.starts_with(directory))
      names.push_back(entry.first.substr(directory.size()));
  return 0;
}

} // namespace sluice
