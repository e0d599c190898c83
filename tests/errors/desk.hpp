#pragma once

#include <functional>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "examples/plain_sqlite.hpp"
#include "program.hpp"
#include "tests/support/checkout.hpp"
#include "tests/support/temporary_directory.hpp"

/// A user's desk: an application's database, its replica, the directory of
/// state, and sqlite_to_sqlite. Databases are looked at without sluice.
namespace sluice::error_test {

namespace fs = std::filesystem;
using plain_sqlite::database;
using plain_sqlite::statement;
using strings = std::vector<std::string>;

/// How a program is started; the paths are as a user types them.
struct command {
  std::string source = "app.db";
  std::string replica = "replica.db";
  std::string state = "state";
  strings more = {};
  bool once = true;
  user who = user::same;
};

class desk {
public:
  /// app.db in WAL mode, with a table of three rows.
  desk() {
    fs::create_directory(top);
    fs::permissions(directory_.path(), fs::perms::all);
    fs::permissions(top, fs::perms::all);
    make_database("app.db");
  }

  void make_database(const std::string& name) {
    sql(name, "PRAGMA journal_mode = WAL;"
              "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, price);"
              "INSERT INTO items VALUES (1, 'pear', 1.5), (2, 'fig', 2),"
              " (3, NULL, x'00ff')");
  }
  [[nodiscard]] std::string at(const std::string& name) const {
    return (fs::path{top} / name).string();
  }
  /// As the application does: opens, runs, closes.
  void sql(const std::string& name, const std::string& text) const {
    database{at(name), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE}.exec(text);
  }
  /// Three more changes of the application's.
  void app_goes_on(const std::string& name = "app.db") {
    auto n = next_;
    next_ += 2;
    sql(name, fmt::format("INSERT INTO items VALUES ({0}, 'n{0}', {0});"
                          "INSERT INTO items VALUES ({1}, 'n{1}', {1});"
                          "UPDATE items SET price = {1} WHERE id = {0}",
                          n, n + 1));
  }
  void remove(const std::string& name) const {
    for (const auto* end : {"", "-wal", "-shm"})
      fs::remove_all(at(name + end));
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream{at(name)} << text;
  }

  // -- running ----------------------------------------------------------------

  [[nodiscard]] std::unique_ptr<program> start(const command& x) const {
    auto arguments = strings{x.source, x.replica, "--state", x.state};
    if (x.once)
      arguments.insert(arguments.end(), {"--once", "--patience", "0.3"});
    arguments.insert(arguments.end(), x.more.begin(), x.more.end());
    return std::make_unique<program>("sqlite_to_sqlite", arguments, top, x.who);
  }
  /// It ends with status 2 and says in one line of stderr, which the manual
  /// has: its code, what is in `detail`, and the remedy.
  void fails(const command& x, const std::string& code,
             const std::string& detail, const std::string& remedy) const {
    says(*start(x), code, detail, remedy);
  }
  static void says(program& run, const std::string& code,
                   const std::string& detail, const std::string& remedy) {
    auto status = run.wait();
    auto line = run.err();
    CAPTURE(line);
    CAPTURE(run.out());
    REQUIRE(status == 2);
    auto is_one_line = std::count(line.begin(), line.end(), '\n') == 1
                       && line.back() == '\n';
    CHECK(is_one_line);
    line.pop_back();
    auto front = "sqlite_to_sqlite: " + code + ": ";
    CHECK(line.substr(0, front.size()) == front);
    CHECK(line.find(detail) != std::string::npos);
    CHECK(line.substr(line.size() - std::min(line.size(), remedy.size() + 2))
          == ". " + remedy);
    CHECK_MESSAGE(manual_has(line.substr(18)), "not in docs/errors.md");
  }
  /// A run after the remedy: status 0, nothing on stderr, and the replica has
  /// what the source has.
  void verifies(const command& x = {}, const strings& without = {}) const {
    auto run = start(x);
    auto status = run->wait();
    REQUIRE_MESSAGE(status == 0, run->err() << run->out());
    CHECK(run->err().empty());
    auto tables = captured_tables(at(x.source), without);
    REQUIRE(!tables.empty());
    for (const auto& table : tables) {
      CAPTURE(table);
      CHECK(rows(at(x.source), table) == rows(at(x.replica), table));
    }
  }
  /// Until `holds`; a program that ends meanwhile is shown.
  static void wait_until(program& run, const std::function<bool()>& holds) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds{40};
    while (!holds()) {
      REQUIRE_MESSAGE(run.wait(std::chrono::seconds{0})
                        == program::still_running,
                      run.err() << run.out());
      REQUIRE_MESSAGE(std::chrono::steady_clock::now() < end, run.out());
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  }

  // -- looking ----------------------------------------------------------------

  /// Each row with its values as SQLite writes them in SQL.
  static std::multiset<std::string> rows(const std::string& path,
                                         const std::string& table) {
    auto db = database{path, SQLITE_OPEN_READWRITE};
    auto query = statement{db.get(), "SELECT * FROM " + table};
    auto shown = statement{db.get(), "SELECT typeof(?1) || ' ' || quote(?1)"};
    auto result = std::multiset<std::string>{};
    while (query.step()) {
      auto row = std::string{};
      for (auto i = 0; i < query.columns(); ++i) {
        shown.bind_column(1, query, i);
        shown.step();
        row += std::string{shown.bytes(0)} + '|';
        shown.reset();
      }
      result.insert(std::move(row));
    }
    return result;
  }
  [[nodiscard]] std::size_t replicated(const std::string& name = "replica.db",
                                       const char* table = "items") const {
    try {
      return rows(at(name), table).size();
    } catch (const plain_sqlite::failure&) {
      return 0; // Not there yet.
    }
  }
  /// Names and contents of all files in a directory.
  [[nodiscard]] std::set<std::string> contents(const std::string& name) const {
    auto result = std::set<std::string>{};
    for (const auto& x : fs::recursive_directory_iterator{at(name)})
      result.insert(x.path().string() + '\n'
                    + (x.is_regular_file() ? text_of(x.path().string()) : ""));
    return result;
  }

private:
  static strings captured_tables(const std::string& path,
                                 const strings& without) {
    auto db = database{path, SQLITE_OPEN_READWRITE};
    auto query = statement{db.get(),
                           "SELECT name FROM sqlite_schema"
                           " WHERE type = 'table'"
                           " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
                           " AND name NOT LIKE 'sluice\\_%' ESCAPE '\\'"};
    auto result = strings{};
    while (query.step()) {
      auto name = std::string{query.bytes(0)};
      if (std::find(without.begin(), without.end(), name) == without.end())
        result.push_back(std::move(name));
    }
    return result;
  }
  // The manual shows what is really printed, with <id> and <n> for what is
  // another one each time.
  static bool manual_has(const std::string& line) {
    static const auto manual = text_of(test::checkout_file("docs/errors.md"));
    static const auto id = std::regex{"[0-9a-f]{32}"};
    static const auto n = std::regex{"[0-9]{6,}"};
    auto shown = std::regex_replace(line, id, "<id>");
    shown = std::regex_replace(shown, n, "<n>");
    return manual.find('`' + shown + '`') != std::string::npos;
  }

  test::temporary_directory directory_;
  int next_ = 10;

public:
  std::string top = directory_.file("desk");
};

} // namespace sluice::error_test
