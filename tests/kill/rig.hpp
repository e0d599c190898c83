#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "examples/plain_sqlite.hpp"
#include "tests/support/temporary_directory.hpp"

/// What the kill tests share: processes, and an application's database with a
/// replica of it. Databases are looked at without any code of sluice.
namespace sluice::kill_test {

using namespace std::chrono_literals;
using plain_sqlite::database;
using plain_sqlite::statement;
using sluice::test::temporary_directory;
using clock = std::chrono::steady_clock;

/// Polls until `holds`. @returns Whether it did before the deadline.
inline bool comes_true(std::chrono::milliseconds deadline,
                       const std::function<bool()>& holds) {
  auto end = clock::now() + deadline;
  while (!holds()) {
    if (clock::now() > end)
      return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// A program beside the test's, killed at the latest when the object goes.
class process {
public:
  static constexpr auto running = 1'000'000;

  process(const std::string& name, std::vector<std::string> arguments,
          const std::string& log) {
    auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    arguments.insert(arguments.begin(), (path / name).string());
    auto raw = std::vector<char*>{};
    for (auto& x : arguments)
      raw.push_back(x.data());
    raw.push_back(nullptr);
    // The program lets it through once it has a handler: one that comes
    // before that waits, and does not kill.
    auto term = sigset_t{};
    auto before = sigset_t{};
    ::sigemptyset(&term);
    ::sigaddset(&term, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &term, &before);
    pid_ = ::fork();
    if (pid_ != 0)
      ::sigprocmask(SIG_SETMASK, &before, nullptr);
    REQUIRE(pid_ >= 0);
    if (pid_ > 0)
      return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // The test may be stopped by ctest.
    auto out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execv(raw[0], raw.data());
    ::_exit(127);
  }
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process() {
    signal(SIGKILL);
    wait();
  }

  [[nodiscard]] pid_t id() const { return pid_; }
  void signal(int number) {
    if (pid_ > 0)
      ::kill(pid_, number);
  }
  /// @returns Exit status, or the negative number of the signal.
  int wait() {
    if (pid_ > 0)
      ::waitpid(std::exchange(pid_, -1), &how_, 0);
    return status();
  }
  /// As `wait`, or `running` after the deadline.
  int wait_for(std::chrono::milliseconds deadline) {
    comes_true(deadline, [&] { return ended(); });
    return pid_ > 0 ? running : status();
  }
  bool ended() {
    if (pid_ > 0 && ::waitpid(pid_, &how_, WNOHANG) == pid_)
      pid_ = -1;
    return pid_ < 0;
  }

private:
  [[nodiscard]] int status() const {
    return WIFSIGNALED(how_) ? -WTERMSIG(how_) : WEXITSTATUS(how_);
  }
  pid_t pid_ = -1;
  int how_ = 0;
};

/// SLUICE_SEED, or a new one each time.
inline std::uint64_t choose_seed() {
  const auto* given = std::getenv("SLUICE_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10)
                          : std::random_device{}();
}

/// Opens a database that others use, also after a kill.
inline database look_into(const std::string& path) {
  auto result = database{path, SQLITE_OPEN_READWRITE};
  // The next process is to find what the killed one left: its whole WAL.
  sqlite3_db_config(result.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return result;
}

inline std::int64_t integer(const std::string& path, const std::string& sql) {
  auto db = look_into(path);
  auto query = statement{db.get(), sql};
  return query.step() ? query.integer(0) : 0;
}

/// All rows of a query, values as SQLite writes them in SQL, with their types.
inline std::vector<std::string> rows_of(const std::string& path,
                                        const std::string& table,
                                        const std::string& order) {
  auto db = look_into(path);
  auto query = statement{db.get(),
                         "SELECT * FROM " + table + " ORDER BY " + order};
  auto shown = statement{db.get(), "SELECT typeof(?1) || ' ' || quote(?1)"};
  auto result = std::vector<std::string>{};
  while (query.step()) {
    auto& row = result.emplace_back();
    for (auto i = 0; i < query.columns(); ++i) {
      shown.bind_column(1, query, i);
      shown.step();
      row += std::string{shown.bytes(0)} + '|';
      shown.reset();
    }
  }
  return result;
}

/// A table of the application, and how the key of a row is written.
struct kept_table {
  std::string name;
  std::string columns;
  std::string order;
  std::vector<std::string> key; ///< Columns, an expression for each.
};

inline const std::vector<kept_table>& kept_tables() {
  static const auto result = std::vector<kept_table>{
    {"accounts",
     "(id INTEGER PRIMARY KEY, email TEXT UNIQUE, balance REAL, note)",
     "id",
     {"quote($id)"}},
    {"entries",
     "(account INTEGER NOT NULL, number INTEGER NOT NULL, text, "
     "PRIMARY KEY (account, number))",
     "account, number",
     {"$account", "$number"}},
    {"tags",
     "(name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID",
     "name",
     {"quote($name)"}},
  };
  return result;
}

/// The key of a row, e.g. of NEW, as the witness has it.
inline std::string key_of(const kept_table& table, const std::string& row) {
  auto result = std::string{};
  for (const auto& part : table.key) {
    auto x = part;
    x.replace(x.find('$'), 1, row + '.');
    result += (result.empty() ? "" : " || ',' || ") + x;
  }
  return result;
}

/// Triggers that note each change of a table: i and d under its key, u under
/// the old key, and m under the new one if the key changes.
inline std::string witness_sql(const kept_table& table) {
  auto note = [&](const char* op, const char* row) {
    return fmt::format(
      "INSERT INTO witness(tbl, key, op) SELECT '{}', {}, '{}'", table.name,
      key_of(table, row), op);
  };
  auto trigger = [&](const char* suffix, const char* event,
                     const std::string& body) {
    return fmt::format("CREATE TRIGGER w_{0}_{1} AFTER {2} ON {0} BEGIN {3}; "
                       "END;",
                       table.name, suffix, event, body);
  };
  return trigger("i", "INSERT", note("i", "NEW"))
         + trigger("d", "DELETE", note("d", "OLD"))
         + trigger("u", "UPDATE",
                   note("u", "OLD") + "; " + note("m", "NEW") + " WHERE "
                     + key_of(table, "NEW") + " <> " + key_of(table, "OLD"));
}

constexpr auto witness_table =
  "CREATE TABLE witness(n INTEGER PRIMARY KEY, tbl, key, op);";

/// What was done to each row, in order: "accounts 17" -> "iuud".
inline std::map<std::string, std::string>
histories_of(const std::string& path) {
  auto db = look_into(path);
  auto query = statement{
    db.get(), "SELECT tbl || ' ' || key, op FROM witness ORDER BY n"};
  auto result = std::map<std::string, std::string>{};
  while (query.step())
    result[std::string{query.bytes(0)}] += query.bytes(1);
  return result;
}

/// An application's database, its replica, and who writes them.
class rig {
public:
  explicit rig(std::uint64_t number) : seed{number}, random{number} {
    // nop
  }

  // -- databases --------------------------------------------------------------

  /// Three empty tables with a witness on either side. The replica's tables
  /// are made by the sink.
  void make_databases() {
    {
      auto db = database{source, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE};
      db.exec("PRAGMA journal_mode = WAL");
      db.exec(witness_table);
      for (const auto& x : kept_tables())
        db.exec("CREATE TABLE " + x.name + x.columns + ";" + witness_sql(x));
    }
    tables = "accounts,entries,tags";
    finish();
    auto db = look_into(replica);
    db.exec(witness_table);
    for (const auto& x : kept_tables())
      db.exec(witness_sql(x));
  }

  /// The highest change that the replica has.
  [[nodiscard]] std::int64_t position() const {
    return integer(replica, "SELECT max(commit_ts) FROM sluice_sink_position");
  }

  void check_contents() const {
    for (const auto& x : kept_tables()) {
      CAPTURE(x.name);
      check_same(rows_of(source, x.name, x.order),
                 rows_of(replica, x.name, x.order));
    }
  }
  /// Each change was applied once, in the order of its row.
  void check_changes() const {
    auto made = histories_of(source);
    auto applied = histories_of(replica);
    auto changes = std::size_t{0};
    for (const auto& [key, history] : made)
      changes += history.size();
    auto wrong = 0;
    for (const auto& [key, history] : made)
      if (applied[key] != history && ++wrong <= 5)
        FAIL_CHECK(key, ": ", history.size(), " changes ", history,
                   "\n applied ", applied[key].size(), ": ", applied[key]);
    CHECK(wrong == 0);
    CHECK(applied.size() == made.size());
    CHECK(changes > 1'000);
    MESSAGE(changes, " changes of ", made.size(), " keys");
  }
  template <class T>
  static void check_same(const T& wanted, const T& got) {
    CHECK(wanted.size() == got.size());
    auto both = std::min(wanted.size(), got.size());
    auto [x, y] = std::mismatch(
      wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(both),
      got.begin());
    if (wanted != got)
      FAIL_CHECK("first difference at row ", x - wanted.begin(), ": ",
                 x == wanted.end() ? "none" : *x, " became ",
                 y == got.end() ? "none" : *y);
  }

  // -- processes --------------------------------------------------------------

  void start_application(double changes_per_second) {
    application = std::make_unique<process>(
      "kill_application",
      std::vector{source, std::to_string(random()),
                  std::to_string(changes_per_second)},
      log);
  }
  void stop_application() {
    application->signal(SIGTERM);
    REQUIRE_MESSAGE(application->wait_for(20s) == 0, logged());
  }

  void start(std::vector<std::string> more = {}) {
    auto arguments = std::vector{source, replica, state};
    if (!tables.empty())
      arguments.insert(arguments.end(), {"--tables", tables});
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    replicator = std::make_unique<process>("kill_replicator", arguments, log);
  }
  /// It must be running: it never ends by itself.
  void kill() {
    replicator->signal(SIGKILL);
    REQUIRE_MESSAGE(replicator->wait() == -SIGKILL, logged());
  }
  void terminate() {
    replicator->signal(SIGTERM);
    REQUIRE_MESSAGE(replicator->wait_for(20s) == 0, logged());
  }
  /// Runs until the replica has everything.
  void finish() {
    start({"--once"});
    REQUIRE_MESSAGE(replicator->wait_for(100s) == 0, logged());
  }
  /// Until the replica has got further than `before`.
  void wait_for_progress(std::int64_t before) {
    auto further = [&] { return position() > before || replicator->ended(); };
    REQUIRE_MESSAGE(comes_true(100s, further), logged());
    REQUIRE_MESSAGE(!replicator->ended(), logged());
  }

  std::chrono::milliseconds between(int low, int high) {
    auto span = static_cast<std::uint64_t>(high - low + 1);
    return std::chrono::milliseconds{low + static_cast<int>(random() % span)};
  }
  /// What the processes said.
  [[nodiscard]] std::string logged() const {
    auto in = std::ifstream{log};
    auto out = std::ostringstream{};
    out << "seed " << seed << '\n' << in.rdbuf();
    return out.str();
  }

  std::uint64_t seed;
  std::mt19937_64 random;
  temporary_directory directory;
  std::string source = directory.file("app.db");
  std::string replica = directory.file("replica.db");
  std::string state = directory.file("state");
  std::string log = directory.file("log.txt");
  std::string tables;                ///< To capture; empty: all.
  std::vector<std::string> settings; ///< Of the replicator.
  std::unique_ptr<process> application;
  std::unique_ptr<process> replicator;
};

} // namespace sluice::kill_test
