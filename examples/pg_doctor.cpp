// Says what a PostgreSQL server lacks before its changes can be captured, and
// prints the SQL that makes it. Changes nothing itself.
//
//   pg_doctor 'host=db1 dbname=shop user=app' --table 'public.*'
//
//   shop on db1:5432 as app
//   ok       version: 15.20 (Debian 15.20-0+deb12u1)
//   ok       wal_level: logical
//   ok       role: app may replicate
//   ok       max_replication_slots: 0 of 10 replication slots are taken
//   ok       max_wal_senders: 0 of 10 WAL senders are taken
//   ok       max_slot_wal_keep_size: 50GB
//   warning  table public.audit: has no primary key; it is left out
//              Declare a primary key, or leave the table out.
//   ok       table public.items: key (id), about 12000 rows
//   missing  publication: sluice is not there
//   missing  slot: sluice is not there
//
//   -- To be run in psql, in this database; then look again.
//   CREATE PUBLICATION "sluice" FOR TABLE ONLY "public"."items" WITH (...);
//   SELECT pg_create_logical_replication_slot('sluice', 'pgoutput');
//
// A source that may make publication and slot (set_up) makes them itself.
// Exit status: 0 if rows can flow, 1 if something is missing, 2 if it could
// not look.
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "actors/sources/postgres/pg_setup.hpp"
#include "arguments.hpp"

namespace {

using sluice::postgres::connection;
using sluice::postgres::finding;
using sluice::postgres::report;
using level = finding::level;

constexpr auto program = "pg_doctor";

int failed(const sluice::error& x) {
  return fail_program(program, x);
}

const char* word_for(level x) {
  switch (x) {
    case level::good:
      return "ok";
    case level::warning:
      return "warning";
    case level::missing:
      return "missing";
    default:
      return "broken";
  }
}

bool stops(const finding& x) {
  return x.how == level::missing || x.how == level::broken;
}

// What stops rows has its SQL in the block below; advice stands here.
void print(const finding& x) {
  fmt::print("{:<9}{}: {}\n", word_for(x.how), x.what, x.detail);
  if (stops(x) && !x.sql.empty())
    return;
  for (const auto& sql : x.sql)
    fmt::print("{:<11}{}\n", "", sql);
  if (!x.remedy.empty())
    fmt::print("{:<11}{}\n", "", x.remedy);
}

void print_sql(const report& found) {
  fmt::print("\n-- To be run in psql, in this database; then look again.\n");
  for (const auto& x : found.findings) {
    if (!stops(x) || x.sql.empty())
      continue;
    for (const auto& sql : x.sql)
      fmt::print("{}\n", sql);
    if (!x.remedy.empty())
      fmt::print("-- {}\n", x.remedy);
  }
}

int look(const sluice::postgres_source_options& options) {
  if (auto valid = options.validate(); !valid)
    return failed(valid.error());
  auto to = connection::open(options.conninfo, connection::kind::plain,
                             options.patience);
  if (!to)
    return failed(to.error());
  auto found = examine(*to, options);
  if (!found)
    return failed(found.error());
  fmt::print("{}\n", to->where());
  auto has_sql = false;
  for (const auto& x : found->findings) {
    print(x);
    has_sql = has_sql || (stops(x) && !x.sql.empty());
  }
  if (has_sql)
    print_sql(*found);
  return found->obstacle(false) == nullptr ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  auto options = sluice::postgres_source_options{};
  auto tables = std::vector<std::string>{};
  auto app = CLI::App{"Says what a PostgreSQL server lacks before its changes "
                      "can be captured. Changes nothing."};
  app
    .add_option("conninfo,--conninfo", options.conninfo,
                "As for psql: 'host=... dbname=... user=...' or a URI; the "
                "password better in .pgpass or PGPASSWORD")
    ->required();
  app
    .add_option("--table", tables,
                "Look at this table, or those that match, e.g. 'public.item*'; "
                "may be repeated. All without it")
    ->expected(1)
    ->take_all();
  app.add_option("--slot", options.slot, "Name of the replication slot")
    ->capture_default_str();
  app
    .add_option("--publication", options.publication, "Name of the publication")
    ->capture_default_str();
  if (auto ended = parse_arguments(app, argc, argv, program,
                                   "a connection string"))
    return *ended;
  options.need_table = true;
  if (!tables.empty())
    options.tables.include = tables;
  return look(options);
}
