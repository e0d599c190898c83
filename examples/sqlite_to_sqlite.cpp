// Keeps one SQLite database equal to another one: captures the committed
// changes of SOURCE while its application goes on writing, keeps them in a
// durable log, and applies them to REPLICA. Kill it at any moment: it goes on
// where REPLICA says that it is.
//
//   sqlite_to_sqlite app.db replica.db --state state/
#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "actors/service.hpp"
#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"
#include "progress.hpp"

namespace {

volatile std::sig_atomic_t interrupted = 0;

struct settings {
  std::string source;
  std::string replica;
  std::string state;
  bool once = false;
  bool set_wal = false;
  bool compact = true;
};

int failed(const sluice::error& x) {
  fmt::print(stderr, "sqlite_to_sqlite: {}\n", to_string(x));
  return 2;
}

/// The source has nothing more, and the replica has it all.
bool caught_up(const sluice::source_status& source,
               const sluice::feed_status& feed) {
  return source.idle && feed.tables > 0 && feed.resolved >= source.resolved
         && feed.unflushed.empty();
}

/// Timestamps are the source's change numbers, so their distance is the lag.
std::string note(const sluice::source_status& source,
                 const sluice::feed_status& feed) {
  if (!source.copying.empty())
    return fmt::format("copying {}: {} of {}", source.copying, source.copied,
                       source.copy_total);
  if (feed.failure)
    return to_string(feed.failure);
  auto behind = source.resolved.value
                - std::min(source.resolved.value, feed.resolved.value);
  return fmt::format("{} changes behind", behind);
}

int run(const settings& how) {
  auto options = sluice::service_options{};
  options.directory = how.state;
  auto service = sluice::service::open(options);
  if (!service)
    return failed(service.error());
  if (auto ok = service->create_feed("replica"); !ok)
    return failed(ok.error());
  auto from = sluice::sqlite_source_options{};
  from.path = how.source;
  from.set_wal = how.set_wal;
  auto ok = service->add_source("app", sluice::make_sqlite_source(from));
  if (!ok)
    return failed(ok.error());
  auto to = sluice::sqlite_sink_options{};
  to.path = how.replica;
  to.compact = how.compact;
  ok = service->subscribe("replica", sluice::make_sqlite_sink(to));
  if (!ok)
    return failed(ok.error());

  auto bar = progress_bar{"replicated"};
  auto shown = progress_bar::reading{};
  while (interrupted == 0) {
    auto source = service->source();
    auto feed = service->status_of("replica");
    if (!source || !feed)
      return failed(!source ? source.error() : feed.error());
    // A database that was there before may come back.
    if (source->failure
        && (source->failure.code != sluice::errc::source_unavailable
            || source->resolved == sluice::timestamp{}))
      return failed(source->failure);
    if (feed->failure && feed->failure.code != sluice::errc::sink_unavailable)
      return failed(feed->failure);
    shown.done = feed->rows_durable;
    shown.note = note(*source, *feed);
    bar.show(shown);
    if (how.once && caught_up(*source, *feed))
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  auto unflushed = service->stop();
  bar.finish(shown);
  for (const auto& x : unflushed)
    fmt::print(stderr, "not flushed: {} after {}; it comes again\n",
               to_string(x.table), x.checkpoint.value);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  auto how = settings{};
  auto app = CLI::App{"Keeps one SQLite database equal to another one."};
  app.add_option("source", how.source, "The application's database")
    ->required();
  app.add_option("replica", how.replica, "Made if it does not exist")
    ->required();
  app.add_option("--state", how.state, "Directory of log and positions")
    ->required();
  app.add_flag("--once", how.once, "Stop when the replica has everything");
  app.add_flag("--set-wal", how.set_wal,
               "Switch the source to WAL if it is not");
  app.add_flag("!--every-change", how.compact,
               "Apply each change by itself, also of the same row");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& x) {
    return app.exit(x) == 0 ? 0 : 2;
  }
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  return run(how);
}
