// Looks at the log of a service that is stopped, and changes nothing.
//
//   sluice-log verify state      torn tails and damage; exit status 1: damage
//   sluice-log stats state       segments, blocks, rows, and those of tables
//   sluice-log dump state --table items --from 100 --to 200
//   sluice-log export state      rows as JSON lines, see docs/json_lines.md
//
// `state` is the directory of a service, with a log for each source and
// partition, or that of one log. What is shown is what the next start would
// find: what it would cut is not. Exit status: 0, 1 if there is damage, 2 if it
// could not look: the service runs, for example.
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "actors/sinks/json_lines/change_encoder.hpp"
#include "arguments.hpp"
#include "log_files.hpp"

namespace {

using namespace sluice;
using log_files::log_place;
using log_files::opened_log;

constexpr auto program = "sluice-log";

struct wish {
  std::string directory;
  std::string table; // a name or a number; empty: all
  std::uint64_t from = 0;
  std::uint64_t to = timestamp::max().value;
};

int failed(const error& x) {
  return fail_program(program, x);
}

// Damage is told as such; whatever else it is, nobody could look.
int stopped(const error& x) {
  (void) failed(x);
  return x.code == errc::log_corrupt ? 1 : 2;
}

// -- verify -------------------------------------------------------------------

int verify(const log_place& at) {
  auto found = log_files::examine(at);
  if (!found)
    return stopped(found.error());
  for (const auto& x : found->torn)
    fmt::print("torn     {}: byte {}: {} bytes that no row needs\n", x.path,
               x.offset, x.bytes);
  for (const auto& x : found->spools)
    fmt::print("open     {}: {} bytes of a transaction that did not commit\n",
               x.path, x.bytes);
  for (const auto& x : found->lost)
    fmt::print("damaged  {}; rows behind {} and {}; {}\n", x.why,
               to_string(x.after),
               x.before ? "before " + to_string(*x.before) : "to the end",
               "which tables is not known");
  fmt::print("{:<9}{}: {} segments, {} blocks, {} rows up to {}\n",
             found->lost.empty() ? "ok" : "damaged", at.directory,
             found->segments, found->blocks, found->rows,
             to_string(found->last));
  return found->lost.empty() ? 0 : 1;
}

// -- reading ------------------------------------------------------------------

// Rows that are wanted, each to `take`, which ends it by an error.
template <class Take>
status read_rows(const opened_log& log, const wish& what, Take take) {
  auto table = log.table_of(what.table);
  if (!table)
    return tl::unexpected{std::move(table.error())};
  auto after = row_cursor::end_of({what.from});
  if (what.from == 0)
    after = {};
  auto& engine = *log.engine;
  for (auto done = block_index{}; done < engine.last();) {
    auto plan = plan_scan(engine, {*table, after, engine.last(), 1U << 20});
    if (plan.failure)
      return tl::unexpected{std::move(plan.failure)};
    for (const auto& piece : plan.pieces) {
      auto block = piece.block == nullptr ? engine.disk()->read(piece.location)
                                          : expected<block_ptr>{piece.block};
      if (!block)
        return tl::unexpected{std::move(block.error())};
      for (std::size_t i = 0; i < (*block)->rows(); ++i) {
        auto row = (*block)->row(i);
        auto other = *table != all_tables && row.table() != *table;
        if (other || (row.cursor() <= after && after != row_cursor{}))
          continue;
        if (row.commit_ts().value > what.to)
          return {};
        if (auto taken = take(row); !taken)
          return taken;
        after = row.cursor();
      }
    }
    done = plan.complete_to;
  }
  return {};
}

struct table_figures {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  row_cursor first;
  row_cursor last;
};

int stats(const log_place& at, const wish& what) {
  auto log = log_files::open(at);
  if (!log)
    return stopped(log.error());
  auto tables = std::map<table_id, table_figures>{};
  auto rows = std::uint64_t{0};
  auto done = read_rows(*log, what, [&](row_view x) {
    auto& table = tables[x.table()];
    if (table.rows++ == 0)
      table.first = x.cursor();
    table.last = x.cursor();
    table.bytes += x.size_bytes();
    ++rows;
    return status{};
  });
  const auto& report = log->engine->report();
  fmt::print("{}\n", at.directory);
  fmt::print("  {} segments, {} blocks, {} rows; resolved {}\n",
             report.segments, report.blocks, rows,
             log->engine->resolved().value);
  fmt::print("  {} bytes of a torn or open tail\n", report.bytes_cut);
  for (const auto& [id, x] : tables)
    fmt::print("  {}: {} rows, {} bytes, {} to {}\n", log->name_of(id), x.rows,
               x.bytes, to_string(x.first), to_string(x.last));
  return done ? 0 : stopped(done.error());
}

int dump(const log_place& at, const wish& what) {
  auto log = log_files::open(at);
  if (!log)
    return stopped(log.error());
  auto done = read_rows(*log, what, [&](row_view x) {
    fmt::print("{}: {}\n", log->name_of(x.table()), to_string(x));
    return status{};
  });
  return done ? 0 : stopped(done.error());
}

int export_lines(const log_place& at, const wish& what) {
  auto log = log_files::open(at);
  if (!log)
    return stopped(log.error());
  auto encoder = change_encoder{{envelope_version(), program, at.source, ""}};
  auto line = std::string{};
  auto done = read_rows(*log, what, [&](row_view x) -> status {
    auto schema = log->schema_of(x);
    if (!schema)
      return tl::unexpected{std::move(schema.error())};
    line.clear();
    auto encoded = encoder.append(**schema, x, std::chrono::system_clock::now(),
                                  line);
    fmt::print("{}", line);
    return encoded;
  });
  return done ? 0 : stopped(done.error());
}

// -- the command line ---------------------------------------------------------

int run(const std::string& command, const wish& what) {
  auto places = log_files::find(what.directory);
  if (!places)
    return failed(places.error());
  auto result = 0;
  for (const auto& at : *places) {
    auto ended = command == "verify"  ? verify(at)
                 : command == "stats" ? stats(at, what)
                 : command == "dump"  ? dump(at, what)
                                      : export_lines(at, what);
    result = std::max(result, ended);
  }
  return result;
}

} // namespace

int main(int argc, char** argv) {
  auto what = wish{};
  auto app = CLI::App{"Looks at the log of a service that is stopped. Changes "
                      "nothing."};
  auto add = [&](const std::string& name, const std::string& does, bool reads) {
    auto* command = app.add_subcommand(name, does);
    command
      ->add_option("directory", what.directory,
                   "Of a service's state, or of one log")
      ->required();
    if (!reads)
      return;
    command->add_option("--table", what.table, "Its name, or its number");
    command->add_option("--from", what.from, "Rows with a commit_ts above it");
    command->add_option("--to", what.to, "Rows with a commit_ts up to it");
  };
  app.require_subcommand(1);
  add("verify", "Torn tails and damage", false);
  add("stats", "Segments, blocks and rows, and those of each table", true);
  add("dump", "Rows as text", true);
  add("export", "Rows as JSON lines; needs the schemas in meta.db", true);
  if (auto ended = parse_arguments(app, argc, argv, program))
    return *ended;
  return run(app.get_subcommands().front()->get_name(), what);
}
