#include "pg_demo/demo.hpp"

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "pg_demo/child_process.hpp"
#include "pg_demo/comparison.hpp"
#include "pg_demo/interrupt.hpp"
#include "pg_demo/tables.hpp"
#include "pg_demo/traffic.hpp"
#include "tests/support/postgres_server.hpp"

namespace pg_demo {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using sluice::test::dice;
using sluice::test::postgres_server;

constexpr auto kills = 5;

struct settings {
  std::chrono::seconds time{20};
  std::uint64_t seed = std::random_device{}();
  bool self_check = false;
};

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

/// What the demo has besides the server. All in the server's directory, so
/// that it goes with it, whatever ends us.
struct stage {
  explicit stage(const postgres_server& server)
    : conninfo{server.conninfo("demo")}, directory{server.directory()
                                                   + "/demo"} {
    std::filesystem::create_directory(directory);
  }
  std::string conninfo;
  std::string directory;

  [[nodiscard]] std::string at(const std::string& name) const {
    return directory + '/' + name;
  }
  [[nodiscard]] std::unique_ptr<child_process>
  start(std::vector<std::string> words, const std::string& name) const {
    return std::make_unique<child_process>(child_process::command{
      std::move(words), at(name + ".out"), at(name + ".err")});
  }
  [[nodiscard]] std::unique_ptr<child_process> start_copier(bool once) const {
    auto words = std::vector<std::string>{
      "/proc/self/exe", conninfo, at("replica.db"), "--state", at("state")};
    if (once)
      words.emplace_back("--once");
    return start(std::move(words), "copier");
  }
  /// pgbench takes no connection string.
  [[nodiscard]] std::unique_ptr<child_process>
  start_pgbench(std::vector<std::string> options) const {
    auto words = std::vector<std::string>{
      postgres_server::programs() + "/pgbench",
      "--host=" + std::filesystem::path{directory}.parent_path().string(),
      "--port=5432", "--username=postgres"};
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("demo");
    return start(std::move(words), "pgbench");
  }
  [[nodiscard]] std::string said_by_copier() const {
    auto line = child_process::last_line(at("copier.out"));
    return line.empty() ? "before it said anything" : line;
  }
  /// Ends in an error, with what a program said last.
  [[noreturn]] void ended(const std::string& name) const {
    auto said = child_process::last_line(at(name + ".err"));
    throw std::runtime_error{"the " + name + " ended by itself"
                             + (said.empty() ? "" : ": " + said)};
  }
  /// Waits until it ends with status 0.
  void finish(child_process& x, const std::string& name,
              std::chrono::seconds patience) const {
    auto last = clock::now() + patience;
    while (x.runs()) {
      if (clock::now() > last)
        throw std::runtime_error{"the " + name + " does not end; it said "
                                 + child_process::last_line(at(name + ".out"))};
      pause(10ms);
    }
    if (x.status() != 0)
      ended(name);
  }
};

// -- before -------------------------------------------------------------------

void fill(postgres_server& server, const stage& place) {
  server.run("postgres", "CREATE DATABASE demo");
  auto pgbench = place.start_pgbench({"--initialize", "--scale=2", "--quiet"});
  place.finish(*pgbench, "pgbench", 120s);
  auto db = plain_postgres::database{place.conninfo};
  make_tables(db);
  // The server's own decoder counts the changes. Nothing else uses it.
  db.run("SELECT pg_create_logical_replication_slot('counter', "
         "'test_decoding')");
}

// -- while it runs ------------------------------------------------------------

/// How many rows of public.big its copy has sent; none while there is no copy.
std::optional<std::uint64_t> copied_of_big(plain_postgres::database& db) {
  auto found = db.run("SELECT tuples_processed FROM pg_stat_progress_copy "
                      "JOIN pg_stat_activity USING (pid) "
                      "WHERE query LIKE '%\"big\"%'");
  if (found.rows() == 0)
    return {};
  return std::stoull(std::string{found.text(0, 0)});
}

std::uint64_t first_rows_of_big(plain_postgres::database& db) {
  return std::stoull(
    db.ask("SELECT count(*) FROM big WHERE id <= " + std::to_string(big_rows)));
}

struct meeting {
  std::uint64_t copied = 0;  ///< Rows of public.big that were read.
  std::uint64_t deleted = 0; ///< Rows of it that went meanwhile.
};

/// Waits until the copy of public.big is somewhere in its middle, and rows went
/// since it began.
meeting meet_copy(const stage& place, child_process& copier, dice& random,
                  plain_postgres::database& db) {
  auto wanted = big_rows / 20 + random.roll(big_rows / 2);
  auto at_first = std::optional<std::uint64_t>{};
  auto last = clock::now() + 60s;
  while (clock::now() < last) {
    if (!copier.runs())
      place.ended("copier");
    auto copied = copied_of_big(db);
    if (copied && !at_first)
      at_first = first_rows_of_big(db);
    if (copied && *copied >= wanted) {
      auto deleted = *at_first - first_rows_of_big(db);
      copied = copied_of_big(db);
      if (deleted > 0 && copied)
        return {*copied, deleted};
    }
    pause(1ms);
  }
  throw std::runtime_error{"the copy of public.big was not met within 60 s"};
}

void kill_in_copy(const stage& place, dice& random) {
  auto db = plain_postgres::database{place.conninfo};
  auto copier = place.start_copier(false);
  auto met = meet_copy(place, *copier, random, db);
  if (!copier->kill())
    place.ended("copier");
  say(fmt::format("kill 1: in the copy, {} of {} rows of public.big read, {} "
                  "deleted meanwhile",
                  met.copied, big_rows, met.deleted));
}

void kill_later(const stage& place, dice& random, int number,
                clock::time_point from, std::chrono::milliseconds part) {
  auto copier = place.start_copier(false);
  auto moment = from
                + std::chrono::milliseconds{
                  random.roll(static_cast<std::uint64_t>(part.count()))};
  do {
    pause(1ms);
    if (!copier->runs())
      place.ended("copier");
  } while (clock::now() < moment);
  if (!copier->kill())
    place.ended("copier");
  say(fmt::format("kill {}: {}", number, place.said_by_copier()));
}

/// The first in the initial copy; the others at random moments, each in its own
/// part of the time that is left.
void kill_again_and_again(const stage& place, dice& random,
                          clock::time_point end) {
  kill_in_copy(place, random);
  auto from = clock::now();
  auto part = std::chrono::duration_cast<std::chrono::milliseconds>(end - from)
              / (kills - 1);
  if (part < 500ms)
    throw std::runtime_error{"no time is left for the other kills; give more "
                             "than --demo has now"};
  for (auto i = 1; i < kills; ++i)
    kill_later(place, random, i + 1, from + (i - 1) * part, part);
}

void run_traffic(const stage& place, const settings& how) {
  auto random = dice{how.seed};
  auto writer = traffic{place.conninfo, random.next()};
  auto end = clock::now() + how.time;
  auto pgbench = place.start_pgbench(
    {"--client=4", "--no-vacuum", "--random-seed=" + std::to_string(how.seed),
     "--time=" + std::to_string(how.time.count())});
  kill_again_and_again(place, random, end - 200ms);
  auto copier = place.start_copier(false);
  place.finish(*pgbench, "pgbench", 60s);
  writer.stop();
  if (!copier->runs())
    place.ended("copier");
  say(fmt::format("traffic ends: {} transactions of the writer; copier: {}",
                  writer.transactions(), place.said_by_copier()));
  copier->kill();
}

// -- after --------------------------------------------------------------------

/// Rows that were inserted, updated and deleted, and truncates, as committed.
std::string count_changes(const stage& place) {
  return plain_postgres::database{place.conninfo}.ask(
    "SELECT count(*) FROM pg_logical_slot_peek_changes('counter', NULL, NULL, "
    "'include-xids', 'false') WHERE data LIKE 'table %'");
}

int show(const settings& how) {
  say(fmt::format("PostgreSQL {}, seed {}", postgres_server::programs(),
                  how.seed));
  auto server = postgres_server{};
  auto place = stage{server};
  fill(server, place);
  run_traffic(place, how);
  auto copier = place.start_copier(true);
  place.finish(*copier, "copier", 300s);
  say("goes on to the end: " + place.said_by_copier());
  if (how.self_check) {
    alter_one_value(place.at("replica.db"), how.seed);
    say("one value of the replica altered: must be found");
  }
  auto found = compare(place.conninfo, place.at("replica.db"));
  if (!found.equal) {
    say(fmt::format("{} tables: DIFFERENT, seed {}", found.tables, how.seed));
    return 1;
  }
  say(
    fmt::format("verified: {} tables, {} changes, {} kills, source == replica",
                found.tables, count_changes(place), kills));
  return 0;
}

int failed(const std::string& what) {
  fmt::print(stderr, "pg_to_sqlite: {}\n", what);
  return 2;
}

/// `20s`, `20` or nothing.
std::optional<std::chrono::seconds> parse_time(const std::string& text) {
  auto seconds = 0;
  const auto* end = text.data() + text.size();
  auto got = std::from_chars(text.data(), end, seconds);
  auto unit = std::string_view{got.ptr, end};
  if (got.ec != std::errc{} || (!unit.empty() && unit != "s") || seconds < 10
      || seconds > 3600)
    return {};
  return std::chrono::seconds{seconds};
}

int show_or_say_why_not(const settings& how) {
  auto pgbench = postgres_server::programs() + "/pgbench";
  if (!postgres_server::available() || !std::filesystem::exists(pgbench))
    return failed("no PostgreSQL server and pgbench in "
                  "/usr/lib/postgresql/*/bin; on Debian: apt-get install "
                  "postgresql");
  // Not in memory, where the server's log might not fit.
  ::setenv("TMPDIR", "/tmp", 0);
  catch_signals();
  try {
    return show(how);
  } catch (const interrupted&) {
    return failed("interrupted; nothing is left of it");
  } catch (const std::exception& x) {
    // A server that Ctrl-C has ended fails those who use it.
    return failed(signalled != 0
                    ? "interrupted; nothing is left of it"
                    : fmt::format("{}, seed {}", x.what(), how.seed));
  }
}

} // namespace

int run(int argc, char** argv) {
  auto how = settings{};
  auto time = std::string{"20s"};
  auto app = CLI::App{
    "Shows pg_to_sqlite with a PostgreSQL server of its own, in a temporary "
    "directory: pgbench and a writer of random transactions change it while "
    "the copier is killed five times. Then every row is compared.\n"
    "What the last line calls changes are the rows inserted, updated and "
    "deleted, and the truncates, that the server committed meanwhile, as its "
    "own test_decoding counts them."};
  app.add_option("--demo", time, "How long it is changed, 10s to 3600s")
    ->expected(0, 1)
    ->capture_default_str();
  app.add_option("--seed", how.seed, "Of the statements and the kills");
  app.add_flag("--self-check", how.self_check,
               "Alter one value of the replica before the comparison, which "
               "has to find it: exit status 1");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& x) {
    return app.exit(x); // --help
  } catch (const CLI::ParseError& x) {
    return failed(x.what());
  }
  auto parsed = parse_time(time);
  if (!parsed)
    return failed("--demo " + time + ": a time from 10s to 3600s is wanted");
  how.time = *parsed;
  return show_or_say_why_not(how);
}

} // namespace pg_demo
