#pragma once

#include <atomic>
#include <cstdint>

#include "store/file_ops.hpp"

namespace sluice::test {

/// Counts what is read from files, by whichever thread.
class counting_ops : public file_ops {
public:
  std::atomic<std::uint64_t> bytes_read{0};

  ssize_t pread(int fd, void* to, std::size_t size, off_t at) override {
    bytes_read += size;
    return file_ops::pread(fd, to, size, at);
  }
};

} // namespace sluice::test
