// An application that writes until SIGTERM; it knows nothing of sluice. The
// tests made its tables, and triggers that note each change in `witness`. No
// trigger fires for rows that a REPLACE displaces: those it notes itself, in
// the same transaction.
//
//   kill_application DATABASE SEED CHANGES_PER_SECOND
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "examples/plain_sqlite.hpp"

namespace {

using plain_sqlite::database;
using plain_sqlite::statement;

volatile std::sig_atomic_t interrupted = 0;

class application {
public:
  application(database& db, std::uint64_t seed) : db_{db}, random_{seed} {
    // nop
  }

  /// One transaction. @returns How many rows it changed, about.
  std::int64_t act() {
    db_.exec("BEGIN IMMEDIATE");
    auto count = 1 + below(20);
    auto changed = std::int64_t{0};
    for (std::int64_t i = 0; i < count; ++i)
      changed += act_once();
    db_.exec("COMMIT");
    return changed;
  }

private:
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n));
  }

  std::int64_t act_once() {
    switch (below(9)) {
      case 0:
        return replace_account();
      case 1:
        return change_account();
      case 2:
        return take_email();
      case 3:
        return run(move_account_, below(400), below(400));
      case 4:
        return run(insert_entry_, below(60), below(20), below(1'000));
      case 5:
        return renumber_entry();
      case 6:
        return run(update_entries_, below(60), below(1'000));
      case 7:
        return run(delete_entry_, below(60), below(20));
      default:
        return change_tag();
    }
  }

  template <class... Values>
  std::int64_t run(statement& what, const Values&... values) {
    auto i = 0;
    (what.bind(++i, values), ...);
    return what.run();
  }

  std::string email() { return fmt::format("a{}@example.org", below(300)); }

  std::int64_t replace_account() {
    auto id = below(400);
    auto mail = email();
    run(displaced_accounts_, id, mail);
    return run(replace_account_, id, mail,
               static_cast<double>(below(100'000)) / 100);
  }
  std::int64_t change_account() {
    if (below(4) == 0)
      return run(delete_account_, below(400));
    return run(update_accounts_, below(400), fmt::format("n{}", random_()));
  }
  std::int64_t take_email() {
    auto id = below(400);
    auto mail = email();
    run(displaced_by_email_, id, mail);
    return run(take_email_, id, mail);
  }
  std::int64_t renumber_entry() {
    auto account = below(60);
    auto from = below(20);
    auto to = below(20);
    run(displaced_entry_, account, from, to);
    return run(renumber_entry_, account, from, to);
  }
  std::int64_t change_tag() {
    auto name = fmt::format("tag {}", below(200));
    switch (below(3)) {
      case 0:
        return run(delete_tag_, name);
      case 1:
        return run(rename_tag_, name, fmt::format("tag {}", below(200)));
      default:
        return run(upsert_tag_, name, below(50));
    }
  }

  statement prepared(const char* sql) { return {db_.get(), sql}; }

  database& db_;
  std::mt19937_64 random_;
  statement displaced_accounts_ = prepared(
    "INSERT INTO witness(tbl, key, op) SELECT 'accounts', quote(id), 'd' "
    "FROM accounts WHERE id = ?1 OR email = ?2");
  statement replace_account_ = prepared(
    "INSERT OR REPLACE INTO accounts VALUES (?1, ?2, ?3, zeroblob(?1 % 50))");
  statement delete_account_ = prepared("DELETE FROM accounts WHERE id = ?1");
  statement update_accounts_ = prepared(
    "UPDATE accounts SET note = ?2 WHERE id BETWEEN ?1 AND ?1 + 4");
  statement displaced_by_email_ = prepared(
    "INSERT INTO witness(tbl, key, op) SELECT 'accounts', quote(id), 'd' "
    "FROM accounts WHERE email = ?2 AND id <> ?1 "
    "AND EXISTS (SELECT 1 FROM accounts WHERE id = ?1)");
  statement take_email_ = prepared(
    "UPDATE OR REPLACE accounts SET email = ?2 WHERE id = ?1");
  statement move_account_ = prepared(
    "UPDATE OR IGNORE accounts SET id = ?2 WHERE id = ?1");
  statement insert_entry_ = prepared(
    "INSERT OR IGNORE INTO entries VALUES (?1, ?2, ?3)");
  statement displaced_entry_ = prepared(
    "INSERT INTO witness(tbl, key, op) "
    "SELECT 'entries', account || ',' || number, 'd' FROM entries "
    "WHERE account = ?1 AND number = ?3 AND ?3 <> ?2 AND EXISTS "
    "(SELECT 1 FROM entries WHERE account = ?1 AND number = ?2)");
  statement renumber_entry_ = prepared(
    "UPDATE OR REPLACE entries SET number = ?3 "
    "WHERE account = ?1 AND number = ?2");
  statement update_entries_ = prepared(
    "UPDATE entries SET text = ?2 WHERE account = ?1");
  statement delete_entry_ = prepared(
    "DELETE FROM entries WHERE account = ?1 AND number = ?2");
  statement delete_tag_ = prepared("DELETE FROM tags WHERE name = ?1");
  statement rename_tag_ = prepared(
    "UPDATE OR IGNORE tags SET name = ?2 WHERE name = ?1");
  statement upsert_tag_ = prepared(
    "INSERT INTO tags VALUES (?1, ?2) ON CONFLICT (name) "
    "DO UPDATE SET value = value || excluded.value "
    "WHERE length(value) < 100");
};

void run(const std::string& path, std::uint64_t seed, double rate) {
  auto db = database{path, SQLITE_OPEN_READWRITE};
  db.exec("PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY");
  auto app = application{db, seed};
  auto began = std::chrono::steady_clock::now();
  auto done = std::int64_t{0};
  while (interrupted == 0) {
    done += app.act();
    std::this_thread::sleep_until(
      began
      + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(static_cast<double>(done) / rate)));
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
  if (argc != 4) {
    fmt::print(stderr, "usage: kill_application DATABASE SEED RATE\n");
    return 3;
  }
  listen_to_sigterm();
  try {
    run(argv[1], std::strtoull(argv[2], nullptr, 10), std::atof(argv[3]));
  } catch (const plain_sqlite::failure& x) {
    fmt::print(stderr, "kill_application: {}\n", x.what());
    return 2;
  }
  return 0;
}
