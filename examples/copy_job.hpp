#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "actors/service.hpp"
#include "arguments.hpp"
#include "copy_watch.hpp"
#include "progress.hpp"

/// What programs that copy have in common: a service with one source and one
/// sink, until a signal comes or the sink has it all. Progress goes to stdout;
/// stderr gets one line, of the error that ends it.
struct copy_job {
  std::string program; ///< For messages.
  std::string feed;
  std::string done;  ///< What is said of rows that are durable.
  std::string state; ///< Directory of the log.
  std::vector<std::string> tables;
  double patience_seconds = 10;
  bool once = false;
  bool copy_again = false;
  sluice::confirm_level confirm = sluice::confirm_level::log;
  /// What is said behind the number of rows.
  std::function<std::string(const copy_state&)> note = &copy_state::note;
  /// Whether the sink has it all; without it, once the source is idle.
  std::function<bool(const copy_state&)> has_all;

  void add_once(CLI::App& app) {
    app.add_flag("--once", once, "Stop when all there is has been written");
  }
  void add_tables(CLI::App& app, const std::string& example) {
    app
      .add_option("--table", tables,
                  "Capture this table, or those that match, e.g. '" + example
                    + "'; may be repeated. All without it")
      ->expected(1)
      ->take_all();
  }
  void add_confirm(CLI::App& app, const std::string& what) {
    app
      .add_option("--confirm", confirm,
                  "When " + what
                    + " may go: when they are in the 'log', or only when they "
                      "are at the target, too: 'sinks'")
      ->transform(
        CLI::CheckedTransformer(std::map<std::string, sluice::confirm_level>{
          {"log", sluice::confirm_level::log},
          {"sinks", sluice::confirm_level::sinks}}))
      ->default_str("log");
  }
  void add_patience(CLI::App& app, const std::string& what) {
    app
      .add_option("--patience", patience_seconds,
                  "Seconds that " + what
                    + ", and with --once a full disk or a target that is "
                      "away, are waited for")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  }
  [[nodiscard]] std::chrono::milliseconds patience() const {
    return std::chrono::milliseconds{
      static_cast<std::int64_t>(patience_seconds * 1000)};
  }
  /// @see parse_arguments
  [[nodiscard]] std::optional<int> parse(CLI::App& app, int argc, char** argv,
                                         const std::string& taken = {}) const {
    return parse_arguments(app, argc, argv, program, taken);
  }
  /// @returns The exit status.
  [[nodiscard]] int run(std::unique_ptr<sluice::source_connector> from,
                        std::unique_ptr<sluice::sink_connector> to) const;
  /// Says what ends the program. @returns The exit status.
  [[nodiscard]] int failed(const sluice::error& x) const {
    return fail_program(program, x);
  }

private:
  [[nodiscard]] sluice::expected<sluice::service>
  start(std::unique_ptr<sluice::source_connector> from,
        std::unique_ptr<sluice::sink_connector> to) const;
  [[nodiscard]] sluice::status follow(sluice::service& service) const;
};

namespace copy_detail {

inline volatile std::sig_atomic_t interrupted = 0;

} // namespace copy_detail

inline int copy_job::run(std::unique_ptr<sluice::source_connector> from,
                         std::unique_ptr<sluice::sink_connector> to) const {
  std::signal(SIGINT, [](int) { copy_detail::interrupted = 1; });
  std::signal(SIGTERM, [](int) { copy_detail::interrupted = 1; });
  auto service = start(std::move(from), std::move(to));
  if (!service)
    return failed(service.error());
  if (auto ok = follow(*service); !ok)
    return failed(ok.error());
  return 0;
}

inline sluice::expected<sluice::service>
copy_job::start(std::unique_ptr<sluice::source_connector> from,
                std::unique_ptr<sluice::sink_connector> to) const {
  auto options = sluice::service_options{};
  options.directory = state;
  auto service = sluice::service::open(options);
  if (!service)
    return service;
  auto rules = sluice::feed_rules{};
  rules.confirm = confirm;
  auto ok = service->create_feed(feed, rules);
  if (ok)
    ok = service->add_source("app", std::move(from));
  if (ok)
    ok = service->subscribe(feed, std::move(to));
  if (!ok)
    return tl::unexpected<sluice::error>{ok.error()};
  return service;
}

inline sluice::status copy_job::follow(sluice::service& service) const {
  auto bar = progress_bar{done, stdout};
  auto shown = progress_bar::reading{};
  auto watch = copy_watch{};
  auto left_out = std::string{};
  if (once)
    watch.patience = patience();
  while (copy_detail::interrupted == 0) {
    auto now = copy_state::of(service, feed);
    if (!now)
      return tl::unexpected<sluice::error>{now.error()};
    if (auto end = watch.ended_by(*now))
      return tl::unexpected<sluice::error>{std::move(end)};
    shown.done = now->feed.rows_durable;
    shown.note = note(*now) + now->kept();
    bar.show(shown);
    if (auto x = now->left_out(); x != std::exchange(left_out, x) && !x.empty())
      fmt::print("\nleft out: {}\n", x);
    if (once && (has_all ? has_all(*now) : watch.has_all(*now)))
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  auto unflushed = service.stop();
  bar.finish(shown);
  for (const auto& x : unflushed)
    fmt::print("not flushed: {} after {}; it comes again\n",
               x.table == sluice::all_tables ? "several tables"
                                             : to_string(x.table),
               x.checkpoint.value);
  return {};
}
