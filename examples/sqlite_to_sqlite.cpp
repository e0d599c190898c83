// Keeps one SQLite database equal to another one: captures the committed
// changes of SOURCE while its application goes on writing, keeps them in a
// durable log, and applies them to REPLICA. Kill it at any moment: it goes on
// where REPLICA says that it is.
//
//   sqlite_to_sqlite app.db replica.db --state state/
#include <filesystem>
#include <system_error>

#include <CLI/CLI.hpp>

#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "sqlite_job.hpp"

int main(int argc, char** argv) {
  auto job = sqlite_job{};
  job.program = "sqlite_to_sqlite";
  job.feed = "replica";
  job.done = "replicated";
  auto to = sluice::sqlite_sink_options{};
  auto app = CLI::App{"Keeps one SQLite database equal to another one."};
  app.add_option("source", job.source, "The application's database")
    ->required();
  app.add_option("replica", to.path, "Made if it does not exist")->required();
  app.add_option("--state", job.state, "Directory of log and positions")
    ->required();
  job.add_flags(app);
  app.add_flag("!--every-change", to.compact,
               "Apply each change by itself, also of the same row");
  if (auto ended = job.parse(app, argc, argv))
    return *ended;
  auto problem = std::error_code{};
  if (std::filesystem::equivalent(job.source, to.path, problem))
    return job.failed({sluice::errc::invalid_option,
                       to.path + ": the replica is the source itself",
                       "Name another file for the replica."});
  to.busy_timeout = job.patience();
  return job.run_to(sluice::make_sqlite_sink(to));
}
