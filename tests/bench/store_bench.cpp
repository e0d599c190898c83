// The log engines side by side, and two limits on the same rows: files written
// with pwritev and nothing else, and vectors in memory. All in one table, with
// what the segment log has to reach ("need").
//
//   store_bench [--tables 1,1000,100000] [--row-bytes 100,256,1024] [--mib 96]
//               [--runs 3] [--recovery-mib 256] [--full] [--json] [--cpu]
//               [--only ingest,mixed,cold,retention,memory,recovery]
//
// Each run takes the subjects in turn, beginning with another one; the figures
// are medians over the runs. Rows are in memory before the clock starts, reads
// come from the page cache unless the measure says otherwise, and syncs go on
// beside everything else, in a thread of their own: each 16 MiB, as in a
// service.
#include <CLI/CLI.hpp>

#include "tests/bench/store_workloads.hpp"

namespace {

using namespace sluice;
using namespace sluice::bench;

const auto aims = std::map<std::string, aim>{
  {"ingest, rows/s", {raw, 0.7, 5}},
  {"ingest, CPU ns/row", {raw}},
  {"tail scan, rows/s", {vector, 0.7}},
  {"mixed, rows/s", {raw, 0.7, 5}},
  {"write amplification", {{}, 0, 0, 1.1}},
  {"cold scan, all, rows/s", {raw}},
  {"cold scan, tables, rows/s", {raw}},
  {"rewritten scan, all, rows/s", {raw, 0, 4}},
  {"rewritten scan, tables, rows/s", {raw, 0, 4}},
  {"write amp., all retained", {{}, 0, 0, 2.1}},
  {"write amp., 1 table in 10 kept", {{}, 0, 0, 2.1}},
  {"disk back, 1 slow table, s", {{}, 0, 0, 5}},
  {"disk back, floor moved, s", {{}, 0, 0, 5}},
  {"memory but for index, bytes", {{}, 0, 0, tail_bytes}},
  {"open / read once", {{}, 0, 0, 3}},
  {"open from disk / read once", {{}, 0, 0, 3}},
};

bool wanted(const settings& how, const std::string& workload) {
  return how.only.empty()
         || std::find(how.only.begin(), how.only.end(), workload)
              != how.only.end();
}

void run(const settings& how, std::uint64_t tables, std::uint64_t row_bytes) {
  auto rows = make_rows(tables, row_bytes, how.mib << 20, 1);
  auto to = report{how.json, fmt::format("T={} v={}", tables, row_bytes)};
  for (int i = 0; i < how.runs; ++i) {
    if (wanted(how, "ingest"))
      ingest(to, rows, i);
    if (wanted(how, "mixed"))
      mixed(to, rows, i);
    if (wanted(how, "cold"))
      cold(to, rows, tables, i);
  }
  to.print(aims);
}

// What depends on the size of the log, and not so much on the tables.
void run_large(const settings& how) {
  auto rows = make_rows(1000, 256, how.recovery_mib << 20, 2);
  auto to = report{how.json, fmt::format("{} MiB", how.recovery_mib)};
  for (int i = 0; i < how.runs; ++i) {
    if (wanted(how, "recovery"))
      recovery(to, rows, i);
    if (wanted(how, "retention")) {
      retain(to, "all retained", rows, 1);
      retain(to, "1 table in 10 kept", rows, 10);
      give_back(to, rows);
    }
  }
  if (wanted(how, "memory"))
    memory(to, how.recovery_mib);
  to.print(aims);
}

} // namespace

int main(int argc, char** argv) {
  auto how = settings{};
  auto app = CLI::App{"Compares the log engines with each other and limits."};
  app.add_option("--tables", how.tables)->delimiter(',');
  app.add_option("--row-bytes", how.row_bytes)
    ->delimiter(',')
    ->check(CLI::Range(80, 1 << 20));
  app.add_option("--mib", how.mib);
  app.add_option("--runs", how.runs)->check(CLI::Range(1, 99));
  app.add_option("--recovery-mib", how.recovery_mib);
  app.add_option("--only", how.only, "Workloads")->delimiter(',');
  app.add_flag("--full", how.full, "1 GiB to recover");
  app.add_flag("--cpu", how.cpu, "CPU time instead of wall time");
  app.add_flag("--json", how.json, "One line of JSON per figure");
  CLI11_PARSE(app, argc, argv);
  stopwatch::by_cpu = how.cpu;
  keep_memory();
  if (how.full)
    how.recovery_mib = 1024;
  if (!how.json)
    report::print_head();
  if (wanted(how, "ingest") || wanted(how, "mixed") || wanted(how, "cold"))
    for (auto tables : how.tables)
      for (auto bytes : how.row_bytes)
        run(how, tables, bytes);
  run_large(how);
}
