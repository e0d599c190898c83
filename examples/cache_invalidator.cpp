// Keeps a map in memory equal to tables of a PostgreSQL database, and says how
// long a change takes from its commit to the map. It begins with all rows that
// are there; its slot ends with it, and nothing stays on the server.
//
//   $ cache_invalidator "host=db1 dbname=shop user=app" --table public.products
//   12000 entries, 0 changes/s
//   12000 entries, 998 changes/s, commit to callback: p50 0.9 ms, p99 2.1 ms
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "actors/service.hpp"
#include "actors/sources/postgres/postgres_source.hpp"
#include "arguments.hpp"

namespace {

volatile std::sig_atomic_t interrupted = 0;

constexpr auto program = "cache_invalidator";

int failed(const sluice::error& x) {
  return fail_program(program, x);
}

/// Rows by table and key. The callback writes, the application reads.
class cache {
public:
  void apply(const sluice::change_batch& batch) {
    auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                 std::chrono::system_clock::now().time_since_epoch())
                 .count();
    auto lock = std::lock_guard{mutex_};
    for (const auto& change : batch) {
      apply(change);
      if (change.row.recorded_us() > 0)
        took_us_.push_back(
          now - static_cast<std::int64_t>(change.row.recorded_us()));
    }
  }
  /// And counts anew.
  std::string report(double seconds) {
    auto lock = std::lock_guard{mutex_};
    auto took = std::exchange(took_us_, {});
    auto result = fmt::format("{} entries, {:.0f} changes/s", rows_.size(),
                              static_cast<double>(took.size()) / seconds);
    if (took.empty())
      return result;
    std::sort(took.begin(), took.end());
    auto at = [&](std::size_t percent) {
      return static_cast<double>(took[(took.size() - 1) * percent / 100])
             / 1000;
    };
    return result
           + fmt::format(", commit to callback: p50 {:.2f} ms, p99 {:.2f} ms",
                         at(50), at(99));
  }

private:
  void apply(const sluice::change& change) {
    switch (change.op()) {
      case sluice::row_op::snapshot_begin:
      case sluice::row_op::truncate:
        std::erase_if(
          rows_, [prefix = std::string{change.table()} + '/'](const auto& x) {
            return x.first.starts_with(prefix);
          });
        break;
      case sluice::row_op::erase:
        rows_.erase(name(change, change.key()));
        break;
      default:
        if (auto old = change.old_key(); !old.empty())
          rows_.erase(name(change, old));
        rows_[name(change, change.key())] = to_string(change.row);
    }
  }
  static std::string name(const sluice::change& change,
                          const std::vector<sluice::value_view>& key) {
    auto result = std::string{change.table()};
    for (const auto& x : key)
      result += x.type == sluice::value_type::integer
                  ? '/' + std::to_string(x.integer)
                  : '/' + std::string{x.bytes};
    return result;
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::string> rows_;
  std::vector<std::int64_t> took_us_;
};

int run(sluice::postgres_source_options from, int seconds) {
  auto rows = cache{};
  auto service = sluice::service::open({}); // in memory: each start copies
  if (!service)
    return failed(service.error());
  auto ok = service->create_feed("cache");
  if (ok)
    ok = service->add_source("shop",
                             sluice::make_postgres_source(std::move(from)));
  if (ok)
    ok = service->subscribe("cache",
                            [&](const sluice::change_batch& batch,
                                sluice::acknowledger ack) -> sluice::status {
                              rows.apply(batch);
                              ack.ack();
                              return {};
                            });
  if (!ok)
    return failed(ok.error());
  for (auto i = 0; interrupted == 0 && (seconds == 0 || i < seconds); ++i) {
    auto begun = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::seconds{1});
    auto passed = std::chrono::duration<double>(std::chrono::steady_clock::now()
                                                - begun);
    auto source = service->source();
    if (source && source->failure)
      return failed(source->failure);
    fmt::print("{}\n", rows.report(passed.count()));
    std::fflush(stdout);
  }
  (void) service->stop();
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  auto from = sluice::postgres_source_options{};
  from.temporary = true;
  from.publication = "sluice_cache";
  auto seconds = 0;
  auto app = CLI::App{"Keeps a map equal to tables of PostgreSQL."};
  app.add_option("conninfo", from.conninfo, "As psql takes it")->required();
  app.add_option("--table", from.tables.include,
                 "Only these, e.g. 'public.product*'");
  app.add_option("--seconds", seconds, "End after so long; 0: never");
  if (auto ended = parse_arguments(app, argc, argv, program,
                                   "a connection string"))
    return *ended;
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  return run(std::move(from), seconds);
}
