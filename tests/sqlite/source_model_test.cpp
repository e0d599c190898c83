#include <array>
#include <cstdio>
#include <random>

#include "support_source.hpp"

using namespace sluice;
using namespace sluice::source_test;

namespace {

// Tables of all kinds, each with the columns k, u and v.
constexpr std::array shapes{
  "CREATE TABLE t(k INTEGER PRIMARY KEY, u UNIQUE, v)",
  "CREATE TABLE t(k INTEGER PRIMARY KEY AUTOINCREMENT, u INT, v TEXT,"
  " UNIQUE(u, v))",
  "CREATE TABLE t(k TEXT PRIMARY KEY COLLATE NOCASE NOT NULL, u REAL UNIQUE,"
  " v UNIQUE ON CONFLICT REPLACE)",
  "CREATE TABLE t(k, u, v UNIQUE, PRIMARY KEY(u, k)) WITHOUT ROWID",
  "CREATE TABLE t(k INT NOT NULL PRIMARY KEY, u, v);"
  "CREATE UNIQUE INDEX i ON t(lower(u)); CREATE UNIQUE INDEX j ON t(v)"
  " WHERE u IS NOT NULL",
  "CREATE TABLE t(k INTEGER PRIMARY KEY, u INTEGER REFERENCES t(k)"
  " ON DELETE SET NULL, v UNIQUE)",
  "CREATE TABLE t(k INTEGER PRIMARY KEY, u INTEGER UNIQUE REFERENCES t(k)"
  " ON DELETE CASCADE, v)",
  "CREATE TABLE t(k NOT NULL PRIMARY KEY, u, v, g AS (u || v), UNIQUE(u, v))",
  "CREATE TABLE t(k INTEGER PRIMARY KEY, u UNIQUE, v);"
  "CREATE TRIGGER a AFTER INSERT ON t WHEN NEW.v = 1 BEGIN"
  " UPDATE t SET v = v + 2 WHERE k = NEW.k; END;"
  "CREATE TRIGGER b AFTER DELETE ON t WHEN OLD.v = 2 BEGIN"
  " INSERT OR IGNORE INTO t VALUES (OLD.k + 10, OLD.u, 3); END;"
  "CREATE TRIGGER c BEFORE UPDATE ON t WHEN NEW.v = 3 BEGIN"
  " DELETE FROM t WHERE k = NEW.k + 1; END;"
  "CREATE TRIGGER d BEFORE INSERT ON t WHEN NEW.v = 0 BEGIN"
  " UPDATE OR IGNORE t SET u = NEW.u + 1 WHERE u = NEW.u; END"};

class history {
public:
  explicit history(std::uint32_t seed)
    : random_{seed}, shape_{seed % shapes.size()}, db_{shapes[shape_]},
      other_{db_.path} {
    for (auto* x : {db_.app.db.get(), other_.db.get()}) {
      REQUIRE(x->exec("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;"
                      "PRAGMA busy_timeout = 0; PRAGMA recursive_triggers = "
                      + std::to_string(below(2))));
    }
    if (below(2) == 0)
      step(db_.app); // Rows from before the first copy.
    finish();
    // There a statement can change the very row that it is about to update.
    db_.uut.copy.exact = shape_ != 5 && shape_ != 8;
    db_.uut.open();
  }

  void run(int statements) {
    for (int i = 0; i < statements; ++i) {
      step(below(3) == 0 ? other_ : db_.app);
      if (below(8) == 0)
        pull(below(2) == 0 ? 200 : 100'000);
      if (below(16) == 0 && !db_.app.db->in_transaction()
          && !other_.db->in_transaction())
        REQUIRE(db_.uut.source->confirm(db_.uut.last_end.commit_ts));
      if (below(25) == 0 && db_.uut.last_end.commit_ts) {
        finish();
        pull(4096);
        db_.uut.restart(db_.uut.last_end);
      }
    }
    finish();
    pull(4096);
    INFO("log ends at " << db_.app.integer("SELECT max(seq) FROM sluice_log")
                        << ", shape " << shape_ << ", resolved "
                        << db_.uut.resolved.value);
    db_.check_equal("t", "k, u, v");
  }

private:
  void pull(std::size_t bytes_max) {
    auto rows = db_.uut.pull(bytes_max).rows;
    if (std::getenv("SLUICE_TRACE") != nullptr)
      for (const auto& x : rows)
        std::printf("      %s\n", x.c_str());
  }

  // The set-up waits for the application's locks.
  void finish() {
    for (auto* x : {&db_.app, &other_})
      if (x->db->in_transaction())
        x->attempt(below(2) == 0 ? "COMMIT" : "ROLLBACK");
    for (auto* x : {&db_.app, &other_})
      if (x->db->in_transaction())
        x->attempt("ROLLBACK");
  }

  std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>(random_() % n);
  }

  std::string pick(std::initializer_list<const char*> from) {
    return *(from.begin() + below(static_cast<std::uint32_t>(from.size())));
  }
  std::string value() {
    return pick({"0", "1", "2", "3", "4", "5", "1", "2", "2.0", "'a'", "'A'",
                 "'b'", "'2'", "x'61'", "NULL", "2.5", "'a' || char(0)"});
  }
  std::string key() {
    return below(6) == 0 ? value() : pick({"1", "2", "3", "4", "5", "'a'"});
  }
  std::string row() {
    return '(' + key() + ", " + value() + ", " + value() + ')';
  }
  std::string conflict() {
    return pick({"", "", "OR REPLACE ", "OR REPLACE ", "OR IGNORE ", "OR FAIL ",
                 "OR ABORT ", "OR ROLLBACK "});
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
        return below(4) == 0 ? "" : " WHERE v = " + value();
    }
  }

  std::string insert() {
    auto rows = row();
    while (below(3) == 0)
      rows += ", " + row();
    if (below(3) != 0)
      return "INSERT " + conflict() + "INTO t(k, u, v) VALUES " + rows;
    return "INSERT INTO t(k, u, v) VALUES " + rows
           + pick({" ON CONFLICT DO NOTHING",
                   " ON CONFLICT DO UPDATE SET v = excluded.v",
                   " ON CONFLICT DO UPDATE SET u = excluded.u, v = 7",
                   " ON CONFLICT DO UPDATE SET k = excluded.k + 1"});
  }

  std::string update() {
    auto set = pick({"k", "u", "v"}) + std::string{" = "};
    set += below(4) == 0 ? pick({"k + 1", "u + 1", "v", "k - 1"}) : value();
    if (below(3) == 0)
      set += ", v = " + value();
    return "UPDATE " + conflict() + "t SET " + set + where();
  }

  std::string statement() {
    switch (below(12)) {
      case 0:
        return "BEGIN";
      case 1:
        return below(3) == 0 ? "ROLLBACK" : "COMMIT";
      case 2:
        return "DELETE FROM t" + where();
      case 3:
        if (shape_ != 3)
          return "INSERT " + conflict() + "INTO t(rowid, k, u, v) VALUES ("
                 + std::to_string(below(5)) + ", " + key() + ", " + value()
                 + ", " + value() + ')';
        return update();
      case 4:
        if (shape_ != 3 && below(2) == 0)
          return "UPDATE " + conflict()
                 + "t SET rowid = " + std::to_string(below(5)) + where();
        return "REPLACE INTO t(u, v) VALUES (" + value() + ", " + value() + ')';
      case 5:
      case 6:
      case 7:
        return update();
      default:
        return insert();
    }
  }

  void step(application& on) {
    auto sql = statement();
    auto done = on.attempt(sql);
    if (std::getenv("SLUICE_TRACE") != nullptr)
      std::printf("%s %d %s\n", &on == &other_ ? "b" : "a", done ? 1 : 0,
                  sql.c_str());
  }

  std::mt19937 random_;
  std::size_t shape_;
  database db_;
  application other_;
};

std::uint32_t first_seed() {
  if (const auto* given = std::getenv("SLUICE_SEED"))
    return static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
  return std::random_device{}();
}

std::uint32_t histories() {
  const auto* given = std::getenv("SLUICE_HISTORIES");
  return given == nullptr
           ? 300
           : static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
}

} // namespace

TEST_CASE("The rows of any history make the table again") {
  auto first = first_seed();
  for (std::uint32_t i = 0; i < histories(); ++i) {
    auto seed = first + i;
    INFO("SLUICE_SEED=" << seed << " SLUICE_HISTORIES=1");
    history{seed}.run(50);
  }
}
