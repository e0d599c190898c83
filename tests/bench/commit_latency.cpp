// How long after a commit in another process a function has the row, by way of
// outbox and log. Beside it, from the same run, what a loop does that asks
// SQLite every 2 ms whether there is something new, and reads it.
//
//   commit_latency [--runs 3] [--commits 3000] [--per-second 500]
//
// Time runs from the return of COMMIT, on the clock that processes share.
#include <atomic>
#include <thread>

#include <CLI/CLI.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "actors/service.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"
#include "examples/plain_sqlite.hpp"
#include "tests/bench/bench.hpp"

namespace {

using namespace sluice;
using namespace sluice::bench;
using plain_sqlite::database;
using plain_sqlite::statement;
using std::chrono::milliseconds;

struct settings {
  int runs = 3;
  std::int64_t commits = 3'000;
  std::int64_t per_second = 500;
};

using instants = std::vector<clock::time_point>; // by id - 1

// -- the application, in a process of its own ---------------------------------

/// Commits one row after the other and says when each commit returned.
instants commit_rows(const std::string& path, const settings& how) {
  auto db = database{path, SQLITE_OPEN_READWRITE};
  db.exec("PRAGMA synchronous = NORMAL");
  auto insert = statement{db.get(), "INSERT INTO events VALUES (?, ?)"};
  auto begin = bench::clock::now();
  auto result = instants{};
  for (std::int64_t i = 0; i < how.commits; ++i) {
    std::this_thread::sleep_until(
      begin + std::chrono::nanoseconds{i * 1'000'000'000 / how.per_second});
    insert.bind(1, i + 1);
    insert.bind(2, std::string(100, 'x'));
    insert.run();
    result.push_back(bench::clock::now());
  }
  return result;
}

/// A forked application that waits for `begin`. To be made before a thread is.
class application {
public:
  application(const std::string& path, const settings& how)
    : commits_{static_cast<std::size_t>(how.commits)} {
    int orders[2];
    int answers[2];
    if (::pipe(orders) != 0 || ::pipe(answers) != 0)
      give_up("cannot make a pipe");
    pid_ = ::fork();
    if (pid_ < 0)
      give_up("cannot fork");
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(orders[1]);
      ::_exit(serve(path, how, orders[0], answers[1]));
    }
    ::close(orders[0]);
    ::close(answers[1]);
    orders_ = orders[1];
    answers_ = answers[0];
  }
  application(const application&) = delete;
  application& operator=(const application&) = delete;
  ~application() {
    ::close(orders_);
    ::close(answers_);
    ::waitpid(pid_, nullptr, 0);
  }

  void begin() const {
    if (::write(orders_, "", 1) != 1)
      give_up("the application is gone");
  }
  /// Waits for its end.
  [[nodiscard]] instants committed() const {
    auto result = instants(commits_);
    auto* to = reinterpret_cast<char*>(result.data());
    for (auto left = commits_ * sizeof(result[0]); left > 0;) {
      auto n = ::read(answers_, to, left);
      if (n <= 0)
        give_up("the application is gone");
      to += n;
      left -= static_cast<std::size_t>(n);
    }
    return result;
  }

private:
  static int serve(const std::string& path, const settings& how, int orders,
                   int answers) {
    auto go = char{};
    if (::read(orders, &go, 1) != 1)
      return 1;
    try {
      auto all = commit_rows(path, how);
      const auto* from = reinterpret_cast<const char*>(all.data());
      for (auto left = all.size() * sizeof(all[0]); left > 0;) {
        auto n = ::write(answers, from, left);
        if (n <= 0)
          return 1;
        from += n;
        left -= static_cast<std::size_t>(n);
      }
    } catch (const plain_sqlite::failure& x) {
      fmt::print(stderr, "{}\n", x.what());
      return 1;
    }
    return 0;
  }

  std::size_t commits_;
  pid_t pid_ = -1;
  int orders_ = -1;
  int answers_ = -1;
};

void make_database(const std::string& path) {
  auto db = database{path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE};
  db.exec("PRAGMA journal_mode = WAL;"
          "CREATE TABLE events (id INTEGER PRIMARY KEY, text TEXT)");
}

/// Milliseconds of each row. A reader may be faster than the return of COMMIT.
std::vector<double> delays(const instants& from, const instants& to) {
  auto result = std::vector<double>{};
  for (std::size_t i = 0; i < from.size(); ++i)
    result.push_back(std::max(
      0.0, std::chrono::duration<double, std::milli>(to[i] - from[i]).count()));
  return result;
}

// -- who waits for the rows ---------------------------------------------------

std::vector<double> by_sluice(const settings& how) {
  auto place = scratch{};
  auto path = place.file("source.db");
  make_database(path);
  auto writer = application{path, how};
  auto arrived = instants(static_cast<std::size_t>(how.commits));
  auto count = std::atomic<std::int64_t>{0};
  auto options = service_options{};
  options.directory = place.file("state");
  auto service = need(sluice::service::open(options));
  need(service.create_feed("events"));
  auto from = sqlite_source_options{};
  from.path = path;
  need(service.add_source("app", make_sqlite_source(from)));
  need(service.subscribe(
    "events",
    [&](const change_batch& batch, const acknowledger& done) -> status {
      auto now = bench::clock::now();
      for (const auto& x : batch)
        if (x.op() == row_op::insert) {
          arrived[static_cast<std::size_t>(x.value("id")->integer - 1)] = now;
          ++count;
        }
      done.ack();
      return {};
    }));
  while (need(service.source()).resolved == timestamp{})
    std::this_thread::sleep_for(milliseconds{2}); // set-up is done
  writer.begin();
  auto committed = writer.committed();
  auto deadline = bench::clock::now() + std::chrono::seconds{10};
  while (count < how.commits) {
    if (bench::clock::now() > deadline)
      give_up("rows are missing");
    std::this_thread::sleep_for(milliseconds{1});
  }
  (void) service.stop();
  return delays(committed, arrived);
}

std::vector<double> by_polling(const settings& how) {
  auto place = scratch{};
  auto path = place.file("source.db");
  make_database(path);
  auto writer = application{path, how};
  auto db = database{path, SQLITE_OPEN_READWRITE};
  auto version = statement{db.get(), "PRAGMA data_version"};
  auto news = statement{db.get(), "SELECT id, text FROM events WHERE id > ?"};
  auto arrived = instants{};
  auto seen = std::int64_t{-1};
  writer.begin();
  while (arrived.size() < static_cast<std::size_t>(how.commits)) {
    version.step();
    auto now_at = version.integer(0);
    version.reset();
    if (now_at == seen) {
      std::this_thread::sleep_for(milliseconds{2});
      continue;
    }
    seen = now_at;
    news.bind(1, static_cast<std::int64_t>(arrived.size()));
    while (news.step())
      arrived.push_back(bench::clock::now());
    news.reset();
  }
  return delays(writer.committed(), arrived);
}

struct percentiles {
  std::vector<double> p50;
  std::vector<double> p99;

  void add(const std::vector<double>& delays) {
    p50.push_back(percentile(delays, 0.5));
    p99.push_back(percentile(delays, 0.99));
  }
  void print(const char* what) const {
    fmt::print("{:<40} p50 {:>6.2f} ms   p99 {:>6.2f} ms\n", what, median(p50),
               median(p99));
  }
};

} // namespace

int main(int argc, char** argv) {
  auto how = settings{};
  auto app = CLI::App{"Time from a commit in another process to a function."};
  app.add_option("--runs", how.runs, "Medians of so many")
    ->check(CLI::PositiveNumber);
  app.add_option("--commits", how.commits, "In each run")
    ->check(CLI::PositiveNumber);
  app.add_option("--per-second", how.per_second, "Commits")
    ->check(CLI::Range(1, 1'000'000));
  CLI11_PARSE(app, argc, argv);
  auto sluice = percentiles{};
  auto polling = percentiles{};
  try {
    for (auto i = 0; i < how.runs; ++i) {
      sluice.add(by_sluice(how));
      polling.add(by_polling(how));
    }
  } catch (const plain_sqlite::failure& x) {
    give_up(x.what());
  }
  fmt::print("{} commits of a row, {} a second, medians of {}\n", how.commits,
             how.per_second, how.runs);
  sluice.print("outbox -> log -> function");
  polling.print("a loop that polls each 2 ms");
}
