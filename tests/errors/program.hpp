#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/// Starting the real program, as a user does.
namespace sluice::error_test {

/// Who runs it. Nobody owns nothing: root may write what is read-only.
enum class user { same, nobody };

inline std::string text_of(const std::string& path) {
  auto in = std::ifstream{path};
  auto out = std::ostringstream{};
  out << in.rdbuf();
  return out.str();
}

/// A process in a directory of its own, killed when the object goes. What it
/// says is in files beside that directory.
class program {
public:
  static constexpr auto still_running = 1'000'000;

  program(const std::string& name, std::vector<std::string> arguments,
          const std::string& directory, user who)
    : out_{directory + ".out"}, err_{directory + ".err"} {
    // Opened here: nobody need not get to where it is.
    auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    auto file = ::open((path / name).c_str(), O_PATH | O_CLOEXEC);
    REQUIRE_MESSAGE(file >= 0, name << " is not built");
    arguments.insert(arguments.begin(), name);
    auto raw = std::vector<char*>{};
    for (auto& x : arguments)
      raw.push_back(x.data());
    raw.push_back(nullptr);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0)
      become(file, raw.data(), directory, who);
    ::close(file);
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;
  ~program() {
    signal(SIGKILL);
    wait();
  }

  void signal(int number) const {
    if (pid_ > 0)
      ::kill(pid_, number);
  }
  /// @returns Exit status, or the negative number of the signal.
  int wait(std::chrono::seconds patience = std::chrono::seconds{40}) {
    auto end = std::chrono::steady_clock::now() + patience;
    while (pid_ > 0 && ::waitpid(pid_, &how_, WNOHANG) != pid_) {
      if (std::chrono::steady_clock::now() > end)
        return still_running;
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
    pid_ = -1;
    return WIFSIGNALED(how_) ? -WTERMSIG(how_) : WEXITSTATUS(how_);
  }
  [[nodiscard]] std::string out() const { return text_of(out_); }
  [[nodiscard]] std::string err() const { return text_of(err_); }

private:
  [[noreturn]] void become(int file, char** arguments,
                           const std::string& directory, user who) const {
    constexpr auto flags = O_WRONLY | O_CREAT | O_TRUNC;
    ::dup2(::open(out_.c_str(), flags, 0600), STDOUT_FILENO);
    ::dup2(::open(err_.c_str(), flags, 0600), STDERR_FILENO);
    if (::chdir(directory.c_str()) != 0)
      ::_exit(126);
    if (who == user::nobody && ::geteuid() == 0) {
      constexpr auto nobody = 65534;
      if (::setgroups(0, nullptr) != 0 || ::setgid(nobody) != 0
          || ::setuid(nobody) != 0)
        ::_exit(125);
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // The test may be stopped by ctest.
    ::fexecve(file, arguments, ::environ);
    ::_exit(127);
  }

  std::string out_;
  std::string err_;
  pid_t pid_ = -1;
  int how_ = 0;
};

} // namespace sluice::error_test
