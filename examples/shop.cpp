// An ordinary application with a SQLite database; it knows nothing of sluice.
// It makes a seeded stream of changes of every kind that a replicator must
// get right: INSERT, UPDATE, DELETE, INSERT OR REPLACE that displaces other
// rows, key changes, UPSERT, and values of every storage class.
//
// What counts as a change: what sqlite3_changes() says after each statement.
// Rows that a REPLACE displaces are not counted by SQLite, but they are
// changes for the replicator, so it captures somewhat more than --changes.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "plain_sqlite.hpp"
#include "progress.hpp"

namespace {

using plain_sqlite::database;
using plain_sqlite::statement;

constexpr auto transaction_rows_max = std::uint64_t{500};

struct settings {
  std::string path;
  std::uint64_t changes = 200'000;
  std::uint64_t seed = 1;
  double rate = 0; // changes a second; 0: full speed
  double duration_s = 0;
};

constexpr auto tables = R"(
CREATE TABLE IF NOT EXISTS customers (
  id INTEGER PRIMARY KEY,
  email TEXT UNIQUE,
  name TEXT NOT NULL,
  balance REAL,
  photo BLOB,
  note
);
CREATE TABLE IF NOT EXISTS orders (
  customer INTEGER NOT NULL,
  number INTEGER NOT NULL,
  state TEXT,
  total REAL,
  PRIMARY KEY (customer, number)
);
CREATE TABLE IF NOT EXISTS items (
  sku TEXT NOT NULL PRIMARY KEY,
  title VARCHAR(80),
  stock INT,
  price NUMERIC
);
)";

class shop {
public:
  shop(database& db, std::uint64_t seed) : db_{db}, engine_{seed} {
    // nop
  }

  /// One statement. @returns How many rows it changed, at most `most`.
  std::int64_t act(std::uint64_t most) {
    switch (below(10)) {
      case 0:
        return sign_up();
      case 1:
        return replace_customer();
      case 2:
        return pay(most);
      case 3:
      case 4:
        return place_order();
      case 5:
        return advance_order();
      case 6:
        return below(2) == 0 ? renumber_order() : cancel_order();
      case 7:
      case 8:
        return deliver_item();
      default:
        return change_item();
    }
  }

private:
  // -- chance: the same on every machine, unlike std::uniform_int_distribution

  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  std::int64_t customer() { return static_cast<std::int64_t>(below(5'000)); }
  std::int64_t number() { return static_cast<std::int64_t>(below(20)); }
  double money() { return static_cast<double>(below(1'000'000)) / 100; }
  std::string sku() { return fmt::format("SKU-{:05}", below(10'000)); }
  std::string word() {
    static const auto words = std::vector<std::string>{
      "tea",        "Käse",       "寿司", "it's", "",
      "\"quoted\"", "two\nlines", "🍎",    "0042", "1e3"};
    return words[below(words.size())];
  }
  std::string random_bytes() {
    auto result = std::string(below(40), '\0');
    for (auto& c : result)
      c = static_cast<char>(below(256));
    return result;
  }

  /// Compiled once per text.
  statement& compiled(const char* sql) {
    for (auto& x : statements_)
      if (x.first == sql)
        return x.second;
    statements_.emplace_back(sql, statement{db_.get(), sql});
    return statements_.back().second;
  }
  /// A value of any storage class.
  void bind_any(statement& to, int i) {
    switch (below(5)) {
      case 0:
        return to.bind(i, nullptr);
      case 1:
        return to.bind(i, static_cast<std::int64_t>(engine_()));
      case 2:
        return to.bind(i, money() * 1e15);
      case 3:
        return to.bind(i, word());
      default:
        return to.bind_blob(i, random_bytes());
    }
  }
  void bind_customer(statement& to) {
    to.bind(1, customer());
    if (auto n = below(6'000); n < 5'000)
      to.bind(2, fmt::format("c{}@example.org", n));
    else
      to.bind(2, nullptr);
    to.bind(3, word());
    to.bind(4, money());
    to.bind_blob(5, random_bytes());
    bind_any(to, 6);
  }

  // -- what people do ---------------------------------------------------------

  std::int64_t sign_up() {
    auto& x = compiled(
      "INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
      "SET name = excluded.name, note = excluded.note");
    bind_customer(x);
    return x.run();
  }
  /// Displaces the customer with that id and the one with that address.
  std::int64_t replace_customer() {
    auto& x = compiled(
      "INSERT OR REPLACE INTO customers VALUES (?, ?, ?, ?, ?, ?)");
    bind_customer(x);
    return x.run();
  }
  /// Many rows by one statement.
  std::int64_t pay(std::uint64_t most) {
    auto& x = compiled("UPDATE customers SET balance = balance + ? "
                       "WHERE id BETWEEN ? AND ?");
    auto first = customer();
    auto count = 1 + below(std::min<std::uint64_t>(most, 5));
    x.bind(1, money());
    x.bind(2, first);
    x.bind(3, first + static_cast<std::int64_t>(count) - 1);
    return x.run();
  }
  std::int64_t place_order() {
    auto& x = compiled("INSERT OR IGNORE INTO orders VALUES (?, ?, ?, ?)");
    x.bind(1, customer());
    x.bind(2, number());
    x.bind(3, std::string{"new"});
    x.bind(4, static_cast<std::int64_t>(below(100))); // becomes a real
    return x.run();
  }
  std::int64_t advance_order() {
    auto& x = compiled("UPDATE orders SET state = ?, total = ? "
                       "WHERE customer = ? AND number = ?");
    if (below(4) == 0)
      x.bind(1, nullptr);
    else
      x.bind(1, word());
    x.bind(2, money());
    x.bind(3, customer());
    x.bind(4, number());
    return x.run();
  }
  /// Changes the key, and displaces the order that had it.
  std::int64_t renumber_order() {
    auto& x = compiled("UPDATE OR REPLACE orders SET number = ? "
                       "WHERE customer = ? AND number = ?");
    x.bind(1, number());
    x.bind(2, customer());
    x.bind(3, number());
    return x.run();
  }
  std::int64_t cancel_order() {
    auto& x = compiled("DELETE FROM orders WHERE customer = ? AND number = ?");
    x.bind(1, customer());
    x.bind(2, number());
    return x.run();
  }
  std::int64_t deliver_item() {
    auto& x = compiled(
      "INSERT INTO items VALUES (?, ?, ?, ?) ON CONFLICT (sku) DO UPDATE "
      "SET stock = coalesce(stock, 0) + excluded.stock");
    x.bind(1, sku());
    x.bind(2, word());
    x.bind(3, static_cast<std::int64_t>(below(50)));
    x.bind(4,
           fmt::format("{}.{}0", below(100), 5 * below(2))); // becomes a number
    return x.run();
  }
  std::int64_t change_item() {
    if (below(3) == 0) {
      auto& gone = compiled("DELETE FROM items WHERE sku = ?");
      gone.bind(1, sku());
      return gone.run();
    }
    auto& x = compiled("UPDATE OR IGNORE items SET sku = ? WHERE sku = ?");
    x.bind(1, sku());
    x.bind(2, sku());
    return x.run();
  }

  database& db_;
  std::mt19937_64 engine_;
  std::vector<std::pair<std::string, statement>> statements_;
};

void run(const settings& options) {
  auto db = database{options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE};
  // Statements that may have to be undone alone keep their pages aside; in
  // memory, that does not make each of them write to a file in /var/tmp.
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
          "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000");
  db.exec(tables);
  auto uut = shop{db, options.seed};
  auto sizes = std::mt19937_64{options.seed + 1};
  auto bar = progress_bar{"shop: changes"};
  auto rate = options.duration_s > 0
                ? static_cast<double>(options.changes) / options.duration_s
                : options.rate;
  auto started = std::chrono::steady_clock::now();
  auto done = std::uint64_t{0};
  auto transactions = std::uint64_t{0};
  while (done < options.changes) {
    auto wanted = std::min(1 + sizes() % transaction_rows_max,
                           options.changes - done);
    db.exec("BEGIN IMMEDIATE"); // Waits for the lock here, not in the middle.
    for (auto rows = std::uint64_t{0}; rows < wanted;) {
      auto changed = static_cast<std::uint64_t>(uut.act(wanted - rows));
      rows += changed;
      done += changed;
    }
    db.exec("COMMIT");
    ++transactions;
    bar.show({done, options.changes, {}, {}});
    if (rate > 0)
      std::this_thread::sleep_until(
        started
        + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
          std::chrono::duration<double>(static_cast<double>(done) / rate)));
  }
  bar.finish({done, options.changes, {}, {}});
  fmt::print("shop: {} row changes in {} transactions, seed {}\n", done,
             transactions, options.seed);
}

} // namespace

int main(int argc, char** argv) {
  auto options = settings{};
  auto app = CLI::App{"An ordinary application: changes a SQLite database."};
  app.add_option("database", options.path, "Made if it is not there")
    ->required();
  app.add_option("--changes", options.changes, "Row changes to make")
    ->capture_default_str();
  app.add_option("--seed", options.seed, "The same seed, the same changes")
    ->capture_default_str();
  auto* rate = app.add_option("--rate", options.rate,
                              "Changes a second; 0: as fast as it goes");
  rate->check(CLI::Range(0.0, 1e9));
  app
    .add_option("--duration", options.duration_s,
                "Seconds to take for all changes, if it goes that fast")
    ->check(CLI::Range(0.0, 1e6))
    ->excludes(rate);
  try {
    app.parse(argc, argv);
    run(options);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
  } catch (const CLI::ParseError& x) {
    fmt::print(stderr, "shop: {}\n", x.what());
    return 2;
  } catch (const plain_sqlite::failure& x) {
    fmt::print(stderr, "shop: {}\n", x.what());
    return 2;
  }
  return 0;
}
