// PostgreSQL into a callback, beside PostgreSQL's own reader of a slot on the
// same changes: pg_recvlogical to /dev/null.
//
//   postgres_bench [--runs 3] [--transactions 1000] [--rows 1000]
//                  [--latency-seconds 5]
//
// Prints rows/s of both, their ratio per run, the CPU time of our process per
// row, and p50 and p99 from commit to callback at 1,000 transactions/s, beside
// those of the decoder alone on another slot.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>

#include "actors/service.hpp"
#include "actors/sources/postgres/pg_connection.hpp"
#include "actors/sources/postgres/postgres_source.hpp"
#include "actors/sources/postgres/slot.hpp"
#include "tests/bench/bench.hpp"
#include "tests/support/postgres_server.hpp"

namespace {

using namespace std::chrono_literals;
using namespace sluice::bench;
using sluice::test::postgres_server;

double cpu_seconds() {
  auto x = rusage{};
  getrusage(RUSAGE_SELF, &x);
  auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(x.ru_utime) + of(x.ru_stime);
}

struct settings {
  int runs = 3;
  int transactions = 1'000;
  int rows = 1'000;
  int latency_seconds = 5;
};

settings parse(int argc, char** argv) {
  auto result = settings{};
  for (int i = 1; i + 1 < argc; i += 2) {
    auto name = std::string{argv[i]};
    auto value = std::atoi(argv[i + 1]);
    if (name == "--runs")
      result.runs = value;
    else if (name == "--transactions")
      result.transactions = value;
    else if (name == "--rows")
      result.rows = value;
    else if (name == "--latency-seconds")
      result.latency_seconds = value;
  }
  return result;
}

/// One service that follows one table into a callback.
class follower {
public:
  using seen = std::function<void(std::int64_t id)>;

  follower(const postgres_server& server, const std::string& database,
           const std::string& directory, seen each)
    : each_{std::move(each)} {
    auto options = sluice::service_options{};
    options.directory = directory;
    service_.emplace(need(sluice::service::open(options)));
    auto from = sluice::postgres_source_options{};
    from.conninfo = server.conninfo(database);
    from.tables = {{"public.t"}, {}};
    need(service_->create_feed("all"));
    need(service_->add_source("bench", sluice::make_postgres_source(from)));
    need(
      service_->subscribe("all",
                          [this](const sluice::change_batch& batch,
                                 sluice::acknowledger ack) -> sluice::status {
                            for (const auto& change : batch)
                              if (change.op() == sluice::row_op::insert)
                                each_(change.value("id")->integer);
                            ack.ack();
                            return {};
                          }));
  }
  void stop() { (void) service_->stop(); }

private:
  seen each_;
  std::optional<sluice::service> service_;
};

void wait_for(const std::atomic<std::int64_t>& rows, std::int64_t wanted) {
  while (rows < wanted)
    std::this_thread::sleep_for(1ms);
}

// -- rows per second ----------------------------------------------------------

double recvlogical(const postgres_server& server, const std::string& database,
                   const std::string& end) {
  auto command = fmt::format(
    "{0}/pg_recvlogical -h {1} -p 5432 -U postgres -d {2} --slot peer --start"
    " --no-loop -o proto_version=1 -o publication_names=sluice -f /dev/null"
    " --endpos {3} 2>/dev/null",
    postgres_server::programs(), server.directory(), database, end);
  auto begun = clock::now();
  if (std::system(command.c_str()) != 0)
    give_up("pg_recvlogical failed");
  return seconds_since(begun);
}

void throughput(const settings& how) {
  auto all = static_cast<std::int64_t>(how.transactions) * how.rows;
  fmt::print("{} rows of 200 B in transactions of {}\n", all, how.rows);
  fmt::print("{:>18} {:>16} {:>7} {:>16}\n", "pg_recvlogical/s", "sluice/s",
             "ratio", "our CPU us/row");
  auto ratios = std::vector<double>{};
  for (int run = 0; run < how.runs; ++run) {
    auto server = postgres_server{};
    auto database = server.make_database();
    auto place = scratch{};
    server.run(database, "CREATE TABLE public.t (id bigint PRIMARY KEY,"
                         " text text)");
    auto rows = std::atomic<std::int64_t>{0};
    { // makes publication and slot, and copies nothing
      auto first = follower{server, database, place.file("state"),
                            [&](std::int64_t) { ++rows; }};
      server.run(database, "INSERT INTO public.t VALUES (0, '')");
      wait_for(rows, 1);
      first.stop();
    }
    server.run(database, "SELECT pg_create_logical_replication_slot('peer',"
                         " 'pgoutput')");
    server.run(database,
               fmt::format("CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$"
                           " BEGIN FOR i IN 1..{0} LOOP INSERT INTO public.t"
                           " SELECT i::bigint * {1} + j, repeat('x', 180) FROM"
                           " generate_series(0, {1} - 1) j; COMMIT; END LOOP;"
                           " END $$",
                           how.transactions, how.rows));
    server.run(database, "CALL fill()");
    auto end = server.ask(database, "SELECT pg_current_wal_lsn()");
    auto theirs = 0.0;
    auto ours = 0.0;
    auto cpu = 0.0;
    auto follow = [&] {
      rows = 0;
      cpu = cpu_seconds();
      auto begun = clock::now();
      auto second = follower{server, database, place.file("state"),
                             [&](std::int64_t) { ++rows; }};
      wait_for(rows, all);
      ours = seconds_since(begun);
      cpu = cpu_seconds() - cpu;
      second.stop();
    };
    if (run % 2 == 0) {
      theirs = recvlogical(server, database, end);
      follow();
    } else {
      follow();
      theirs = recvlogical(server, database, end);
    }
    auto n = static_cast<double>(all);
    ratios.push_back(theirs / ours);
    fmt::print("{:>18.0f} {:>16.0f} {:>7.2f} {:>16.2f}\n", n / theirs, n / ours,
               ratios.back(), cpu * 1e6 / n);
  }
  fmt::print("median ratio {:.2f}\n", median(ratios));
}

// -- latency ------------------------------------------------------------------

/// Nothing but a slot and the decoder, on a thread of its own.
class bare_decoder {
public:
  using times = std::vector<clock::time_point>;

  bare_decoder(const postgres_server& server, const std::string& database,
               times& arrived)
    : arrived_{arrived} {
    namespace pg = sluice::postgres;
    auto plain = need(pg::connection::open(server.conninfo(database),
                                           pg::connection::kind::plain));
    (void) need(plain.run("SELECT pg_create_logical_replication_slot('bare',"
                          " 'pgoutput')"));
    auto to = need(pg::connection::open(server.conninfo(database),
                                        pg::connection::kind::replication));
    stream_ = need(
      pg::start_stream(std::move(to), {"bare", "sluice", 0}, 16U << 20U, 10s));
    thread_ = std::thread{[this] { run(); }};
  }
  ~bare_decoder() {
    stop_ = true;
    thread_.join();
  }
  bare_decoder(const bare_decoder&) = delete;
  bare_decoder& operator=(const bare_decoder&) = delete;

private:
  void run() {
    auto message = sluice::postgres::message{};
    while (!stop_) {
      auto entries = need(stream_->take());
      for (auto rest = std::string_view{entries}; !rest.empty();) {
        auto frame = sluice::postgres::frame_queue::next(rest);
        if (frame.payload.empty())
          continue;
        need(decode(frame.payload, message));
        if (auto* x = std::get_if<sluice::postgres::insert_message>(&message))
          arrived_.at(
            std::stoul(std::string{x->after.at(0).bytes})) = clock::now();
      }
      if (entries.empty())
        std::this_thread::sleep_for(20us);
    }
  }

  times& arrived_;
  std::unique_ptr<sluice::postgres::replication_stream> stream_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

void print_latency(const char* who,
                   const std::vector<clock::time_point>& committed,
                   const std::vector<clock::time_point>& arrived) {
  auto took = std::vector<double>{};
  for (std::size_t i = 1; i < committed.size(); ++i)
    took.push_back(
      std::chrono::duration<double, std::milli>(arrived[i] - committed[i])
        .count());
  fmt::print("{:>12}: p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms\n", who,
             percentile(took, 0.5), percentile(took, 0.99),
             percentile(took, 1));
}

void latency(const settings& how) {
  auto server = postgres_server{};
  auto database = server.make_database();
  auto place = scratch{};
  server.run(database, "CREATE TABLE public.t (id bigint PRIMARY KEY,"
                       " text text)");
  auto wanted = static_cast<std::size_t>(how.latency_seconds) * 1'000;
  auto committed = std::vector<clock::time_point>(wanted + 1);
  auto arrived = std::vector<clock::time_point>(wanted + 1);
  auto decoded = std::vector<clock::time_point>(wanted + 1);
  auto rows = std::atomic<std::int64_t>{0};
  auto uut = follower{server, database, place.file("state"),
                      [&](std::int64_t id) {
                        arrived[static_cast<std::size_t>(id)] = clock::now();
                        ++rows;
                      }};
  server.run(database, "INSERT INTO public.t VALUES (0, '')");
  wait_for(rows, 1);
  auto bare = bare_decoder{server, database, decoded};
  auto db = need(sluice::postgres::connection::open(
    server.conninfo(database), sluice::postgres::connection::kind::plain));
  auto next = clock::now();
  for (std::size_t i = 1; i <= wanted; ++i) {
    std::this_thread::sleep_until(next += 1ms);
    auto done = db.run(
      fmt::format("INSERT INTO public.t VALUES ({}, repeat('x', 180))", i));
    committed[i] = clock::now();
    (void) need(std::move(done));
  }
  wait_for(rows, static_cast<std::int64_t>(wanted) + 1);
  std::this_thread::sleep_for(500ms); // the bare one has no count
  fmt::print("from the answer to a COMMIT at 1,000 transactions/s to\n");
  print_latency("a callback", committed, arrived);
  print_latency("bare decoder", committed, decoded);
  uut.stop();
}

} // namespace

int main(int argc, char** argv) {
  if (!postgres_server::available()) {
    fmt::print("SKIPPED: no PostgreSQL server here\n");
    return 0;
  }
  auto how = parse(argc, argv);
  throughput(how);
  latency(how);
}
