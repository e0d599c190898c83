#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "actors/service.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"
#include "progress.hpp"

/// What sqlite_to_sqlite and sqlite_to_json have in common: a service with one
/// SQLite source and one sink, until a signal comes or the sink has it all.
struct copy_job {
  std::string program; ///< For messages.
  std::string feed;
  std::string done; ///< What is said of rows that are durable.
  std::string source;
  std::string state; ///< Directory of the log.
  bool once = false;
  bool set_wal = false;

  void add_flags(CLI::App& app) {
    app.add_flag("--once", once, "Stop when all there is has been written");
    app.add_flag("--set-wal", set_wal, "Switch the source to WAL if it is not");
  }
  /// @returns The exit status.
  [[nodiscard]] int run(std::unique_ptr<sluice::sink_connector> sink) const;

private:
  [[nodiscard]] int failed(const sluice::error& x) const {
    fmt::print(stderr, "{}: {}\n", program, to_string(x));
    return 2;
  }
};

namespace copy_detail {

inline volatile std::sig_atomic_t interrupted = 0;

/// The source has nothing more, and the sink has it all.
inline bool caught_up(const sluice::source_status& source,
                      const sluice::feed_status& feed) {
  return source.idle && feed.tables > 0 && feed.resolved >= source.resolved
         && feed.unflushed.empty();
}

/// Timestamps are the source's change numbers, so their distance is the lag.
inline std::string note(const sluice::source_status& source,
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

} // namespace copy_detail

inline int copy_job::run(std::unique_ptr<sluice::sink_connector> sink) const {
  std::signal(SIGINT, [](int) { copy_detail::interrupted = 1; });
  std::signal(SIGTERM, [](int) { copy_detail::interrupted = 1; });
  auto options = sluice::service_options{};
  options.directory = state;
  auto service = sluice::service::open(options);
  if (!service)
    return failed(service.error());
  if (auto ok = service->create_feed(feed); !ok)
    return failed(ok.error());
  auto from = sluice::sqlite_source_options{};
  from.path = source;
  from.set_wal = set_wal;
  auto ok = service->add_source("app", sluice::make_sqlite_source(from));
  if (!ok)
    return failed(ok.error());
  ok = service->subscribe(feed, std::move(sink));
  if (!ok)
    return failed(ok.error());

  auto bar = progress_bar{done};
  auto shown = progress_bar::reading{};
  while (copy_detail::interrupted == 0) {
    auto now = service->source();
    auto there = service->status_of(feed);
    if (!now || !there)
      return failed(!now ? now.error() : there.error());
    // A database that was there before may come back.
    if (now->failure
        && (now->failure.code != sluice::errc::source_unavailable
            || now->resolved == sluice::timestamp{}))
      return failed(now->failure);
    if (there->failure && there->failure.code != sluice::errc::sink_unavailable)
      return failed(there->failure);
    shown.done = there->rows_durable;
    shown.note = copy_detail::note(*now, *there);
    bar.show(shown);
    if (once && copy_detail::caught_up(*now, *there))
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
