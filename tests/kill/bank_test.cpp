// A bank moves money between tables, and their sum never changes. Whoever
// reads the replica sees that sum, or money has come without having gone.

#include <optional>
#include <set>

#include "tests/kill/rig.hpp"

using namespace sluice::kill_test;

namespace {

constexpr auto table_count = 3;
constexpr auto account_count = 500; // per table
constexpr auto opening_balance = 1'000;
constexpr std::int64_t invariant = std::int64_t{table_count} * account_count
                                   * opening_balance;

std::string table_name(int i) {
  return "accounts_" + std::to_string(i);
}

struct total {
  std::int64_t sum = 0;
  std::int64_t rows = 0;
  std::int64_t position = 0;
};

std::string total_sql() {
  auto all = std::string{};
  for (auto i = 1; i <= table_count; ++i)
    all += (i > 1 ? " UNION ALL " : "")
           + ("SELECT balance FROM " + table_name(i));
  return "SELECT total(balance), count(*), (SELECT max(commit_ts) FROM "
         "sluice_sink_position) FROM ("
         + all + ")";
}

/// Reads all tables in one read transaction, like any other user of the file.
class reader {
public:
  explicit reader(const std::string& path) : db_{look_into(path)} {
    // nop
  }
  /// @returns Nothing while there are no tables.
  std::optional<total> read() {
    db_.exec("BEGIN");
    auto result = read_in_transaction();
    db_.exec("COMMIT");
    return result;
  }

private:
  std::optional<total> read_in_transaction() {
    auto tables = statement{db_.get(), "SELECT count(*) FROM sqlite_schema "
                                       "WHERE name LIKE 'accounts\\_%' "
                                       "ESCAPE '\\' AND type = 'table'"};
    tables.step();
    auto there = tables.integer(0);
    if (there == 0)
      return {};
    if (there < table_count) // Their sum would be a syntax error.
      return total{0, there, 0};
    auto query = statement{db_.get(), total_sql()};
    query.step();
    return total{query.integer(0), query.integer(1), query.integer(2)};
  }

  database db_;
};

struct bank {
  explicit bank(rig& x) : uut{x} {
    auto db = database{uut.source, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE};
    db.exec("PRAGMA journal_mode = WAL; BEGIN");
    for (auto i = 1; i <= table_count; ++i) {
      auto name = table_name(i);
      db.exec(fmt::format("CREATE TABLE {} (id INTEGER PRIMARY KEY, balance);"
                          "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT "
                          "x + 1 FROM n WHERE x < {}) "
                          "INSERT INTO {} SELECT x, {} FROM n",
                          name, account_count, name, opening_balance));
      uut.tables += (i > 1 ? "," : "") + name;
    }
    db.exec("COMMIT");
  }

  void open(int changes_per_second) {
    uut.application = std::make_unique<process>(
      "bank_application",
      std::vector{uut.source, std::to_string(uut.random()),
                  std::to_string(table_count), std::to_string(account_count),
                  std::to_string(changes_per_second)},
      uut.log);
  }

  /// Somebody else holds the replica's write lock while the bank goes on. The
  /// credit ends meanwhile, and seldom between two transactions.
  void hold_up(std::int64_t changes) const {
    auto made = [&] {
      return integer(uut.source, "SELECT max(seq) FROM sluice_log");
    };
    auto lock = look_into(uut.replica);
    lock.exec("BEGIN IMMEDIATE");
    auto goal = made() + changes;
    REQUIRE_MESSAGE(comes_true(60s, [&] { return made() > goal; }),
                    uut.logged());
    lock.exec("ROLLBACK");
  }

  /// Reads until `holds`; it must before a deadline. @returns Whether all
  /// totals were right, up to the first that was not.
  template <class Predicate>
  bool read_until(Predicate holds) {
    auto file = uut.replica;
    auto made = [&] {
      return std::filesystem::exists(file) || uut.replicator->ended();
    };
    REQUIRE_MESSAGE(comes_true(60s, made), uut.logged());
    // The next process is to recover what a killed one left: a new one each
    // time, so that nobody has the file open meanwhile.
    auto from = reader{file};
    auto done = [&] {
      note(from.read());
      return wrong || uut.replicator->ended() || holds();
    };
    REQUIRE_MESSAGE(comes_true(100s, done), uut.logged());
    REQUIRE_MESSAGE(!uut.replicator->ended(), "status ", uut.replicator->wait(),
                    ", ", uut.logged());
    REQUIRE_MESSAGE(!uut.application->ended(), uut.logged());
    return !wrong;
  }

  void note(const std::optional<total>& x) {
    if (!x) {
      ++empty;
      if (right > 0)
        wrong = total{}; // It was there before.
      return;
    }
    if (x->sum != invariant || x->rows != table_count * account_count) {
      wrong = *x;
      return;
    }
    ++right;
    positions.insert(x->position);
  }

  void check_equal() const {
    for (auto i = 1; i <= table_count; ++i) {
      CAPTURE(i);
      rig::check_same(rows_of(uut.source, table_name(i), "id"),
                      rows_of(uut.replica, table_name(i), "id"));
    }
    CHECK(integer(uut.replica, total_sql()) == invariant);
  }
  [[nodiscard]] std::string seen() const {
    auto result = fmt::format("{} reads with the sum at {} positions, {} of "
                              "no table",
                              right, positions.size(), empty);
    if (wrong)
      result += fmt::format("; then {} in {} rows at {} instead of {} in {}",
                            wrong->sum, wrong->rows, wrong->position, invariant,
                            table_count * account_count);
    return result;
  }

  rig& uut;
  int right = 0; ///< Reads with the sum.
  int empty = 0; ///< Reads that found no table.
  std::optional<total> wrong;
  std::set<std::int64_t> positions;
};

} // namespace

TEST_CASE("Who reads the replica sees the sum of a transaction's end") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  SUBCASE("with the default credit") {
    // nop
  }
  SUBCASE("with less credit than a transaction takes") {
    uut.settings = {"--credit-bytes", "4096"};
  }
  auto began = clock::now();
  auto model = bank{uut};
  model.open(5'000);
  auto kills = 0;
  for (;; ++kills) {
    uut.start();
    auto none = model.positions.size();
    auto some = [&] { return model.positions.size() > none; };
    REQUIRE_MESSAGE(model.read_until(some), model.seen());
    model.hold_up(2'000);
    auto last = kills == 5;
    auto reads = last ? 1'200 : model.right + 200;
    auto positions = model.positions.size() + 20 + uut.random() % 20;
    auto enough = [&] {
      return model.right >= reads && model.positions.size() >= positions;
    };
    REQUIRE_MESSAGE(model.read_until(enough), model.seen());
    if (last)
      break;
    uut.kill();
    // What a kill left is right, too, before anybody mends it.
    model.note(reader{uut.replica}.read());
  }
  uut.terminate();
  uut.stop_application();
  uut.finish();
  model.check_equal();
  CHECK(kills == 5);
  CHECK(model.right >= 1'000);
  CHECK(model.positions.size() >= 100);
  MESSAGE("seed ", uut.seed, ": ", kills, " kills, ", model.seen(), ", ",
          (clock::now() - began) / 1ms, " ms");
}

// Shows that the test above looks where something could be seen.
TEST_CASE("Who reads the replica sees other sums in the order of tables") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  uut.settings = {"--order", "table", "--credit-bytes", "4096"};
  auto model = bank{uut};
  uut.finish();
  auto copied = uut.position();
  // Work that is waiting comes to each table at another pace.
  model.open(20'000);
  auto written = [&] {
    return integer(uut.source, "SELECT max(seq) FROM sluice_log")
           > copied + 10'000;
  };
  REQUIRE(comes_true(60s, written));
  uut.start();
  CHECK_MESSAGE(!model.read_until([] { return false; }), model.seen());
  MESSAGE("seed ", uut.seed, ": ", model.seen());
  uut.terminate();
  uut.stop_application();
  uut.finish();
  model.check_equal();
}
