// The log engines side by side, and two limits on the same rows: files written
// with pwritev and nothing else, and vectors in memory. All in one table.
//
//   store_bench [--tables 1,1000,100000] [--row-bytes 100,256,1024] [--mib 64]
//               [--runs 3] [--sync-mib 0] [--recovery-mib 256] [--full]
//               [--json]
//
// Each run takes the subjects in turn, beginning with another one; the figures
// are medians over the runs. Rows are in memory before the clock starts, reads
// come from the page cache.
#include <array>
#include <map>
#include <set>

#include <CLI/CLI.hpp>

#include "store/memory_log.hpp"
#include "store/rocksdb_log.hpp"
#include "store/segment_log.hpp"
#include "tests/bench/store_workloads.hpp"

namespace {

using namespace sluice;
using namespace sluice::bench;

struct settings {
  std::vector<std::uint64_t> tables = {1, 1000, 100'000};
  std::vector<std::uint64_t> row_bytes = {100, 256, 1024};
  std::uint64_t mib = 64; ///< Of rows, per workload.
  int runs = 3;
  std::uint64_t sync_mib = 0; ///< While it is appended; 0: never.
  std::uint64_t recovery_mib = 256;
  bool full = false;
  bool json = false;
};

constexpr auto raw = "raw pwritev";
constexpr auto vector = "vector";
constexpr auto packaged = "rocksdb_log";
/// Blocks between two rounds of the consumers, and rounds that a floor is
/// behind.
constexpr std::size_t tick_blocks = 16;
constexpr std::size_t ticks_kept = 4;

/// Every subject under its name.
using makers = std::vector<
  std::pair<std::string, std::function<std::unique_ptr<subject>()>>>;

std::unique_ptr<subject> of(std::unique_ptr<log_engine> log) {
  return std::make_unique<engine_subject>(std::move(log));
}

std::unique_ptr<log_engine> open_segment_log(const std::string& directory,
                                             std::uint64_t tail_bytes) {
  return need(segment_log::open({directory, 64U << 20, tail_bytes, nullptr}));
}

/// @param tail_bytes Of the engines.
/// @param turn Who comes first is another one each time.
makers subjects(const std::string& directory, std::uint64_t tail_bytes,
                bool limit_is_indexed, int turn) {
  auto result = makers{
    {vector, [] { return std::make_unique<vector_subject>(); }},
    {raw,
     [=] {
       return std::make_unique<raw_subject>(directory, limit_is_indexed);
     }},
    {"memory_log", [] { return of(make_memory_log()); }},
    {"segment_log",
     [=] { return of(open_segment_log(directory, tail_bytes)); }}};
#ifdef SLUICE_ROCKSDB
  result.emplace_back(packaged, [=] {
    return of(need(open_rocksdb_log({directory, 64U << 20, tail_bytes})));
  });
#endif
  auto first = static_cast<std::ptrdiff_t>(turn) % std::ssize(result);
  std::rotate(result.begin(), result.begin() + first, result.end());
  return result;
}

/// Figures by workload, measure and subject.
class report {
public:
  report(bool json, std::string workload)
    : json_{json}, workload_{std::move(workload)} {
    // nop
  }

  void add(const std::string& name, const std::string& who, double x) {
    auto known = std::find_if(measures_.begin(), measures_.end(),
                              [&](const auto& m) { return m.name == name; });
    if (known == measures_.end())
      known = measures_.insert(known, {name, {}, {}});
    if (known->figures.find(who) == known->figures.end())
      known->order.push_back(who);
    known->figures[who].push_back(x);
  }

  void print(const std::map<std::string, std::string>& limits) const {
    for (const auto& m : measures_) {
      auto limit = limits.find(m.name);
      for (const auto& who : m.order) {
        auto x = median(m.figures.at(who));
        auto share = limit == limits.end() ? 0 : ratio(m, x, limit->second);
        print(m, who, x, share, ratio(m, x, packaged));
      }
    }
  }

private:
  struct measure {
    std::string name;
    std::vector<std::string> order;
    std::map<std::string, std::vector<double>> figures;
  };

  static double ratio(const measure& m, double x, const std::string& other) {
    auto found = m.figures.find(other);
    auto y = found == m.figures.end() ? 0 : median(found->second);
    return y == 0 ? 0 : x / y;
  }

  void print(const measure& m, const std::string& who, double x, double limit,
             double rocksdb) const {
    const auto& all = m.figures.at(who);
    auto low = *std::min_element(all.begin(), all.end());
    auto high = *std::max_element(all.begin(), all.end());
    if (json_)
      fmt::print("{{\"workload\":\"{}\",\"measure\":\"{}\",\"subject\":\"{}\","
                 "\"median\":{:.6g},\"min\":{:.6g},\"max\":{:.6g},"
                 "\"of_limit\":{:.3f},\"of_rocksdb\":{:.3f}}}\n",
                 workload_, m.name, who, x, low, high, limit, rocksdb);
    else
      fmt::print("{:<22} {:<24} {:<12} {:>13} {:>13}..{:<13} {:>6} {:>7}\n",
                 workload_, m.name, who, shown(x), shown(low), shown(high),
                 shown_ratio(limit), shown_ratio(rocksdb));
    std::fflush(stdout);
  }

  static std::string shown(double x) {
    return x < 100 ? fmt::format("{:.3f}", x) : grouped(x);
  }
  static std::string shown_ratio(double x) {
    return x == 0 ? "" : fmt::format("{:.2f}", x);
  }

  bool json_;
  std::string workload_;
  std::vector<measure> measures_;
};

double per_second(std::uint64_t n, double seconds) {
  return static_cast<double>(n) / seconds;
}

// -- workloads ----------------------------------------------------------------

void ingest(report& to, const settings& how, const rows_made& rows, int turn) {
  auto space = scratch{};
  for (const auto& [who, make] :
       subjects(space.file("log"), 64U << 20, false, turn)) {
    auto heap = heap_bytes();
    auto uut = make();
    auto unsynced = std::uint64_t{0};
    auto begin = clock::now();
    for (const auto& block : rows.blocks) {
      uut->append(block);
      unsynced += block->bytes().size();
      if (how.sync_mib > 0 && unsynced >= how.sync_mib << 20) {
        uut->sync();
        unsynced = 0;
      }
    }
    to.add("ingest, rows/s", who, per_second(rows.rows, seconds_since(begin)));
    auto grown = static_cast<double>(heap_bytes()) - static_cast<double>(heap);
    to.add("memory, bytes/row", who,
           std::max(0.0, grown) / static_cast<double>(rows.rows));
    uut.reset();
    std::filesystem::remove_all(space.file("log"));
  }
}

/// What consumers have still to read, by table.
std::map<table_id, row_cursor> touched(const rows_made& rows, std::size_t first,
                                       std::size_t last) {
  auto result = std::map<table_id, row_cursor>{};
  for (auto i = first; i < last; ++i)
    for (const auto& run : rows.blocks[i]->runs())
      result.emplace(
        run.table, row_cursor::end_of(
                     {rows.blocks[first]->first_cursor().commit_ts.value - 1}));
  return result;
}

void mixed(report& to, const rows_made& rows, int turn) {
  auto ticks = std::vector<std::map<table_id, row_cursor>>{};
  for (std::size_t i = 0; i < rows.blocks.size(); i += tick_blocks)
    ticks.push_back(
      touched(rows, i, std::min(i + tick_blocks, rows.blocks.size())));
  auto space = scratch{};
  for (const auto& [who, make] :
       subjects(space.file("log"), 64U << 20, true, turn)) {
    auto uut = make();
    auto written = bytes_written();
    auto scanning = 0.0;
    auto seen = std::uint64_t{0};
    auto begin = clock::now();
    for (std::size_t tick = 0; tick < ticks.size(); ++tick) {
      auto first = tick * tick_blocks;
      auto last = std::min(first + tick_blocks, rows.blocks.size());
      for (auto i = first; i < last; ++i)
        uut->append(rows.blocks[i]);
      auto scan_begin = clock::now();
      for (const auto& entry : ticks[tick])
        seen += uut->scan(entry.first, entry.second);
      scanning += seconds_since(scan_begin);
      if (tick >= ticks_kept)
        uut->release(rows.blocks[(tick - ticks_kept) * tick_blocks]
                       ->last_cursor()
                       .commit_ts);
    }
    auto seconds = seconds_since(begin);
    if (seen != rows.rows)
      give_up(
        fmt::format("{}: consumers saw {} of {} rows", who, seen, rows.rows));
    to.add("tail scan, rows/s", who, per_second(rows.rows, scanning));
    to.add("mixed, rows/s", who, per_second(rows.rows, seconds));
    to.add(
      "write amplification", who,
      per_second(bytes_written() - written, static_cast<double>(rows.bytes)));
    uut.reset();
    std::filesystem::remove_all(space.file("log"));
  }
}

void cold(report& to, const rows_made& rows, std::uint64_t tables, int turn) {
  auto space = scratch{};
  // Of a hot table, some in the middle, and a cold one.
  auto some = std::set<std::uint64_t>{1, tables / 100 + 1, tables / 10 + 1,
                                      tables};
  for (const auto& [who, make] : subjects(space.file("log"), 0, true, turn)) {
    auto uut = make();
    for (const auto& block : rows.blocks)
      uut->append(block);
    uut->sync();
    auto begin = clock::now();
    auto seen = uut->scan(all_tables, {});
    to.add("cold scan, all, rows/s", who,
           per_second(seen, seconds_since(begin)));
    begin = clock::now();
    seen = 0;
    for (auto table : some)
      seen += uut->scan({table}, {});
    to.add("cold scan, tables, rows/s", who,
           per_second(seen, seconds_since(begin)));
    uut.reset();
    std::filesystem::remove_all(space.file("log"));
  }
}

void recovery(report& to, const rows_made& rows, int turn) {
  auto space = scratch{};
  auto directory = space.file("log");
  for (const auto& [who, make] : subjects(directory, 64U << 20, false, turn)) {
    if (who != "segment_log" && who != packaged)
      continue;
    auto uut = make();
    for (const auto& block : rows.blocks)
      uut->append(block);
    uut.reset();
    read_files(directory);
    auto begin = clock::now();
    read_files(directory);
    auto reading = seconds_since(begin);
    begin = clock::now();
    uut = make();
    auto opening = seconds_since(begin);
    to.add("open, s", who, opening);
    to.add("open / read files once", who, opening / reading);
    uut.reset();
    std::filesystem::remove_all(directory);
  }
}

void run(const settings& how, std::uint64_t tables, std::uint64_t row_bytes) {
  auto rows = make_rows(tables, row_bytes, how.mib << 20, 1);
  auto to = report{how.json, fmt::format("T={} v={}", tables, row_bytes)};
  for (int i = 0; i < how.runs; ++i) {
    ingest(to, how, rows, i);
    mixed(to, rows, i);
    cold(to, rows, tables, i);
  }
  to.print({{"ingest, rows/s", raw},
            {"tail scan, rows/s", vector},
            {"mixed, rows/s", raw},
            {"cold scan, all, rows/s", vector},
            {"cold scan, tables, rows/s", vector}});
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
  app.add_option("--sync-mib", how.sync_mib);
  app.add_option("--recovery-mib", how.recovery_mib);
  app.add_flag("--full", how.full, "1 GiB to recover");
  app.add_flag("--json", how.json, "One line of JSON per figure");
  CLI11_PARSE(app, argc, argv);
  if (how.full)
    how.recovery_mib = 1024;
  if (!how.json)
    fmt::print("{:<22} {:<24} {:<12} {:>13} {:>13}  {:<13} {:>6} {:>7}\n",
               "workload", "measure", "subject", "median", "min", "max",
               "/limit", "/rocks");
  for (auto tables : how.tables)
    for (auto bytes : how.row_bytes)
      run(how, tables, bytes);
  auto rows = make_rows(1000, 256, how.recovery_mib << 20, 2);
  auto to = report{how.json, fmt::format("recovery {} MiB", how.recovery_mib)};
  for (int i = 0; i < how.runs; ++i)
    recovery(to, rows, i);
  to.print({});
}
