#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace pg_demo {

/// A program that runs beside us, and that does not outlive us. What it says
/// goes to files.
class child_process {
public:
  struct command {
    std::vector<std::string> words; ///< The first is the program's path.
    std::string out;                ///< File for stdout ...
    std::string err;                ///< ... and stderr.
  };

  /// @error std::runtime_error
  explicit child_process(command what);
  /// Kills it if it still runs.
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  [[nodiscard]] bool runs();
  /// @returns Whether SIGKILL ended it, and not it itself before.
  bool kill();
  /// @pre It does not run. @returns Its exit status; -1 after a signal.
  [[nodiscard]] int status() const;
  /// Last line of a file, empty if there is none.
  [[nodiscard]] static std::string last_line(const std::string& path);

private:
  ::pid_t pid_ = -1; // -1: it does not run
  int how_ = 0;
};

} // namespace pg_demo
