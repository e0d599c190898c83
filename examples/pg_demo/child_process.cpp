#include "pg_demo/child_process.hpp"

#include <csignal>
#include <fstream>
#include <stdexcept>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pg_demo {

namespace {

// In the child, where other threads may have held any lock: system calls only.
[[noreturn]] void become(char* const* words, const char* out, const char* err,
                         ::pid_t parent) {
  constexpr auto flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
  auto to = ::open(out, flags, 0600);
  auto problems = ::open(err, flags, 0600);
  if (to < 0 || problems < 0 || ::dup2(to, STDOUT_FILENO) < 0
      || ::dup2(problems, STDERR_FILENO) < 0
      // Ctrl-C is for us; what a child has to do then, we know.
      || ::setpgid(0, 0) != 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0
      || ::getppid() != parent)
    ::_exit(126);
  ::execv(words[0], words);
  ::_exit(127);
}

} // namespace

child_process::child_process(command what) {
  auto words = std::vector<char*>{};
  for (auto& x : what.words)
    words.push_back(x.data());
  words.push_back(nullptr);
  auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0)
    become(words.data(), what.out.c_str(), what.err.c_str(), parent);
  if (pid_ < 0)
    throw std::runtime_error{what.words[0] + " cannot be started"};
}

child_process::~child_process() {
  kill();
}

bool child_process::runs() {
  if (pid_ > 0 && ::waitpid(pid_, &how_, WNOHANG) == pid_)
    pid_ = -1;
  return pid_ > 0;
}

bool child_process::kill() {
  if (!runs())
    return false;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &how_, 0);
  pid_ = -1;
  return WIFSIGNALED(how_) && WTERMSIG(how_) == SIGKILL;
}

int child_process::status() const {
  return WIFEXITED(how_) ? WEXITSTATUS(how_) : -1;
}

std::string child_process::last_line(const std::string& path) {
  auto file = std::ifstream{path};
  auto line = std::string{};
  auto result = std::string{};
  while (std::getline(file, line))
    result = line;
  return result;
}

} // namespace pg_demo
