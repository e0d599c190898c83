// Keeps a SQLite database equal to a PostgreSQL database: copies its tables,
// follows its log through a replication slot while its applications go on,
// keeps the changes in a log of its own, and applies them to REPLICA. Kill it
// at any moment: it goes on where REPLICA says that it is.
//
//   pg_to_sqlite "host=db1 dbname=shop user=app" replica.db --state state/
// Without a database, pg_demo/demo.hpp:
//
//   $ pg_to_sqlite --demo 20s
//   PostgreSQL /usr/lib/postgresql/15/bin, seed 2
//   kill 1: in the copy, 98776 of 200000 rows of public.big read, 338 de...
//   ...
//   public.pgbench_tellers             20 rows  equal
//   verified: 9 tables, 197933 changes, 5 kills, source == replica
//
// Exit status: 0 at the end of --once and after SIGINT or SIGTERM, 2 after an
// error, which is one line on stderr.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "actors/sinks/sqlite/sqlite_sink.hpp"
#include "actors/sources/postgres/postgres_source.hpp"
#include "copy_job.hpp"
#include "pg_demo/demo.hpp"

namespace {

/// With --once: all that had been committed when the source first had nothing
/// more. On a server that is busy what comes later would have no end.
class once_goal {
public:
  [[nodiscard]] bool reached(const copy_state& x) {
    if (!goal_ && x.source.idle && !x.source.failure)
      goal_ = x.source.resolved;
    return goal_ && x.feed.tables > 0 && x.feed.checkpoint >= goal_;
  }

private:
  sluice::timestamp goal_;
};

/// Timestamps are places in the server's log: their distance is in bytes.
std::string note(const copy_state& x) {
  if (x.source.failure || x.feed.failure || !x.source.copying.empty())
    return x.note();
  if (!x.feed.checkpoint)
    return fmt::format("{} rows of the copy not committed yet",
                       x.feed.rows_accepted - x.feed.rows_durable);
  auto behind = x.source.resolved.value
                - std::min(x.source.resolved.value, x.feed.checkpoint.value);
  return fmt::format("{} KiB of the server's log behind", behind / 1024);
}

void add_options(CLI::App& app, copy_job& job,
                 sluice::postgres_source_options& from,
                 sluice::sqlite_sink_options& to) {
  app
    .add_option("conninfo", from.conninfo,
                "The database, as libpq takes it: \"host=... dbname=...\" or "
                "postgresql://...; passwords better in ~/.pgpass")
    ->required();
  app.add_option("replica", to.path, "Made if it does not exist")->required();
  app.add_option("--state", job.state, "Directory of log and positions")
    ->required();
  job.add_once(app);
  job.add_confirm(app, "the server's log of changes");
  job.add_tables(app, "public.item*");
  app
    .add_option("--slot", from.slot,
                "Replication slot, made if it is not there. It keeps the "
                "server's log until it is dropped")
    ->capture_default_str();
  app.add_option("--publication", from.publication, "Made if it is not there")
    ->capture_default_str();
  app.add_flag("--copy-again", job.copy_again,
               "Consent to a server that was replaced or went back, or a slot "
               "that is lost or another one's: copy all tables again");
  app.add_flag("--binary", from.binary,
               "Values in binary, where all columns can be read so");
  job.add_patience(app, "connections, slots and old transactions");
  app.footer("pg_to_sqlite --demo 20s shows it with a server of its own: "
             "pg_to_sqlite --demo --help");
}

int copy(int argc, char** argv) {
  auto job = copy_job{};
  job.program = "pg_to_sqlite";
  job.feed = "replica";
  job.done = "replicated";
  auto from = sluice::postgres_source_options{};
  auto to = sluice::sqlite_sink_options{};
  auto app = CLI::App{"Keeps a SQLite database equal to a PostgreSQL one."};
  add_options(app, job, from, to);
  if (auto ended = job.parse(app, argc, argv,
                             "a connection string and a replica"))
    return *ended;
  from.copy_again = job.copy_again;
  from.need_table = job.once;
  from.patience = job.patience();
  if (!job.tables.empty())
    from.tables.include = job.tables;
  // SQLite would make numbers of texts that look like one.
  to.declared_types = false;
  to.busy_timeout = job.patience();
  auto goal = once_goal{};
  job.note = note;
  job.has_all = [&](const copy_state& x) { return goal.reached(x); };
  return job.run(sluice::make_postgres_source(from),
                 sluice::make_sqlite_sink(to));
}

} // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "--demo")
    return pg_demo::run(argc, argv);
  return copy(argc, argv);
}
