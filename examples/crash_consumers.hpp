#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "actors/sinks/callback.hpp"
#include "plain_sqlite.hpp"

/// The consumers of crash_replay.cpp. Each keeps, together with what it makes,
/// the place in the feed up to which that is true: so a change that comes again
/// after a kill is known, and nothing is made twice.

/// A change of a balance, from a feed or from the bank itself.
struct entry {
  sluice::row_cursor at;
  std::int64_t id = 0;
  std::int64_t before = 0;
  std::int64_t after = 0;

  [[nodiscard]] std::string line() const {
    return fmt::format("{} {} {} {} {} {}\n", at.commit_ts.value,
                       at.start_ts.value, at.position, id, before, after);
  }
};

[[nodiscard]] inline entry entry_of(const sluice::change& x) {
  auto before = x.old_value("balance");
  return {x.cursor(), x.value("id")->integer, before ? before->integer : 0,
          x.value("balance")->integer};
}

/// What is kept of the changes up to `at`. The digest depends on each of them
/// and on their order.
struct place {
  sluice::row_cursor at;
  std::uint64_t changes = 0;
  std::uint64_t digest = 0xCBF29CE484222325; // FNV-1a
  std::int64_t moved = 0;                    ///< Sum of what was transferred.

  void add(const entry& x) {
    at = x.at;
    ++changes;
    moved += std::max(std::int64_t{0}, x.before - x.after);
    for (auto c : x.line())
      digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  }
  [[nodiscard]] std::string text() const {
    return fmt::format("{} {} {} {} {} {}", at.commit_ts.value,
                       at.start_ts.value, at.position, changes, digest, moved);
  }
  friend bool operator==(const place&, const place&) = default;
};

inline std::istream& operator>>(std::istream& from, place& x) {
  return from >> x.at.commit_ts.value >> x.at.start_ts.value >> x.at.position
         >> x.changes >> x.digest >> x.moved;
}

/// AUDIT: a file of one line per change. It needs no sync: a kill takes nothing
/// that was written, only the end of a line.
class audit {
public:
  explicit audit(const std::string& directory) {
    auto path = directory + "/audit.log";
    auto whole = std::uintmax_t{0};
    auto last = std::string{};
    auto from = std::ifstream{path};
    for (auto line = std::string{}; std::getline(from, line) && !from.eof();) {
      whole += line.size() + 1;
      std::swap(last, line);
    }
    std::istringstream{last} >> at_.commit_ts.value >> at_.start_ts.value
      >> at_.position;
    if (std::filesystem::exists(path))
      std::filesystem::resize_file(path, whole);
    to_.open(path, std::ios::app);
    to_.exceptions(std::ios::failbit | std::ios::badbit);
  }
  void take(const sluice::change_batch& batch) {
    auto text = std::string{};
    auto now = at_;
    for (const auto& change : batch) {
      auto x = entry_of(change);
      if (x.at <= now)
        continue; // It came before the kill and is in the file.
      text += x.line();
      now = x.at;
    }
    to_ << text << std::flush; // once this has failed it always will
    at_ = now;
  }

private:
  sluice::row_cursor at_;
  std::ofstream to_;
};

/// CACHE: the balances. The place is a row of the same database: both change in
/// one transaction.
class cache {
public:
  explicit cache(const std::string& directory) : db_{open(directory)} {
    db_.exec("CREATE TABLE IF NOT EXISTS balances"
             "(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);"
             "CREATE TABLE IF NOT EXISTS place"
             "(one INTEGER PRIMARY KEY CHECK (one = 1), place TEXT NOT NULL)");
    place_ = read_place(db_);
  }
  void take(const sluice::change_batch& batch) {
    db_.exec("BEGIN IMMEDIATE");
    auto now = place_;
    try {
      auto set = plain_sqlite::statement{
        db_.get(), "INSERT OR REPLACE INTO balances VALUES (?1, ?2)"};
      for (const auto& change : batch) {
        auto x = entry_of(change);
        if (x.at <= now.at)
          continue;
        set.bind(1, x.id);
        set.bind(2, x.after);
        set.run();
        now.add(x);
      }
      db_.exec("INSERT OR REPLACE INTO place VALUES (1, '" + now.text() + "')");
      db_.exec("COMMIT");
    } catch (...) {
      db_.exec("ROLLBACK");
      throw; // The batch comes again.
    }
    place_ = now;
  }

  [[nodiscard]] static plain_sqlite::database
  open(const std::string& directory) {
    auto db = plain_sqlite::database{
      directory + "/cache.db", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE};
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    return db;
  }
  [[nodiscard]] static place read_place(plain_sqlite::database& db) {
    auto result = place{};
    auto query = plain_sqlite::statement{db.get(), "SELECT place FROM place"};
    if (query.step())
      std::istringstream{std::string{query.bytes(0)}} >> result;
    return result;
  }

private:
  plain_sqlite::database db_;
  place place_;
};

/// TOTALS: a file that is replaced as a whole: rename is all or nothing.
class totals {
public:
  explicit totals(const std::string& directory)
    : path_{directory + "/totals.txt"} {
    std::ifstream{path_} >> place_;
  }
  void take(const sluice::change_batch& batch) {
    auto now = place_;
    for (const auto& change : batch)
      if (auto x = entry_of(change); x.at > now.at)
        now.add(x);
    auto to = std::ofstream{path_ + ".new"};
    to.exceptions(std::ios::failbit | std::ios::badbit);
    to << now.text() << '\n';
    to.close();
    std::filesystem::rename(path_ + ".new", path_);
    place_ = now;
  }

private:
  std::string path_;
  place place_;
};
