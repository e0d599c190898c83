#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "messages/errc.hpp"

/// What the benches share. Each prints its figures beside those of a peer or a
/// limit from the same run: absolute ones differ from machine to machine.
namespace sluice::bench {

using clock = std::chrono::steady_clock;

[[nodiscard]] inline double seconds_since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

/// @pre Not empty.
[[nodiscard]] inline double median(std::vector<double> xs) {
  std::sort(xs.begin(), xs.end());
  auto middle = xs.size() / 2;
  return xs.size() % 2 == 1 ? xs[middle] : (xs[middle - 1] + xs[middle]) / 2;
}

/// @param part 0.5: the median, 0.99: all but one in a hundred are below.
/// @pre Not empty.
[[nodiscard]] inline double percentile(std::vector<double> xs, double part) {
  std::sort(xs.begin(), xs.end());
  auto last = static_cast<double>(xs.size() - 1);
  return xs[static_cast<std::size_t>(part * last)];
}

/// "1234567" as "1,234,567".
[[nodiscard]] inline std::string grouped(double x) {
  auto result = fmt::format("{:.0f}", x);
  for (auto at = static_cast<int>(result.size()) - 3; at > 0; at -= 3)
    result.insert(static_cast<std::size_t>(at), ",");
  return result;
}

/// Ends the program: a bench whose run failed has no figures.
[[noreturn]] inline void give_up(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(2);
}

inline void need(const status& done) {
  if (!done)
    give_up(to_string(done.error()));
}

template <class T>
T need(expected<T> x) {
  if (!x)
    give_up(to_string(x.error()));
  return std::move(*x);
}

/// A directory on a disk, for TMPDIR or /var/tmp; gone at the end.
class scratch {
public:
  scratch() {
    const auto* wanted = std::getenv("TMPDIR");
    auto name = std::string{wanted == nullptr ? "/var/tmp" : wanted}
                + "/sluice_bench_XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
      give_up("cannot make a directory like " + name);
    path_ = name;
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    auto ignored = std::error_code{};
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string file(const std::string& name) const {
    return (path_ / name).string();
  }

private:
  std::filesystem::path path_;
};

} // namespace sluice::bench
