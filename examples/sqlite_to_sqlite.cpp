// Keeps one SQLite database equal to another one: captures the committed
// changes of SOURCE while its application goes on writing, keeps them in a
// durable log, and applies them to REPLICA. Kill it at any moment: it goes on
// where REPLICA says that it is.
//
//   sqlite_to_sqlite app.db replica.db --state state/
#include <CLI/CLI.hpp>

#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "copy_job.hpp"

int main(int argc, char** argv) {
  auto job = copy_job{};
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
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& x) {
    return app.exit(x) == 0 ? 0 : 2;
  }
  return job.run(sluice::make_sqlite_sink(to));
}
