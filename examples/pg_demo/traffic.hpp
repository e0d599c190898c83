#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "plain_postgres.hpp"
#include "tests/support/dice.hpp"

namespace pg_demo {

/// Random transactions on all tables but pgbench's: inserts, updates, also of
/// keys, deletes, truncates, savepoints and rollbacks.
class traffic {
public:
  /// Begins in a thread of its own. Of the same seed come the same statements.
  traffic(const std::string& conninfo, std::uint64_t seed);
  ~traffic();
  traffic(const traffic&) = delete;
  traffic& operator=(const traffic&) = delete;

  /// @error std::runtime_error: what ended it before.
  void stop();
  [[nodiscard]] std::uint64_t transactions() const { return transactions_; }

private:
  void write(const std::string& conninfo);
  void transact(plain_postgres::database& db);
  std::string changes(std::uint64_t count_max);
  std::string change();
  std::string change_every_type();
  std::string change_document();
  std::string change_key();
  std::string change_big();
  std::uint64_t number(); ///< Random, fits a bigint.

  sluice::test::dice dice_;
  std::string columns_;        ///< Of every_type.
  std::uint64_t inserted_ = 0; ///< Rows of big.
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> transactions_ = 0;
  std::optional<std::string> failure_; ///< To be read when the thread ended.
  std::thread thread_;                 // last: it uses all the others
};

} // namespace pg_demo
