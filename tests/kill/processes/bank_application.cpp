// A bank that moves money until SIGTERM; it knows nothing of sluice. The tests
// made accounts_1, accounts_2, ... with the same ids in each. A transaction has
// 1 to 50 transfers, each between two tables, so their sum never changes.
//
//   bank_application DATABASE SEED TABLES ACCOUNTS CHANGES_PER_SECOND
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "examples/plain_sqlite.hpp"

namespace {

using plain_sqlite::database;
using plain_sqlite::statement;

volatile std::sig_atomic_t interrupted = 0;

struct settings {
  std::uint64_t seed = 0;
  std::uint64_t tables = 0;
  std::uint64_t accounts = 0; ///< Per table, 1 to this.
  double changes_per_second = 0;
};

class bank {
public:
  bank(database& db, const settings& how)
    : db_{db}, how_{how}, random_{how.seed} {
    for (auto i = std::uint64_t{1}; i <= how.tables; ++i)
      add_.emplace_back(
        db.get(), fmt::format("UPDATE accounts_{} SET balance = balance + ?2 "
                              "WHERE id = ?1",
                              i));
  }

  /// One transaction: takes all the money first and then gives it, so that
  /// the sum is wrong at each place inside. @returns How many rows it changed.
  std::int64_t act() {
    db_.exec("BEGIN IMMEDIATE");
    auto transfers = std::vector<transfer>(1 + below(50));
    for (auto& x : transfers)
      x = take();
    for (const auto& x : transfers)
      add(x.to, x.amount);
    db_.exec("COMMIT");
    return static_cast<std::int64_t>(2 * transfers.size());
  }

private:
  struct transfer {
    std::uint64_t to = 0; ///< Table.
    std::int64_t amount = 0;
  };

  std::uint64_t below(std::uint64_t n) { return random_() % n; }

  transfer take() {
    auto amount = static_cast<std::int64_t>(1 + below(100));
    auto from = below(how_.tables);
    add(from, -amount);
    return {(from + 1 + below(how_.tables - 1)) % how_.tables, amount};
  }
  void add(std::uint64_t table, std::int64_t amount) {
    auto& what = add_[table];
    what.bind(1, static_cast<std::int64_t>(1 + below(how_.accounts)));
    what.bind(2, amount);
    if (what.run() != 1)
      throw plain_sqlite::failure{"an account is missing"};
  }

  database& db_;
  settings how_;
  std::mt19937_64 random_;
  std::vector<statement> add_; // One per table.
};

void run(const std::string& path, const settings& how) {
  auto db = database{path, SQLITE_OPEN_READWRITE};
  db.exec("PRAGMA synchronous = NORMAL");
  auto app = bank{db, how};
  auto began = std::chrono::steady_clock::now();
  auto done = std::int64_t{0};
  while (interrupted == 0) {
    done += app.act();
    auto due = std::chrono::duration<double>(static_cast<double>(done)
                                             / how.changes_per_second);
    std::this_thread::sleep_until(
      began
      + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
  }
}

// It was blocked at the start: one that came early takes effect here.
void listen_to_sigterm() {
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  auto now = sigset_t{};
  ::sigemptyset(&now);
  ::sigaddset(&now, SIGTERM);
  ::sigprocmask(SIG_UNBLOCK, &now, nullptr);
}

} // namespace

int main(int argc, char** argv) {
  auto number = [&](int i) {
    return i < argc ? std::strtoull(argv[i], nullptr, 10) : 0;
  };
  auto how = settings{};
  how.seed = number(2);
  how.tables = number(3);
  how.accounts = number(4);
  how.changes_per_second = static_cast<double>(number(5));
  if (argc != 6 || how.tables < 2 || how.accounts < 1
      || how.changes_per_second <= 0) {
    fmt::print(stderr, "usage: bank_application DATABASE SEED TABLES ACCOUNTS "
                       "CHANGES_PER_SECOND, with TABLES >= 2\n");
    return 3;
  }
  listen_to_sigterm();
  try {
    run(argv[1], how);
  } catch (const plain_sqlite::failure& x) {
    fmt::print(stderr, "bank_application: {}\n", x.what());
    return 2;
  }
  return 0;
}
