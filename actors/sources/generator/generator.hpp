#pragma once

#include <cstdint>
#include <memory>

#include "actors/sources/source_connector.hpp"

namespace sluice {

/// What the generator makes.
struct generator_options {
  std::uint64_t seed = 1;
  std::uint32_t tables = 1;      ///< 1 to 10,000: accounts_1, accounts_2, ...
  std::uint32_t accounts = 1000; ///< Per table, 2 to 10 million.
  /// Transactions after those that insert the accounts. 0: endless.
  std::uint64_t transactions = 0;
  /// A transaction has 1 to this many transfers; at most 1,000.
  std::uint32_t transfers_per_transaction = 1;
  /// How many transactions in a row share a commit_ts; at most 1,000.
  std::uint32_t same_commit_ts = 1;
  std::uint32_t payload_bytes = 32;  ///< Length of `note`, at most 1 MiB.
  std::uint64_t rows_per_second = 0; ///< 0: as fast as they are read.
  /// Rows carry the time at which they were made, to measure delays. They are
  /// not the same bytes then when they are read again.
  bool record_time = false;
};

/// What each account of the generator begins with.
inline constexpr std::int64_t generator_opening_balance = 1000;

/// Sum of the balances in each table, once its accounts are there.
[[nodiscard]] constexpr std::int64_t
generator_sum(const generator_options& options) noexcept {
  return generator_opening_balance * options.accounts;
}

/// A source without a database: a bank. Each table
/// `accounts_<i>(id INTEGER, balance INTEGER, note TEXT)` gets its accounts
/// with 1,000 each, then transfers of two updates inside one table, so that
/// the sum of a table never changes.
///
/// The rows are a function of the options and the cursor: `open(resume)` goes
/// on with the same bytes after any cursor. It computes the way up to there
/// anew, about 40 million transfers a second.
///
/// commit_ts is (milliseconds << 18 | logical), beginning at 1 << 18;
/// start_ts < commit_ts; position is the index in the transaction.
/// `open` fails with invalid_option if the options make no sense.
[[nodiscard]] std::unique_ptr<source_connector>
make_generator(const generator_options& options);

} // namespace sluice
