// Keeps REPLICA equal to SOURCE, for the tests to kill: each change is applied
// by itself, and commits are many.
//
//   kill_replicator SOURCE REPLICA STATE [--once] [--partitions N]
//                   [--segment-bytes N] [--credit-bytes N] [--order table]
//                   [--tables A,B,C]
//
// SOURCE: a file of SQLite, or `host=...` of PostgreSQL.
// Says "copying" when the source reads a copy. Exit status: 0 after SIGTERM or
// when --once has everything; 2 with the error's line on stderr.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "actors/service.hpp"
#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "actors/sources/postgres/postgres_source.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"

namespace {

volatile std::sig_atomic_t interrupted = 0;

struct settings {
  sluice::service_options service;
  sluice::feed_rules rules;
  sluice::sqlite_source_options from;
  sluice::sqlite_sink_options to;
  bool once = false;
};

int failed(const sluice::error& x) {
  fmt::print(stderr, "kill_replicator: {}\n", to_string(x));
  return 2;
}

bool caught_up(const sluice::source_status& source,
               const sluice::feed_status& feed) {
  return source.idle && feed.tables > 0 && feed.resolved >= source.resolved
         && feed.unflushed.empty();
}

// The machine has other things to do: asked again.
template <class T>
bool is_busy(const sluice::expected<T>& x) {
  return !x && x.error().code == sluice::errc::timed_out;
}

int follow(sluice::service& service, bool once) {
  auto said = false;
  while (interrupted == 0) {
    auto source = service.source();
    auto feed = service.status_of("replica");
    if (is_busy(source) || is_busy(feed))
      continue;
    if (!source || !feed)
      return failed(!source ? source.error() : feed.error());
    // Locked by the application: that is tried again.
    if (source->failure
        && source->failure.code != sluice::errc::source_unavailable)
      return failed(source->failure);
    if (feed->failure && feed->failure.code != sluice::errc::sink_unavailable)
      return failed(feed->failure);
    if (feed->rows_below_checkpoint > 0)
      return failed({sluice::errc::append_out_of_order,
                     "rows came below their table's checkpoint"});
    if (!said && !source->copying.empty()) {
      said = true;
      fmt::print(stderr, "copying {}: {} of {}\n", source->copying,
                 source->copied, source->copy_total);
    }
    if (once && caught_up(*source, *feed))
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  for (const auto& x : service.stop())
    fmt::print(stderr, "not flushed: {} after {}\n", to_string(x.table),
               x.checkpoint.value);
  return 0;
}

std::unique_ptr<sluice::source_connector>
make_source(const sluice::sqlite_source_options& from) {
  if (!from.path.starts_with("host="))
    return sluice::make_sqlite_source(from);
  auto server = sluice::postgres_source_options{};
  server.conninfo = from.path;
  server.tables = from.tables;
  return sluice::make_postgres_source(server);
}

int run(settings how) {
  auto service = sluice::service::open(how.service);
  if (!service)
    return failed(service.error());
  auto ok = service->create_feed("replica", how.rules);
  if (ok)
    ok = service->add_source("app", make_source(how.from));
  if (ok)
    ok = service->subscribe("replica", sluice::make_sqlite_sink(how.to));
  if (!ok)
    return failed(ok.error());
  return follow(*service, how.once);
}

settings parse(int argc, char** argv) {
  auto result = settings{};
  result.from.path = argv[1];
  result.to.path = argv[2];
  result.to.compact = false;
  // A kill loses nothing of the operating system: fsync is not the subject.
  result.to.synchronous = sluice::sqlite_sink_options::durability::normal;
  result.service.directory = argv[3];
  for (auto i = 4; i < argc; ++i) {
    auto option = std::string{argv[i]};
    if (option == "--once") {
      result.once = true;
      continue;
    }
    auto value = std::string{i + 1 < argc ? argv[++i] : ""};
    if (option == "--partitions") {
      result.service.partitions = std::strtoul(value.c_str(), nullptr, 10);
      result.rules.order = sluice::feed_order::table;
    } else if (option == "--order") {
      result.rules.order = value == "table" ? sluice::feed_order::table
                                            : sluice::feed_order::transaction;
    } else if (option == "--segment-bytes") {
      result.service.segment_bytes = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--credit-bytes") {
      result.service.credit_bytes = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--tables") {
      result.from.tables.include.clear();
      auto names = std::istringstream{value};
      for (auto name = std::string{}; std::getline(names, name, ',');)
        result.from.tables.include.push_back(name);
    } else {
      fmt::print(stderr, "kill_replicator: unknown option {}\n", option);
      std::exit(3);
    }
  }
  return result;
}

// It was blocked at the start: one that came early takes effect here.
void listen_to_sigterm() {
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  auto now = sigset_t{};
  ::sigemptyset(&now);
  ::sigaddset(&now, SIGTERM);
  ::sigprocmask(SIG_UNBLOCK, &now, nullptr);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: kill_replicator SOURCE REPLICA STATE ...\n");
    return 3;
  }
  listen_to_sigterm();
  return run(parse(argc, argv));
}
