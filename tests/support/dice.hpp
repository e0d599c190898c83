#pragma once

#include <cstdint>

namespace sluice::test {

/// Random numbers that are the same on every machine and with every library,
/// unlike those of std::uniform_int_distribution. SplitMix64, see
/// https://prng.di.unimi.it/splitmix64.c.
class dice {
public:
  explicit dice(std::uint64_t seed) : state_{seed} {
    // nop
  }
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    auto x = state_;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
  }
  /// 0 to n - 1, each as likely, but for one in 2^64 / n.
  std::uint64_t roll(std::uint64_t n) { return next() % n; }
  bool percent(std::uint64_t p) { return roll(100) < p; }

private:
  std::uint64_t state_;
};

} // namespace sluice::test
