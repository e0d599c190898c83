// How fast changes that an application has committed get from one SQLite
// database into another. Beside it, from the same run, a plain loop over the
// same changes in memory: one prepared statement per change, in order, 1,000 in
// a transaction, the same pragmas, no log, no positions.
//
//   sqlite_to_sqlite_bench [--runs 3] [--changes 300000]
#include <array>
#include <random>
#include <thread>

#include <CLI/CLI.hpp>

#include "actors/service.hpp"
#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"
#include "examples/plain_sqlite.hpp"
#include "tests/bench/bench.hpp"

namespace {

using namespace sluice;
using namespace sluice::bench;
using plain_sqlite::database;
using plain_sqlite::statement;

struct settings {
  int runs = 3;
  std::size_t changes = 300'000;
};

// -- the application ----------------------------------------------------------

constexpr auto tables = std::size_t{3};
constexpr auto changes_per_commit = std::size_t{100};
constexpr auto rows_wanted = std::size_t{20'000}; // per table, then updates

enum class kind { insert, update, erase };

struct row_change {
  kind what = kind::insert;
  std::size_t table = 0;
  std::int64_t id = 0;
  std::string name;
  std::int64_t amount = 0;
  std::string note;
};

std::string schema() {
  auto result = std::string{};
  for (std::size_t i = 0; i < tables; ++i)
    result += fmt::format("CREATE TABLE t{} (id INTEGER PRIMARY KEY, name TEXT,"
                          " amount INTEGER, note TEXT);",
                          i);
  return result;
}

/// Inserts until there are rows, then mostly updates of random ones.
std::vector<row_change> make_changes(std::size_t count) {
  auto random = std::mt19937_64{1};
  auto live = std::array<std::vector<std::int64_t>, tables>{};
  auto next = std::int64_t{1};
  auto result = std::vector<row_change>{};
  while (result.size() < count) {
    auto x = row_change{};
    x.table = random() % tables;
    auto& ids = live[x.table];
    auto roll = random() % 100;
    if (ids.size() < rows_wanted || roll < 10) {
      x.id = next++;
      ids.push_back(x.id);
    } else {
      x.what = roll < 20 ? kind::erase : kind::update;
      auto at = random() % ids.size();
      x.id = ids[at];
      if (x.what == kind::erase) {
        ids[at] = ids.back();
        ids.pop_back();
      }
    }
    x.name = "name " + std::to_string(random() % 100'000);
    x.amount = static_cast<std::int64_t>(random() % 1'000'000);
    x.note = std::string(40 + random() % 80,
                         'a' + static_cast<char>(roll % 26));
    result.push_back(std::move(x));
  }
  return result;
}

/// One prepared statement per kind and table.
class table_statements {
public:
  explicit table_statements(database& db) {
    for (std::size_t i = 0; i < tables; ++i) {
      auto name = "t" + std::to_string(i);
      all_.emplace_back(db.get(), "INSERT INTO " + name
                                    + " (name, amount, note, id)"
                                      " VALUES (?, ?, ?, ?)");
      all_.emplace_back(db.get(), "UPDATE " + name
                                    + " SET name = ?, amount = ?, note = ?"
                                      " WHERE id = ?");
      all_.emplace_back(db.get(), "DELETE FROM " + name + " WHERE id = ?");
    }
  }
  void apply(const row_change& x) {
    auto& to = all_[x.table * 3 + static_cast<std::size_t>(x.what)];
    auto place = 1;
    if (x.what != kind::erase) {
      to.bind(place++, x.name);
      to.bind(place++, x.amount);
      to.bind(place++, x.note);
    }
    to.bind(place, x.id);
    if (to.run() != 1)
      give_up("a change found no row");
  }

private:
  std::vector<statement> all_;
};

void apply_all(database& db, const std::vector<row_change>& changes,
               std::size_t per_commit) {
  auto statements = table_statements{db};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (i % per_commit == 0)
      db.exec("BEGIN");
    statements.apply(changes[i]);
    if ((i + 1) % per_commit == 0 || i + 1 == changes.size())
      db.exec("COMMIT");
  }
}

constexpr auto make_file = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

// -- sluice -------------------------------------------------------------------

/// Runs until the feed has everything that the source has.
/// @param rows So many must come, and no copy instead of them; a copy of an
///        empty table is one row, which says that it begins.
double replicate(const scratch& place, const std::string& replica, bool compact,
                 std::size_t rows) {
  auto options = service_options{};
  options.directory = place.file("state");
  auto begin = bench::clock::now();
  auto service = need(sluice::service::open(options));
  need(service.create_feed("replica"));
  auto from = sqlite_source_options{};
  from.path = place.file("source.db");
  need(service.add_source("app", make_sqlite_source(from)));
  auto to = sqlite_sink_options{};
  to.path = replica;
  to.compact = compact;
  need(service.subscribe("replica", make_sqlite_sink(to)));
  for (;;) {
    auto source = need(service.source());
    auto feed = need(service.status_of("replica"));
    if (source.failure || feed.failure)
      give_up(to_string(source.failure ? source.failure : feed.failure));
    if (source.idle && feed.tables == tables && feed.resolved >= source.resolved
        && feed.unflushed.empty()) {
      if (source.rows != rows)
        give_up(fmt::format("{} rows came, not {}", source.rows, rows));
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  auto took = seconds_since(begin);
  (void) service.stop();
  return took;
}

// -- the plain loop -----------------------------------------------------------

double apply_plainly(const std::vector<row_change>& changes,
                     const std::string& replica) {
  auto as = sqlite_sink_options{};
  auto begin = bench::clock::now();
  auto db = database{replica, make_file};
  db.exec(fmt::format("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                      "PRAGMA wal_autocheckpoint = {}; PRAGMA cache_size = -{}",
                      as.wal_autocheckpoint_pages, as.cache_kib));
  db.exec(schema());
  apply_all(db, changes, 1'000);
  return seconds_since(begin);
}

/// Every row of both, in order of the keys.
void compare(const std::string& one, const std::string& other) {
  auto x = database{one, SQLITE_OPEN_READWRITE};
  auto y = database{other, SQLITE_OPEN_READWRITE};
  for (std::size_t i = 0; i < tables; ++i) {
    auto sql = fmt::format("SELECT id, name, amount, note FROM t{} ORDER BY id",
                           i);
    auto a = statement{x.get(), sql};
    auto b = statement{y.get(), sql};
    for (;;) {
      auto more = a.step();
      if (b.step() != more)
        give_up("the replicas have different rows");
      if (!more)
        break;
      for (auto k = 0; k < 4; ++k)
        if (a.bytes(k) != b.bytes(k))
          give_up("the replicas differ in a value");
    }
  }
}

/// @returns Changes a second of a database that is written, then replicated.
double run_sluice(const std::vector<row_change>& changes, bool compact,
                  const std::string& expected_content) {
  auto place = scratch{};
  auto replica = place.file("replica.db");
  {
    auto db = database{place.file("source.db"), make_file};
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(schema());
    // Makes the triggers; there is nothing to copy.
    (void) replicate(place, replica, compact, tables);
    apply_all(db, changes, changes_per_commit);
  }
  auto took = replicate(place, replica, compact, changes.size());
  compare(replica, place.file("source.db"));
  compare(replica, expected_content);
  return static_cast<double>(changes.size()) / took;
}

struct figures {
  std::vector<double> plain;
  std::vector<double> compacted;
  std::vector<double> each;
};

void run(const std::vector<row_change>& changes, figures& result) {
  auto place = scratch{};
  auto plain = place.file("plain.db");
  result.plain.push_back(static_cast<double>(changes.size())
                         / apply_plainly(changes, plain));
  result.compacted.push_back(run_sluice(changes, true, plain));
  result.each.push_back(run_sluice(changes, false, plain));
}

void print(const char* what, const std::vector<double>& rates, double plain) {
  auto rate = median(rates);
  fmt::print("{:<46} {:>9} changes/s {:>6.2f} x\n", what, grouped(rate),
             rate / plain);
}

} // namespace

int main(int argc, char** argv) {
  auto how = settings{};
  auto app = CLI::App{"Changes a second from one SQLite file to another."};
  app.add_option("--runs", how.runs, "Medians of so many")
    ->check(CLI::PositiveNumber);
  app.add_option("--changes", how.changes, "In 3 tables")
    ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  auto changes = make_changes(how.changes);
  auto result = figures{};
  try {
    for (auto i = 0; i < how.runs; ++i)
      run(changes, result);
  } catch (const plain_sqlite::failure& x) {
    give_up(x.what());
  }
  fmt::print("{} changes of 3 tables, medians of {}\n"
             "(x: this rate over the plain loop's)\n",
             how.changes, how.runs);
  auto plain = median(result.plain);
  print("plain loop: a statement each, 1,000 a commit", result.plain, plain);
  print("outbox -> log -> replica", result.compacted, plain);
  print("the same, each change applied (compact=false)", result.each, plain);
}
