#pragma once

#include <map>
#include <set>
#include <thread>

#include "store/memory_log.hpp"
#include "store/rocksdb_log.hpp"
#include "store/segment_log.hpp"
#include "tests/bench/store_report.hpp"
#include "tests/bench/store_subjects.hpp"

/// What store_bench runs.
namespace sluice::bench {

struct settings {
  std::vector<std::uint64_t> tables = {1, 1000, 100'000};
  std::vector<std::uint64_t> row_bytes = {100, 256, 1024};
  std::uint64_t mib = 96; ///< Of rows, per workload.
  int runs = 3;
  std::uint64_t recovery_mib = 256;
  bool full = false;
  bool json = false;
  bool cpu = false;              ///< See stopwatch.
  std::vector<std::string> only; ///< Workloads; empty: all.
};

constexpr auto raw = "raw pwritev";
constexpr auto vector = "vector";
constexpr auto segments = "segment_log";
constexpr auto packaged = "rocksdb_log";
constexpr std::uint64_t segment_bytes = 64U << 20;
constexpr std::uint64_t tail_bytes = 64U << 20;
/// Blocks between two rounds of the consumers, and rounds that a floor is
/// behind, which is also how often there is a sync: each 16 MiB, as a service.
constexpr std::size_t tick_blocks = 16;
constexpr std::size_t ticks_kept = 4;

/// Every subject under its name.
using makers = std::vector<
  std::pair<std::string, std::function<std::unique_ptr<subject>()>>>;

inline std::unique_ptr<subject> of(std::unique_ptr<log_engine> log) {
  return std::make_unique<engine_subject>(std::move(log));
}

inline std::unique_ptr<log_engine> open_log(const std::string& directory,
                                            std::uint64_t tail) {
  return need(segment_log::open({directory, segment_bytes, tail, nullptr}));
}

/// @param tail Of the engines, in bytes.
/// @param turn Who comes first is another one each time.
inline makers subjects(const std::string& directory, std::uint64_t tail,
                       consumers of_limit, int turn) {
  auto result = makers{
    {vector, [] { return std::make_unique<vector_subject>(); }},
    {raw, [=] { return std::make_unique<raw_subject>(directory, of_limit); }},
    {"memory_log", [] { return of(make_memory_log()); }},
    {segments, [=] { return of(open_log(directory, tail)); }}};
#ifdef SLUICE_ROCKSDB
  result.emplace_back(packaged, [=] {
    return of(need(open_rocksdb_log({directory, segment_bytes, tail})));
  });
#endif
  auto first = static_cast<std::ptrdiff_t>(turn) % std::ssize(result);
  std::rotate(result.begin(), result.begin() + first, result.end());
  return result;
}

inline double per_second(std::uint64_t n, double seconds) {
  return static_cast<double>(n) / seconds;
}

// -- appending ----------------------------------------------------------------

inline void ingest(report& to, const rows_made& rows, int turn) {
  auto space = scratch{};
  for (const auto& [who, make] :
       subjects(space.file("log"), tail_bytes, consumers::none, turn)) {
    auto heap = heap_bytes();
    auto uut = make();
    auto cpu = cpu_seconds();
    auto watch = stopwatch{};
    for (const auto& block : rows.blocks)
      uut->append(block);
    to.add("ingest, rows/s", who, per_second(rows.rows, watch.seconds()));
    to.add("ingest, CPU ns/row", who,
           (cpu_seconds() - cpu) * 1e9 / static_cast<double>(rows.rows));
    auto grown = static_cast<double>(heap_bytes()) - static_cast<double>(heap);
    to.add("index, bytes/row", who,
           std::max(0.0, grown) / static_cast<double>(rows.rows));
    uut.reset();
    std::filesystem::remove_all(space.file("log"));
  }
}

// -- consumers that keep up ---------------------------------------------------

/// What consumers have still to read, by table.
inline std::vector<reader> touched(const rows_made& rows, std::size_t first,
                                   std::size_t last) {
  auto tables = std::set<table_id>{};
  for (auto i = first; i < last; ++i)
    for (const auto& run : rows.blocks[i]->runs())
      tables.insert(run.table);
  auto after = row_cursor::end_of(
    rows.blocks[first]->first_cursor().commit_ts.previous());
  auto result = std::vector<reader>{};
  for (auto table : tables)
    result.push_back({table, after});
  return result;
}

inline void mixed(report& to, const rows_made& rows, int turn) {
  auto ticks = std::vector<std::vector<reader>>{};
  for (std::size_t i = 0; i < rows.blocks.size(); i += tick_blocks)
    ticks.push_back(
      touched(rows, i, std::min(i + tick_blocks, rows.blocks.size())));
  auto space = scratch{};
  for (const auto& [who, make] :
       subjects(space.file("log"), tail_bytes, consumers::in_memory, turn)) {
    auto uut = make();
    auto written = bytes_written();
    auto scanning = 0.0;
    auto seen = std::uint64_t{0};
    auto watch = stopwatch{};
    for (std::size_t tick = 0; tick < ticks.size(); ++tick) {
      auto first = tick * tick_blocks;
      auto last = std::min(first + tick_blocks, rows.blocks.size());
      for (auto i = first; i < last; ++i)
        uut->append(rows.blocks[i]);
      auto scan_watch = stopwatch{};
      seen += uut->scan(ticks[tick]);
      scanning += scan_watch.seconds();
      if (tick % ticks_kept == ticks_kept - 1)
        uut->begin_sync();
      if (tick >= 2 * ticks_kept)
        uut->release(rows.blocks[(tick - 2 * ticks_kept) * tick_blocks]
                       ->last_cursor()
                       .commit_ts);
    }
    uut->end_sync();
    auto seconds = watch.seconds();
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

// -- cold reads ---------------------------------------------------------------

/// A hot table, some in the middle, and a cold one.
inline std::set<std::uint64_t> some_of(std::uint64_t tables) {
  return {1, tables / 100 + 1, tables / 10 + 1, tables};
}

inline void scan_all(report& to, const std::string& what,
                     const std::string& who, subject& uut) {
  auto watch = stopwatch{};
  auto seen = uut.scan(std::array{reader{all_tables}});
  to.add(what + ", all, rows/s", who, per_second(seen, watch.seconds()));
}

inline void scan_some(report& to, const std::string& what,
                      const std::string& who, subject& uut,
                      std::uint64_t tables) {
  auto watch = stopwatch{};
  auto seen = std::uint64_t{0};
  for (auto table : some_of(tables))
    seen += uut.scan(std::array{reader{{table}}});
  to.add(what + ", tables, rows/s", who, per_second(seen, watch.seconds()));
}

inline void cold(report& to, const rows_made& rows, std::uint64_t tables,
                 int turn) {
  auto space = scratch{};
  for (const auto& [who, make] :
       subjects(space.file("log"), 0, consumers::from_files, turn)) {
    auto uut = make();
    for (const auto& block : rows.blocks)
      uut->append(block);
    uut->begin_sync();
    uut->end_sync();
    scan_all(to, "cold scan", who, *uut);
    scan_some(to, "cold scan", who, *uut, tables);
    if (who == raw) {
      scan_all(to, "rewritten scan", who, *uut);
      scan_some(to, "rewritten scan", who, *uut, tables);
    }
    if (who == segments || who == packaged) {
      // Opened anew nothing is in an open segment, or in an engine's memory.
      auto again = [&uut, &open = make] {
        uut.reset();
        uut = open();
      };
      again();
      uut->rewrite();
      again();
      scan_all(to, "rewritten scan", who, *uut);
      again();
      scan_some(to, "rewritten scan", who, *uut, tables);
    }
    uut.reset();
    std::filesystem::remove_all(space.file("log"));
  }
}

// -- retention ----------------------------------------------------------------

/// Carries out what an engine wants to have rewritten now.
inline void rewrite_due(log_engine& log,
                        const std::function<timestamp(table_id)>& floor_of) {
  while (auto order = log.plan_rewrite(floor_of, log.last()))
    need(log.disk()->remove(log.rewritten(need(log.rewriter()->run(*order)))));
}

/// The rows of one table in `nth` are kept for ever, of all if it is 1.
inline void retain(report& to, const std::string& what, const rows_made& rows,
                   std::uint64_t nth) {
  auto space = scratch{};
  auto uut = engine_subject{open_log(space.file("log"), tail_bytes)};
  auto written = bytes_written();
  for (std::size_t i = 0; i < rows.blocks.size(); ++i) {
    uut.append(rows.blocks[i]);
    if (i % (tick_blocks * ticks_kept) != 0)
      continue;
    uut.begin_sync();
    uut.end_sync();
    auto ts = rows.blocks[i]->last_cursor().commit_ts;
    auto floor_of = [=](table_id table) {
      return table.value % nth == 0 ? timestamp{} : ts;
    };
    need(uut.log().disk()->remove(uut.log().release(floor_of)));
    rewrite_due(uut.log(), floor_of);
  }
  to.add(
    "write amp., " + what, segments,
    per_second(bytes_written() - written, static_cast<double>(rows.bytes)));
}

/// One slow table keeps every segment. Then segments are rewritten, then it
/// gets its rows.
inline void give_back(report& to, const rows_made& rows) {
  auto space = scratch{};
  auto uut = engine_subject{open_log(space.file("log"), tail_bytes)};
  auto& log = uut.log();
  for (const auto& block : rows.blocks)
    uut.append(block);
  uut.begin_sync();
  uut.end_sync();
  auto free = [&](const std::function<timestamp(table_id)>& floor_of) {
    auto watch = stopwatch{};
    need(log.disk()->remove(log.release(floor_of)));
    rewrite_due(log, floor_of);
    auto seconds = watch.seconds();
    auto bound = 2 * log.live_bytes(floor_of) + 2 * segment_bytes;
    if (bytes_in(space.file("log")) > bound)
      give_up("the disk holds more than twice what is live and two segments");
    return seconds;
  };
  auto ts = log.resolved();
  to.add("disk back, 1 slow table, s", segments, free([&](table_id table) {
           return table == table_id{100} ? timestamp{} : ts;
         }));
  to.add("disk back, floor moved, s", segments,
         free([&](table_id) { return ts; }));
}

// -- memory -------------------------------------------------------------------

/// What a log takes when nobody else holds its blocks.
inline double memory_of(const std::string& directory, std::uint64_t mib,
                        std::uint64_t tail) {
  auto heap = heap_bytes();
  auto log = open_log(directory, tail);
  for (std::uint64_t i = 0; i < mib; i += 4)
    for (auto& x : make_rows(1000, 256, 4U << 20, i, log->resolved()).blocks)
      (void) need(log->append(x, x->last_cursor().commit_ts));
  return static_cast<double>(heap_bytes() - heap);
}

inline void memory(report& to, std::uint64_t mib) {
  auto space = scratch{};
  auto index = memory_of(space.file("without"), mib, 0);
  auto all = memory_of(space.file("with"), mib, tail_bytes);
  to.add("memory, index, bytes", segments, index);
  to.add("memory but for index, bytes", segments, all - index);
}

// -- opening ------------------------------------------------------------------

inline void recovery(report& to, const rows_made& rows, int turn) {
  auto space = scratch{};
  auto directory = space.file("log");
  for (const auto& [who, make] :
       subjects(directory, tail_bytes, consumers::none, turn)) {
    if (who != segments && who != packaged)
      continue;
    auto uut = make();
    for (std::size_t i = 0; i < rows.blocks.size(); ++i) {
      uut->append(rows.blocks[i]);
      if (i % (tick_blocks * ticks_kept) == 0)
        uut->begin_sync();
    }
    uut->begin_sync();
    uut.reset();
    for (auto from_disk : {false, true}) {
      auto prepare = from_disk ? drop_from_cache : read_files;
      prepare(directory);
      auto watch = stopwatch{};
      read_files(directory);
      auto reading = watch.seconds();
      prepare(directory);
      watch = {};
      uut = make();
      auto opening = watch.seconds();
      uut.reset();
      auto name = std::string{from_disk ? "open from disk" : "open"};
      to.add(name + ", s", who, opening);
      to.add(name + " / read once", who, opening / reading);
    }
    std::filesystem::remove_all(directory);
  }
}

} // namespace sluice::bench
