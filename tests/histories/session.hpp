#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <sqlite3.h>
#include <unistd.h>

#include "tests/histories/kinds.hpp"

namespace sluice::histories_test {

/// How many statements of each kind took effect, of table t and of table w.
struct counts {
  std::array<std::array<std::uint64_t, 2>, kinds> of{};

  void add(const counts& x) {
    for (std::size_t i = 0; i < kinds; ++i)
      for (std::size_t w = 0; w < 2; ++w)
        of[i][w] += x.of[i][w];
  }
};

/// A connection of an application, which makes up random statements and counts
/// those that last: what is rolled back does not.
class session {
public:
  session(const std::string& path, std::uint64_t seed) : random_{seed} {
    sqlite3* made = nullptr;
    if (sqlite3_open_v2(path.c_str(), &made, SQLITE_OPEN_READWRITE, nullptr)
        != SQLITE_OK)
      std::exit(2);
    db_.reset(made);
    sqlite3_busy_handler(db_.get(), wait_for_lock, nullptr);
    foreign_keys_ = below(8) != 0;
    exec("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;"
         "PRAGMA recursive_triggers = "
         + std::to_string(below(2)));
    set_foreign_keys(foreign_keys_);
    parent_ = text("SELECT \"table\" FROM pragma_foreign_key_list('c')") == "w";
    cascades_ = text("SELECT on_delete FROM pragma_foreign_key_list('c')")
                == "CASCADE";
  }

protected:
  // -- random parts -----------------------------------------------------------

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  std::string pick(std::initializer_list<const char*> from) {
    return *(from.begin() + below(from.size()));
  }
  std::string number(std::uint64_t n) { return std::to_string(below(n)); }
  std::string value() {
    return pick({"0", "1", "2", "3", "4", "5", "1", "2", "2.0", "'a'", "'A'",
                 "'b'", "'2'", "x'61'", "NULL", "2.5", "'a' || char(0)"});
  }
  std::string key() {
    return below(8) == 0 ? value()
                         : pick({"1", "2", "3", "4", "5", "6", "7", "'a'"});
  }
  // Nobody has it yet, most likely.
  std::string fresh() { return std::to_string(1'000 + below(1'000'000)); }
  // Some row of a query on a table.
  std::string nth(const std::string& table) {
    return " LIMIT 1 OFFSET (SELECT " + number(100)
           + " % max(count(*), 1) FROM " + table + ')';
  }
  std::string nth() { return nth(name_); }
  std::string either_end() { return pick({" DESC", ""}) + " LIMIT 1"; }
  std::string row() {
    return '(' + key() + ", " + value() + ", " + value() + ')';
  }
  std::string rows() {
    auto result = row();
    for (auto n = below(4); n > 0; --n)
      result += ", " + row();
    return result;
  }
  std::string where() {
    switch (below(4)) {
      case 0:
        return " WHERE k = " + key();
      case 1:
        return " WHERE u = " + value();
      case 2:
        return " WHERE k > " + key();
      default:
        return " WHERE v = " + value();
    }
  }
  std::string shape() {
    return keyed_ ? keyed_shapes[below(keyed_shapes.size())]
                  : rowid_shapes[below(rowid_shapes.size())];
  }

  // -- statements -------------------------------------------------------------

  [[nodiscard]] bool in_transaction() const {
    return sqlite3_get_autocommit(db_.get()) == 0;
  }
  std::int64_t changes() { return sqlite3_changes64(db_.get()); }
  std::int64_t total_changes() { return sqlite3_total_changes64(db_.get()); }
  bool exec(const std::string& sql) {
    static const auto trace = std::getenv("SLUICE_TRACE") != nullptr;
    char* message = nullptr;
    auto ok = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, &message)
              == SQLITE_OK;
    failed_ = message == nullptr ? "" : message;
    sqlite3_free(message);
    if (trace)
      std::fprintf(stderr, "%d %s -- %s\n", static_cast<int>(::getpid()),
                   sql.c_str(), ok ? "ok" : failed_.c_str());
    if (!in_transaction()) {
      pending_ = {}; // OR ROLLBACK
      savepoint_ = false;
    }
    return ok;
  }
  std::vector<std::string> texts(const std::string& sql) {
    auto result = std::vector<std::string>{};
    sqlite3_stmt* query = nullptr;
    if (sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &query, nullptr)
        == SQLITE_OK)
      while (sqlite3_step(query) == SQLITE_ROW) {
        const auto* x = sqlite3_column_text(query, 0);
        result.emplace_back(x == nullptr ? ""
                                         : reinterpret_cast<const char*>(x));
      }
    sqlite3_finalize(query);
    return result;
  }
  std::string text(const std::string& sql) {
    auto all = texts(sql);
    return all.empty() ? "" : all.front();
  }
  void set_foreign_keys(bool on) {
    exec(std::string{"PRAGMA foreign_keys = "} + (on ? "ON" : "OFF"));
  }

  void count(kind what) {
    auto& to = in_transaction() ? pending_ : done_;
    ++to.of[static_cast<std::size_t>(what)][keyed_ ? 1 : 0];
  }
  // A change of rows: it counts if it changed some.
  void change(kind what, const std::string& sql) {
    auto was_open = in_transaction();
    auto ok = exec(sql);
    if (was_open && !in_transaction())
      return;
    if (ok && changes() > 0)
      count(what);
  }
  bool define(kind what, const std::string& sql) {
    auto ok = exec(sql);
    if (ok)
      count(what);
    return ok;
  }

  // -- transactions -----------------------------------------------------------

  void end_transaction(bool commit) {
    auto work = pending_;
    auto changed = total_changes() > changes_before_;
    if (commit && exec("COMMIT")) {
      done_.add(work);
      if (changed)
        count(kind::commit);
      return;
    }
    if (exec("ROLLBACK") && changed)
      count(kind::rollback);
  }
  void change_transaction() {
    if (!in_transaction()) {
      changes_before_ = total_changes();
      exec(below(3) == 0 ? "BEGIN" : "BEGIN IMMEDIATE");
      return;
    }
    if (below(3) == 0)
      return end_transaction(below(3) != 0);
    if (!savepoint_) {
      savepoint_ = exec("SAVEPOINT s");
      at_savepoint_ = pending_;
      changes_at_savepoint_ = total_changes();
      return;
    }
    auto changed = total_changes() > changes_at_savepoint_;
    if (below(2) == 0) {
      if (exec("RELEASE s") && changed)
        count(kind::savepoint_release);
      savepoint_ = false;
      return;
    }
    if (!exec("ROLLBACK TO s"))
      return;
    pending_ = at_savepoint_;
    if (changed)
      count(kind::savepoint_rollback);
    changes_at_savepoint_ = total_changes();
  }

  bool foreign_keys_ = true;
  bool parent_ = false;   // of the children: w, else t
  bool cascades_ = false; // else SET NULL
  bool keyed_ = false;    // the present step is about w, else about t
  std::string name_;      // of that table
  std::string failed_;    // what SQLite said
  counts done_;

private:
  struct close {
    void operator()(sqlite3* x) const { sqlite3_close_v2(x); }
  };
  // As busy_timeout, but without its long sleeps.
  static int wait_for_lock(void*, int waits) {
    constexpr auto wait_us = 100;
    constexpr auto waits_max = 200'000; // 20 s
    ::usleep(wait_us);
    return waits < waits_max ? 1 : 0;
  }

  std::unique_ptr<sqlite3, close> db_;
  std::mt19937_64 random_;
  counts pending_;
  counts at_savepoint_;
  bool savepoint_ = false;
  std::int64_t changes_before_ = 0;
  std::int64_t changes_at_savepoint_ = 0;
};

} // namespace sluice::histories_test
