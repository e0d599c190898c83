#pragma once

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>

#include "messages/row.hpp"
#include "tests/bench/bench.hpp"

/// What store_bench feeds, and what it reads off the machine.
namespace sluice::bench {

struct rows_made {
  std::vector<block_ptr> blocks;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};

/// Blocks of rows with one key and one text, tables by a zipf law.
/// @param after They are committed after this.
inline rows_made make_rows(std::uint64_t tables, std::uint64_t row_bytes,
                           std::uint64_t bytes, std::uint64_t seed,
                           timestamp after = {}) {
  constexpr std::uint64_t overhead = 73; // of a record, but for the text
  constexpr std::size_t rows_per_block = 1024;
  auto random = std::mt19937_64{seed};
  auto weights = std::vector<double>{};
  auto sum = 0.0;
  for (std::uint64_t i = 1; i <= tables; ++i)
    weights.push_back(sum += 1.0 / static_cast<double>(i));
  auto text = std::string(row_bytes - overhead, 'x');
  auto result = rows_made{};
  auto builder = row_block_builder{};
  while (result.bytes < bytes) {
    auto ts = after.value + ++result.rows;
    auto place = static_cast<double>(random() >> 11) * 0x1p-53 * sum;
    auto table = std::upper_bound(weights.begin(), weights.end(), place);
    auto number = static_cast<std::uint64_t>(table - weights.begin()) + 1;
    auto values = std::vector{
      value_view::of_integer(static_cast<std::int64_t>(ts)),
      value_view::of_text(text)};
    builder.add({{std::min(number, tables)},
                 {{ts}, {ts}, 0},
                 row_op::insert,
                 false,
                 {1},
                 0},
                {true, false}, {}, values);
    builder.end();
    if (builder.rows() == rows_per_block) {
      result.bytes += builder.size_bytes();
      result.blocks.push_back(builder.finish());
    }
  }
  return result;
}

/// Bytes that this process has given to write calls so far.
inline std::uint64_t bytes_written() {
  auto file = std::ifstream{"/proc/self/io"};
  auto name = std::string{};
  auto value = std::uint64_t{0};
  while (file >> name >> value)
    if (name == "wchar:")
      return value;
  return 0;
}

/// What a subject gives back stays with the process. Else it depends on what
/// stands behind it whether the next subject gets it back page by page.
inline void keep_memory() {
  (void) ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  (void) ::mallopt(M_MMAP_THRESHOLD, 32 << 20); // the most that glibc takes
}

inline std::uint64_t heap_bytes() {
  auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Of all threads of this process, with what the system did for them.
inline double cpu_seconds() {
  struct ::rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const ::timeval& x) {
    return static_cast<double>(x.tv_sec)
           + static_cast<double>(x.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Seconds since an instant: of the clock, or that all threads of this process,
/// and the system for them, have worked. The latter says more where others work
/// on the same machine, and leaves out the waits for a disk.
class stopwatch {
public:
  static inline bool by_cpu = false;

  [[nodiscard]] double seconds() const {
    return by_cpu ? cpu_seconds() - cpu_ : seconds_since(begin_);
  }

private:
  clock::time_point begin_ = clock::now();
  double cpu_ = cpu_seconds();
};

/// Of the files in a directory.
inline std::uint64_t bytes_in(const std::string& directory) {
  auto result = std::uint64_t{0};
  for (const auto& x : std::filesystem::recursive_directory_iterator{directory})
    if (x.is_regular_file())
      result += x.file_size();
  return result;
}

template <class Visit>
void visit_files(const std::string& directory, Visit visit) {
  for (const auto& x : std::filesystem::recursive_directory_iterator{directory})
    if (x.is_regular_file()) {
      auto fd = ::open(x.path().c_str(), O_RDONLY | O_CLOEXEC);
      visit(fd);
      ::close(fd);
    }
}

/// Reads every file of a directory once.
inline void read_files(const std::string& directory) {
  auto buffer = std::vector<char>(1 << 20);
  visit_files(directory, [&](int fd) {
    while (::read(fd, buffer.data(), buffer.size()) > 0)
      continue;
  });
}

/// What is durable must come from the disk again.
inline void drop_from_cache(const std::string& directory) {
  visit_files(directory, [](int fd) {
    ::fdatasync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  });
}

} // namespace sluice::bench
