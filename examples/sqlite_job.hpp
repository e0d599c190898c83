#pragma once

#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "actors/sources/sqlite/sqlite_source.hpp"
#include "copy_job.hpp"

/// What sqlite_to_sqlite and sqlite_to_json have in common: their source.
struct sqlite_job : copy_job {
  std::string source;
  bool set_wal = false;

  void add_flags(CLI::App& app) {
    add_once(app);
    add_tables(app, "item*");
    app.add_flag("--set-wal", set_wal, "Switch the source to WAL if it is not");
    app.add_flag("--copy-again", copy_again,
                 "Consent to a source that was rolled back or replaced, or "
                 "that another one captures: copy all tables again");
    add_patience(app, "locks");
  }
  /// @returns The exit status.
  [[nodiscard]] int run_to(std::unique_ptr<sluice::sink_connector> to) const {
    auto from = sluice::sqlite_source_options{};
    from.path = source;
    from.set_wal = set_wal;
    from.copy_again = copy_again;
    from.need_table = once;
    from.busy_timeout = patience();
    if (!tables.empty())
      from.tables.include = tables;
    return run(sluice::make_sqlite_source(from), std::move(to));
  }
};
