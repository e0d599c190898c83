// A kill inside the copy of a table while the application deletes rows of it.

#include "tests/kill/rig.hpp"

using namespace sluice::kill_test;

namespace {

constexpr auto rows = 100'000;

struct big_table {
  explicit big_table(rig& x)
    : uut{x}, app{uut.source, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE} {
    app.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    app.exec("CREATE TABLE big(id INTEGER PRIMARY KEY, a, b)");
    app.exec(fmt::format(
      "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE "
      "x < {}) INSERT INTO big SELECT x, randomblob(500), 'row ' || x FROM n",
      rows));
    uut.tables = "big";
  }

  void change(const std::string& sql) { app.exec(sql); }
  /// All over the table, so that some are copied already and some are not.
  void delete_some() {
    change(
      fmt::format("DELETE FROM big WHERE id % 97 = {}", uut.random() % 97));
  }
  /// The same, but so few that the copy is still going on afterwards.
  void delete_few() {
    for (auto i = 0; i < 10; ++i)
      change(fmt::format("DELETE FROM big WHERE id = {}", uut.random() % rows));
  }
  /// Rows of the replica that the application has deleted.
  [[nodiscard]] std::int64_t stale() const {
    auto db = look_into(uut.replica);
    db.exec("ATTACH '" + uut.source + "' AS app");
    auto query = statement{db.get(), "SELECT count(*) FROM main.big WHERE id "
                                     "NOT IN (SELECT id FROM app.big)"};
    return query.step() ? query.integer(0) : 0;
  }
  [[nodiscard]] std::int64_t replicated() const {
    return integer(uut.replica, "SELECT count(*) FROM big");
  }

  /// Killed while the source reads the copy.
  void kill_while_it_is_read() {
    auto known = uut.logged().size();
    uut.start();
    auto reads = [&] {
      return uut.logged().find("copying big", known) != std::string::npos
             || uut.replicator->ended();
    };
    REQUIRE_MESSAGE(comes_true(20s, reads), state());
    delete_few();
    uut.kill();
  }
  /// Killed while the sink applies the copy.
  void kill_while_it_is_applied() {
    uut.start();
    auto db = look_into(uut.replica);
    auto applies = [&] {
      auto there = statement{db.get(), "SELECT count(*) FROM sqlite_schema "
                                       "WHERE name = 'big'"};
      if (!there.step() || there.integer(0) == 0)
        return uut.replicator->ended();
      // Rows are copied by ascending id.
      auto last = statement{db.get(), "SELECT max(id) FROM big"};
      return (last.step() && last.integer(0) > 0
              && last.integer(0) < rows * 8 / 10)
             || uut.replicator->ended();
    };
    REQUIRE_MESSAGE(comes_true(20s, applies), state());
    delete_few();
    uut.kill();
    CHECK(integer(uut.replica, "SELECT max(id) FROM big") < rows);
  }
  /// Killed while the sink applies the copy, of which nothing shows.
  void kill_before_it_shows() {
    auto wal = uut.replica + "-wal";
    auto problem = std::error_code{};
    std::filesystem::remove(wal, problem);
    uut.start();
    auto applies = [&] {
      auto size = std::filesystem::file_size(wal, problem);
      return (!problem && size > 8'000'000) || uut.replicator->ended();
    };
    REQUIRE_MESSAGE(comes_true(20s, applies), state());
    delete_few();
    uut.kill();
  }
  [[nodiscard]] std::string state() const {
    return fmt::format("replica {} of {} rows, to {}\n{}", replicated(),
                       integer(uut.source, "SELECT count(*) FROM big"),
                       uut.position(), uut.logged());
  }
  void check_equal() const {
    rig::check_same(rows_of(uut.source, "big", "id"),
                    rows_of(uut.replica, "big", "id"));
  }

  rig& uut;
  database app;
};

} // namespace

TEST_CASE("Rows deleted while their table is copied do not stay after a kill") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  // In the order of transactions a copy shows only when it is complete.
  uut.settings = {"--order", "table"};
  auto big = big_table{uut};
  for (auto i = 0; i < 3; ++i) {
    big.kill_while_it_is_read();
    big.delete_some();
  }
  for (auto i = 0; i < 2; ++i) {
    big.kill_while_it_is_applied();
    big.delete_some();
    // The copy that was cut off has rows that are gone by now.
    CHECK(big.stale() > 0);
  }
  uut.finish();
  CHECK(big.stale() == 0);
  big.check_equal();
  CHECK(big.replicated() < rows * 96 / 100);
}

TEST_CASE("A copy that is cut off shows nothing in the order of transactions") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  auto big = big_table{uut};
  for (auto i = 0; i < 3; ++i) {
    big.kill_before_it_shows();
    big.delete_some();
    auto there = "SELECT count(*) FROM sqlite_schema WHERE name = 'big'";
    CHECK(integer(uut.replica, there) == 0);
  }
  uut.finish();
  big.check_equal();
}

TEST_CASE("Rows deleted unseen do not stay after a kill in the second copy") {
  auto uut = rig{choose_seed()};
  CAPTURE(uut.seed);
  uut.settings = {"--order", "table"};
  auto big = big_table{uut};
  uut.finish();
  big.check_equal();
  // Nobody records these: only a copy can tell that they are gone.
  auto trigger = integer(uut.source, "SELECT max(id) FROM sluice_captures");
  big.change(fmt::format("DROP TRIGGER sluice_{}_ad", trigger));
  big.change("DELETE FROM big WHERE id % 3 = 0");
  CHECK(big.stale() > 0);
  big.kill_while_it_is_read();
  big.delete_some();
  big.kill_while_it_is_read();
  big.delete_some();
  big.kill_while_it_is_applied();
  uut.finish();
  CHECK(big.stale() == 0);
  big.check_equal();
  CHECK(big.replicated() < rows * 2 / 3);
}
