#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/sources/generator/generator.hpp"
#include "messages/ids.hpp"

namespace sluice {

/// Numbers that are the same on every machine and with every library, unlike
/// those of std::uniform_int_distribution. SplitMix64, see
/// https://prng.di.unimi.it/splitmix64.c.
class split_mix {
public:
  explicit split_mix(std::uint64_t seed) noexcept : state_{seed} {
    // nop
  }
  std::uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15ULL;
    auto x = state_;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
  }
  /// 0 to n - 1. Favours none by more than n / 2^64.
  std::uint64_t below(std::uint64_t n) noexcept { return next() % n; }

private:
  std::uint64_t state_;
};

/// The accounts of the generator and, transaction by transaction, what
/// happens to them. Depends on nothing but its options.
class bank {
public:
  struct account {
    std::int64_t balance = 0;
    std::uint64_t note = 0; ///< `note_text` makes the note of it.
  };
  struct change {
    std::uint32_t table = 0; ///< 0, 1, ...
    std::uint32_t id = 0;    ///< 1, 2, ...
    bool inserted = false;   ///< Else updated.
    account before;
    account after;
  };
  struct transaction {
    timestamp commit_ts;
    timestamp start_ts;
    std::vector<change> changes;
    /// The next one has another commit_ts.
    bool last_of_ts = true;
  };

  explicit bank(const generator_options& options);

  /// Whether there is nothing more to come.
  [[nodiscard]] bool finished() const noexcept;
  /// The next transaction; valid until the next call.
  /// @pre `!finished()`
  const transaction& next();
  /// Replaces `into` by the note's text.
  void note_text(std::uint64_t note, std::string& into) const;

private:
  void open_accounts();
  void transfer(split_mix& random);
  void change_balance(std::uint32_t table, std::uint32_t id, std::int64_t by,
                      std::uint64_t note);

  generator_options options_;
  std::uint64_t opening_ = 0;     // transactions that insert accounts
  std::uint64_t number_ = 0;      // of the next transaction: 0, 1, ...
  std::vector<account> accounts_; // table by table
  transaction now_;
};

} // namespace sluice
