// Random histories: two other processes write a database while it is captured;
// whenever they pause, the replica has to be equal to it.
//
//   SLUICE_HISTORIES=10000   how many, or more until each kind has come up
//   SLUICE_SEED=7            of the first; the others count on from it
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sqlite3.h>

#include "tests/histories/replication.hpp"
#include "tests/histories/writers.hpp"
#include "tests/support/environment.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace sluice;
using namespace sluice::histories_test;
using sluice::test::number_of;

namespace {

constexpr std::uint64_t histories_default = 100;
constexpr std::uint64_t histories_most = 2'000; // until each kind has come up
constexpr auto rounds = 3;
constexpr auto steps = 9; // of each process in a round

/// What happens beside the statements.
struct events {
  std::uint64_t trigger_before = 0;
  std::uint64_t trigger_behind = 0;
  std::uint64_t restarts = 0;
  std::uint64_t repeats = 0;
  std::uint64_t prunes = 0;
  std::uint64_t restored = 0;
  std::uint64_t refused = 0;
  std::uint64_t copies = 0;
  std::uint64_t rows = 0;
  std::uint64_t compared = 0;

  [[nodiscard]] std::map<std::string, std::uint64_t> named() const {
    return {{"fired: a trigger made before ours", trigger_before},
            {"fired: a trigger made behind ours", trigger_behind},
            {"restart of source and sink", restarts},
            {"restart below what the sink has", repeats},
            {"pruning", prunes},
            {"restored backup", restored},
            {"restored backup, refused in one line", refused},
            {"copy of a table", copies},
            {"rows given", rows},
            {"comparison of all tables", compared}};
  }
};

/// The processes, the place for the files, and what was counted.
struct stage {
  test::temporary_directory directory;
  std::array<writer, 2> writers;
  tally statements;
  events others;
};

void remove_database(const std::string& path) {
  for (const auto* end : {"", "-wal", "-shm"})
    std::filesystem::remove(path + end);
}

class history {
public:
  history(std::uint64_t seed, stage& x)
    : seed_{seed}, random_{seed}, on_{x}, app_{x.directory.file("app.db")},
      replica_{x.directory.file("replica.db")}, uut_{app_, replica_} {
    for (const auto& path : {app_, replica_, backup()})
      remove_database(path);
    make_schema();
  }

  void run() {
    check(uut_.open({}));
    connect();
    for (auto i = 0; i < rounds; ++i) {
      if (i > 0 && one_in(3))
        restart();
      auto lose = i == rounds - 1 && std::filesystem::exists(backup());
      if (lose)
        restore();
      else
        round(true);
      compare();
      if (i == rounds - 2 && one_in(5))
        make_backup();
    }
    order("close");
    wait(false);
    count_triggers();
    on_.others.copies += uut_.copies();
    on_.others.rows += uut_.rows();
  }

private:
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  [[nodiscard]] std::string backup() const { return app_ + ".backup"; }

  void check(const status& x) const {
    REQUIRE_MESSAGE(x.has_value(), to_string(x.error()));
  }

  // -- the application --------------------------------------------------------

  void make_schema() {
    auto parent = std::string{below(2) == 0 ? "t" : "w"};
    auto cascades = below(2) == 0;
    auto action = std::string{cascades ? "CASCADE" : "SET NULL"};
    auto sql = std::string{"PRAGMA journal_mode = WAL;"
                           "PRAGMA synchronous = OFF; BEGIN;"};
    sql += std::string{"CREATE TABLE t"}
           + rowid_shapes[below(rowid_shapes.size())] + ";CREATE TABLE w"
           + keyed_shapes[below(keyed_shapes.size())]
           + ";CREATE TABLE a(id INTEGER PRIMARY KEY, what, n);"
             "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES "
           + parent + "(k) ON DELETE " + action + " ON UPDATE " + action
           + ", n);";
    for (const auto* table : {"t", "w"})
      sql += std::string{"CREATE TRIGGER before_"} + table + " AFTER "
             + (below(2) == 0 ? "INSERT" : "UPDATE") + " ON " + table
             + " BEGIN INSERT INTO a(what, n) VALUES ('before', NEW.v); END;"
               "INSERT INTO "
             + table + "(k, u, v) VALUES (1, 1, 1), (2, 2, 2), (3, 3, 'a');";
    auto db = look_into(app_);
    check(db->exec(sql + "COMMIT"));
  }
  void order(const std::string& what) {
    for (auto& x : on_.writers)
      x.order(what);
  }
  void connect() {
    auto number = std::uint64_t{0};
    for (auto& x : on_.writers)
      x.order("open " + app_ + ' ' + std::to_string(seed_ * 2 + number++));
    wait(false);
  }
  /// Until the processes are done; pulls meanwhile.
  void wait(bool pulling) {
    for (auto busy = true; busy;) {
      auto wait_ms = pulling && advance() ? 0 : 1;
      busy = false;
      for (auto& x : on_.writers)
        if (x.busy(on_.statements, busy ? 0 : wait_ms))
          busy = true;
    }
  }
  void round(bool pulling) {
    order("run " + std::to_string(steps));
    wait(pulling);
  }

  // -- the replication --------------------------------------------------------

  /// @returns Whether there is more to do at once.
  bool advance() {
    auto more = uut_.pull(one_in(3) ? 200 : 100'000);
    if (!more)
      FAIL(to_string(more.error()));
    if (one_in(3))
      check(uut_.commit());
    if (one_in(6)) {
      check(uut_.confirm());
      ++on_.others.prunes;
    }
    return *more;
  }
  /// What was written and not committed is lost.
  void restart() {
    if (one_in(2))
      check(uut_.commit());
    auto from = one_in(2) ? uut_.durable() : uut_.confirmed();
    if (from < uut_.durable())
      ++on_.others.repeats;
    ++on_.others.restarts;
    check(uut_.open(from));
  }
  void compare() {
    check(uut_.drain(one_in(2) ? 300 : 100'000));
    ++on_.others.compared;
    auto found = difference(app_, replica_);
    if (!found.empty())
      FAIL(found);
  }

  // -- a restored backup ------------------------------------------------------

  void make_backup() {
    auto from = look_into(app_);
    auto to = look_into(backup());
    auto* copy = sqlite3_backup_init(to->handle(), "main", from->handle(),
                                     "main");
    REQUIRE(copy != nullptr);
    sqlite3_backup_step(copy, -1);
    REQUIRE(sqlite3_backup_finish(copy) == SQLITE_OK);
  }
  /// The application goes on with an older file, and gives out the same
  /// positions again before the source is back.
  void restore() {
    order("run 4");
    wait(true);
    check(uut_.drain());
    auto from = uut_.durable();
    order("close");
    wait(false);
    uut_.close();
    remove_database(app_);
    std::filesystem::copy_file(backup(), app_);
    connect();
    round(false);
    ++on_.others.restored;
    auto opened = uut_.open(from);
    if (!opened) {
      CHECK(opened.error().code == errc::source_rolled_back);
      CHECK(to_string(opened.error()).find('\n') == std::string::npos);
      ++on_.others.refused;
      uut_.from.copy_again = true;
      check(uut_.open(from));
      uut_.from.copy_again = false;
    }
    round(true);
  }

  void count_triggers() {
    auto db = look_into(app_);
    auto fired = [&](const char* what) {
      auto n = db->query_integer(
        std::string{"SELECT count(*) FROM a WHERE what = '"} + what + "'");
      return static_cast<std::uint64_t>(n.value_or(0));
    };
    on_.others.trigger_before += fired("before");
    on_.others.trigger_behind += fired("behind");
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
  stage& on_;
  std::string app_;
  std::string replica_;
  replication uut_;
};

/// The kinds that have not come up. The two processes race, so that no seed
/// promises a rare one.
std::vector<std::string> missing(const stage& on) {
  auto result = std::vector<std::string>{};
  for (std::size_t i = 0; i < kinds; ++i)
    if (on.statements.total(i) == 0)
      result.emplace_back(kind_names[i]);
  for (const auto& [name, count] : on.others.named())
    if (count == 0)
      result.push_back(name);
  return result;
}

void print(const stage& on) {
  fmt::print("{:<46} {:>9} {:>9}\n", "statements with effect", "rowid",
             "without");
  for (std::size_t i = 0; i < kinds; ++i)
    fmt::print("{:<46} {:>9} {:>9}\n", kind_names[i], on.statements.of[i][0],
               on.statements.of[i][1]);
  for (const auto& x : on.others.named())
    fmt::print("{:<46} {:>9}\n", x.first, x.second);
  fmt::print("{:<46} {:>9}\n", "steps", on.statements.steps);
}

} // namespace

TEST_CASE("Random histories of two processes leave no difference") {
  auto count = number_of("SLUICE_HISTORIES", histories_default);
  auto first = number_of("SLUICE_SEED", std::random_device{}());
  auto on = stage{};
  auto began = std::chrono::steady_clock::now();
  fmt::print("SLUICE_SEED={} SLUICE_HISTORIES={}\n", first, count);
  // One that is run again need not have everything.
  auto most = count < histories_default ? count
                                        : std::max(count, histories_most);
  auto ran = std::uint64_t{0};
  for (; ran < count || (ran < most && !missing(on).empty()); ++ran) {
    INFO("SLUICE_SEED=" << first + ran << " SLUICE_HISTORIES=1");
    history{first + ran, on}.run();
  }
  auto took = std::chrono::duration<double>(std::chrono::steady_clock::now()
                                            - began);
  print(on);
  fmt::print("{} histories in {:.1f} s, no difference\n", ran, took.count());
  if (count >= histories_default)
    for (const auto& name : missing(on))
      FAIL_CHECK(name);
}
