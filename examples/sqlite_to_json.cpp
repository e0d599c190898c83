// Writes the committed changes of a SQLite database to a file, each as a line
// of JSON in Debezium's envelope, while the application goes on. Kill it at any
// moment: each change is in the file once. docs/json_lines.md has the fields.
//
//   sqlite_to_json app.db changes.jsonl --once
#include <filesystem>

#include <CLI/CLI.hpp>

#include "actors/sinks/json_lines/json_lines_sink.hpp"
#include "sqlite_job.hpp"

int main(int argc, char** argv) {
  auto job = sqlite_job{};
  job.program = "sqlite_to_json";
  job.feed = "changes";
  job.done = "written";
  auto to = sluice::json_lines_options{};
  auto app = CLI::App{"Writes the changes of a SQLite database as JSON lines."};
  app.add_option("source", job.source, "The application's database")
    ->required();
  app.add_option("changes", to.path, "Made if it does not exist")->required();
  app.add_option("--state", job.state,
                 "Directory of log and positions; CHANGES.log without it");
  app.add_option("--name", to.name,
                 "source.name of each line; the database's name without it");
  job.add_flags(app);
  if (auto ended = job.parse(app, argc, argv))
    return *ended;
  to.db = std::filesystem::path{job.source}.stem().string();
  if (to.name.empty())
    to.name = to.db;
  if (job.state.empty())
    job.state = to.path + ".log";
  return job.run_to(sluice::make_json_lines_sink(to));
}
