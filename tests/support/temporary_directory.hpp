#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <unistd.h>

namespace sluice::test {

/// A directory that is gone at the end; SLUICE_KEEP=1 leaves it as evidence.
class temporary_directory {
public:
  temporary_directory() {
    // In memory where there is such a place: a kill loses nothing there
    // either, and a sync takes no time.
    const auto* wanted = std::getenv("TMPDIR");
    auto shm = ::access("/dev/shm", W_OK) == 0;
    auto name = std::string{wanted != nullptr ? wanted
                            : shm             ? "/dev/shm"
                                              : "/tmp"}
                + "/sluice_test_XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() {
    auto ignored = std::error_code{};
    if (std::getenv("SLUICE_KEEP") == nullptr)
      std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string path() const { return path_.string(); }
  [[nodiscard]] std::string file(std::string_view name) const {
    return (path_ / name).string();
  }

private:
  std::filesystem::path path_;
};

} // namespace sluice::test
