// Prints what commits in a PostgreSQL database from now on, a line of JSON per
// change, in Debezium's envelope. Its slot ends with it, and so does its
// publication: nothing stays on the server.
//
//   $ pg_tail "host=db1 dbname=shop user=app" --table public.orders
//   {"before":null,"after":{"id":7,"total":"12.50"},"source":{...},"op":"c",...
//
// What commits while it does not run is not seen: pg_to_sqlite keeps a place.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "actors/copy_pace_state.hpp"
#include "actors/sinks/json_lines/change_encoder.hpp"
#include "actors/sources/journal.hpp"
#include "actors/sources/postgres/postgres_source.hpp"
#include "arguments.hpp"
#include "copy_note.hpp"

namespace {

volatile std::sig_atomic_t interrupted = 0;

constexpr auto program = "pg_tail";

int failed(const sluice::error& x) {
  return fail_program(program, x);
}

class tail {
public:
  explicit tail(sluice::postgres_source_options from)
    : source_{std::move(from)} {
    // nop
  }

  sluice::status run() {
    auto opened = source_.open({}, *journal_);
    if (!opened)
      return tl::unexpected{std::move(opened.error())};
    encoder_.emplace(sluice::envelope_source{
      sluice::envelope_version(), "sluice", "pg_tail", source_.database()});
    take(*opened);
    for (auto empty = 0U; interrupted == 0;) {
      auto batch = source_.read(1U << 20U);
      if (!batch)
        return tl::unexpected{std::move(batch.error())};
      take(batch->schemas);
      if (batch->copying)
        say(*batch->copying);
      if (auto printed = print(batch->rows); !printed)
        return printed;
      empty = batch->more ? 0 : empty + 1;
      if (empty > 0)
        std::this_thread::sleep_for(source_.idle_wait(empty));
    }
    return {};
  }

private:
  using version = std::pair<sluice::table_id, sluice::schema_version>;

  void take(const std::vector<sluice::ddl_event>& schemas) {
    for (const auto& x : schemas)
      schemas_[{x.schema.table, x.schema.version}] = x.schema;
  }
  /// About once a second.
  void say(const sluice::copy_progress& x) {
    auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
    auto pace = pace_.on_rows(x.all_done, x.all_total, now);
    if (now - said_ < std::chrono::seconds{1})
      return;
    said_ = now;
    auto shown = sluice::source_status{};
    shown.copying = x.table;
    shown.copied = x.rows_done;
    shown.copy_total = x.rows_total;
    shown.copied_all = x.all_done;
    shown.copy_all_total = x.all_total;
    shown.copy_rate = pace.rate;
    shown.copy_seconds_left = pace.seconds_left;
    fmt::print(stderr, "pg_tail: {}\n", copy_note(shown));
  }
  sluice::status print(const sluice::block_ptr& rows) {
    if (rows == nullptr)
      return {};
    lines_.clear();
    auto now = std::chrono::system_clock::now();
    for (std::size_t i = 0; i < rows->rows(); ++i) {
      auto row = rows->row(i);
      if (row.op() == sluice::row_op::snapshot_begin)
        continue;
      const auto& schema = schemas_.at({row.table(), row.schema()});
      if (auto done = encoder_->append(schema, row, now, lines_); !done)
        return done;
    }
    std::fwrite(lines_.data(), 1, lines_.size(), stdout);
    if (std::fflush(stdout) != 0)
      interrupted = 1; // who reads has gone
    return {};
  }

  sluice::postgres_source source_;
  std::shared_ptr<sluice::source_journal> journal_ =
    sluice::make_memory_journal();
  std::optional<sluice::change_encoder> encoder_; // knows the database
  sluice::copy_pace_state pace_;
  std::chrono::milliseconds said_{};
  std::map<version, sluice::table_schema> schemas_;
  std::string lines_;
};

} // namespace

int main(int argc, char** argv) {
  auto from = sluice::postgres_source_options{};
  from.temporary = true;
  from.copy = false;
  from.publication = "sluice_tail";
  from.tables = {{"*"}, {}};
  auto app = CLI::App{"Prints the changes of a PostgreSQL database."};
  app.add_option("conninfo", from.conninfo, "As psql takes it")->required();
  app.add_option("--table", from.tables.include,
                 "Only these, e.g. 'public.order*'");
  app.add_option("--publication", from.publication,
                 "One that is there is used and stays");
  app.add_flag("--copy", from.copy, "First all rows that are there");
  if (auto ended = parse_arguments(app, argc, argv, program,
                                   "a connection string"))
    return *ended;
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  std::signal(SIGPIPE, SIG_IGN);
  auto done = tail{std::move(from)}.run();
  return done ? 0 : failed(done.error());
}
