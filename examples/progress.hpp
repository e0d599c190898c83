#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

/// Shows how far a long job is: a bar that stays in its line on a terminal,
/// a plain line about once a second elsewhere. Nothing of sluice in it.
class progress_bar {
public:
  struct reading {
    std::uint64_t done = 0;
    std::uint64_t total = 0; ///< 0: not known, so no bar and no percentage.
    std::optional<std::chrono::milliseconds> lag; ///< Behind the source.
    std::string note;
  };

  /// @param to Whether it is a terminal decides how it is shown.
  explicit progress_bar(std::string what, std::FILE* to = stderr)
    : what_{std::move(what)}, to_{to}, terminal_{::isatty(::fileno(to)) == 1},
      shown_{clock::now()}, started_{shown_} {
    // nop
  }
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  ~progress_bar() { leave_line(); }

  /// May be called as often as one likes: it shows only now and then.
  void show(const reading& x) {
    auto now = clock::now();
    auto passed = std::chrono::duration<double>(now - shown_).count();
    if (passed < (terminal_ ? 0.1 : 1.0))
      return;
    // It may start over, e.g. after the job was set back.
    auto more = x.done > done_ ? x.done - done_ : 0;
    rate_ = static_cast<double>(more) / passed;
    done_ = x.done;
    shown_ = now;
    print(x, rate_);
  }

  /// Shows the end, with the rate of the whole.
  void finish(const reading& x) {
    auto passed = std::chrono::duration<double>(clock::now() - started_);
    print(x, static_cast<double>(x.done) / std::max(passed.count(), 1e-6));
    leave_line();
  }

private:
  using clock = std::chrono::steady_clock;

  void print(const reading& x, double rate) {
    auto line = fmt::format("{}: {}", what_, x.done);
    if (x.total > 0) {
      auto part = std::min(1.0, static_cast<double>(x.done)
                                  / static_cast<double>(x.total));
      line += fmt::format(" of {}, {:3.0f} %", x.total, part * 100);
      if (terminal_)
        line += ' ' + bar(part);
    }
    line += fmt::format(", {:.0f}/s", rate);
    if (x.lag)
      line += fmt::format(", lag {} ms", x.lag->count());
    if (!x.note.empty())
      line += ", " + x.note;
    // \x1b[K clears what a longer line left behind.
    line = terminal_ ? '\r' + line + "\x1b[K" : line + '\n';
    std::fputs(line.c_str(), to_);
    std::fflush(to_);
    in_line_ = terminal_;
  }

  [[nodiscard]] static std::string bar(double part) {
    constexpr auto width = std::size_t{24};
    auto full = static_cast<std::size_t>(part * static_cast<double>(width));
    return '[' + std::string(full, '#') + std::string(width - full, '.') + ']';
  }

  void leave_line() {
    if (std::exchange(in_line_, false))
      std::fputc('\n', to_);
  }

  std::string what_;
  std::FILE* to_;
  bool terminal_;
  bool in_line_ = false;
  clock::time_point shown_;
  clock::time_point started_;
  std::uint64_t done_ = 0;
  double rate_ = 0;
};
