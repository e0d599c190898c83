#pragma once

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <string>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/histories/kinds.hpp"

namespace sluice::histories_test {

/// What histories did: per kind, of table t and of table w.
struct tally {
  std::array<std::array<std::uint64_t, 2>, kinds> of{};
  std::uint64_t steps = 0;

  [[nodiscard]] std::uint64_t total(std::size_t i) const {
    return of[i][0] + of[i][1];
  }
};

/// A process `history_writer`, which takes orders. It ends with the test.
class writer {
public:
  writer() {
    auto self = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    auto path = (self / "history_writer").string();
    auto orders = std::array<int, 2>{};
    auto answers = std::array<int, 2>{};
    REQUIRE(::pipe2(orders.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(answers.data(), O_CLOEXEC) == 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL); // The test may be stopped by ctest.
      ::dup2(orders[0], STDIN_FILENO);
      ::dup2(answers[1], STDOUT_FILENO);
      ::execl(path.c_str(), path.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(orders[0]);
    ::close(answers[1]);
    orders_ = orders[1];
    answers_ = answers[0];
  }
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;
  ~writer() {
    ::close(orders_);
    ::close(answers_);
    ::waitpid(pid_, nullptr, 0);
  }

  void order(const std::string& what) {
    auto line = what + '\n';
    REQUIRE(::write(orders_, line.data(), line.size())
            == static_cast<ssize_t>(line.size()));
    busy_ = true;
  }
  /// Whether it still works at its order; waits up to `wait_ms` for the end.
  bool busy(tally& into, int wait_ms) {
    if (!busy_)
      return false;
    auto asked = pollfd{answers_, POLLIN, 0};
    if (::poll(&asked, 1, wait_ms) != 1)
      return true;
    auto bytes = std::array<char, 4096>{};
    auto got = ::read(answers_, bytes.data(), bytes.size());
    REQUIRE_MESSAGE(got > 0, "a history_writer ended");
    answer_.append(bytes.data(), static_cast<std::size_t>(got));
    if (answer_.back() != '\n')
      return true;
    add(into);
    busy_ = false;
    return false;
  }

private:
  void add(tally& into) {
    auto in = std::istringstream{answer_};
    auto next = [&] {
      auto x = std::uint64_t{0};
      in >> x;
      return x;
    };
    for (auto& pair : into.of)
      for (auto& x : pair)
        x += next();
    into.steps += next();
    answer_.clear();
  }

  pid_t pid_ = -1;
  int orders_ = -1;
  int answers_ = -1;
  bool busy_ = false;
  std::string answer_;
};

} // namespace sluice::histories_test
