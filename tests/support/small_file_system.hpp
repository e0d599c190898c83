#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include <sched.h>
#include <sys/mount.h>

namespace sluice::test {

/// A file system in memory, for this process and its children only. It needs
/// the right to mount one.
class small_file_system {
public:
  /// @param size As for mount(8): "16m".
  small_file_system(std::string at, const std::string& size)
    : at_{std::move(at)} {
    std::filesystem::create_directory(at_);
    mounted_ = ::unshare(CLONE_NEWNS) == 0
               && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr)
                    == 0
               && mount(0, size);
  }
  small_file_system(const small_file_system&) = delete;
  small_file_system& operator=(const small_file_system&) = delete;
  ~small_file_system() {
    if (mounted_)
      ::umount2(at_.c_str(), MNT_DETACH);
  }

  [[nodiscard]] bool mounted() const { return mounted_; }
  bool resize(const std::string& size) { return mount(MS_REMOUNT, size); }

private:
  bool mount(unsigned long flags, const std::string& size) {
    return ::mount("sluice_test", at_.c_str(), "tmpfs", flags,
                   ("size=" + size).c_str())
           == 0;
  }

  std::string at_;
  bool mounted_ = false;
};

} // namespace sluice::test

#define MOUNT_OR_SKIP(name, at, size)                                          \
  auto name = sluice::test::small_file_system{at, size};                       \
  if (!name.mounted()) {                                                       \
    MESSAGE("SKIPPED: no right to mount a small file system here");            \
    return;                                                                    \
  }
