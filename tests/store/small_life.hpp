#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>

#include "store/segment_files.hpp"
#include "tests/store/spools.hpp"
#include "tests/store/stored_rows.hpp"
#include "tests/support/simulated_disk.hpp"

namespace log_test {

using sluice::test::dice;
using sluice::test::disk_call;
using sluice::test::power_cut;
using sluice::test::simulated_disk;

inline constexpr auto small_directory = "/log";

/// Files of a directory of a simulated disk.
using disk_image = std::map<std::string, std::string>;

inline std::string bytes_of(simulated_disk& disk, const std::string& path) {
  auto fd = disk.open(path.c_str(), O_RDONLY, 0);
  auto result = std::string(static_cast<std::size_t>(disk.size(fd)), '\0');
  REQUIRE(disk.pread(fd, result.data(), result.size(), 0)
          == static_cast<ssize_t>(result.size()));
  disk.close(fd);
  return result;
}

inline disk_image image_of(simulated_disk& disk) {
  auto names = std::vector<std::string>{};
  REQUIRE(disk.list(small_directory, names) == 0);
  auto result = disk_image{};
  for (const auto& name : names)
    result[name] = bytes_of(disk, std::string{small_directory} + '/' + name);
  return result;
}

/// A disk that has these files and nothing else.
inline std::shared_ptr<simulated_disk> disk_of(const disk_image& files) {
  auto result = std::make_shared<simulated_disk>();
  result->mkdir(small_directory, 0777);
  for (const auto& [name, bytes] : files) {
    auto path = std::string{small_directory} + '/' + name;
    auto fd = result->open(path.c_str(), O_RDWR | O_CREAT, 0666);
    auto part = iovec{const_cast<char*>(bytes.data()), bytes.size()};
    REQUIRE(result->pwritev(fd, &part, 1, 0)
            == static_cast<ssize_t>(bytes.size()));
    result->fsync(fd);
    result->close(fd);
  }
  return result;
}

/// The text of table 1's row at `ts`: no two rows are alike.
inline std::string text_at(std::uint64_t ts) {
  return std::string(250, static_cast<char>('a' + ts % 26))
         + std::to_string(ts);
}

/// A short life of a log, always the same: it makes, rolls, syncs, abandons,
/// releases and rewrites segments and spool files. Each ts is a row of table 1
/// and one of table 2; an odd one from 3 on is spooled.
struct small_life {
  static constexpr auto rows = std::uint64_t{12};

  std::shared_ptr<simulated_disk> disk;
  std::uint64_t acknowledged = 0; // by append
  std::uint64_t attempted = 0;
  std::uint64_t durable = 0;
  std::array<std::uint64_t, 2> floors = {}; // by table: rows <= may be gone
  std::unique_ptr<segment_log> log = {};

  bool open() {
    auto opened = segment_log::open({small_directory, 4096 + 900, 0, disk});
    if (opened)
      log = std::move(*opened);
    return opened.has_value();
  }

  /// Until it ends, or the first call of it fails.
  bool run() {
    if (!open())
      return false;
    for (std::uint64_t ts = 1; ts <= rows; ++ts)
      if (!append(ts) || (ts % 4 == 0 && !synced())
          || (ts % 4 == 2 && !abandoned(ts)) || (ts == 9 && !let_go(4))
          || (ts == 11 && !rewritten(8)))
        return false;
    return true;
  }

  bool append(std::uint64_t ts) {
    attempted = ts;
    auto both = std::vector<row>{{1, ts, true, text_at(ts)},
                                 {2, ts, true, "x", 1}};
    auto done = is_spooled(ts) ? spooled(both)
                               : log->append(block_of(both), {ts}).has_value();
    if (done)
      acknowledged = ts;
    return done;
  }

  static bool is_spooled(std::uint64_t ts) { return ts >= 3 && ts % 2 == 1; }

  // A row each in two chunks, with rows that are left out behind the second
  // one and in a third. Another transaction goes on, and one is aborted.
  bool spooled(const std::vector<row>& both) {
    auto ts = both[0].ts;
    auto id = transaction_id{ts};
    auto sub = transaction_id{100 + ts};
    auto take = [&](transaction_id of, const std::vector<row>& x,
                    const std::vector<rows_of_transaction>& whose = {}) {
      return log->spool(of, uncommitted(x), whose).has_value();
    };
    auto open = row{1, 2000 + ts, true, "open", ts};
    auto out = row{1, 1000 + ts, true, "left out", 2};
    auto more = row{2, 1000 + ts, true, "left out", 3};
    if (!take({1}, {open}) || !take(id, {both[0]}) || !take({2}, {open})
        || !take(id, {both[1], out}, {{id, 1}, {sub, 1}})
        || !take(id, {more}, {{sub, 1}}))
      return false;
    if (!log->disk()->remove(log->abort_spooled({2})))
      return false;
    log->leave_out(id, sub);
    return log->commit_spooled(id, {{ts}, {ts}, {ts}}).has_value();
  }

  bool synced() {
    if (!sync(*log))
      return false;
    durable = acknowledged;
    return true;
  }

  // Rows that nobody was told of, and the end of a transaction among them.
  bool abandoned(std::uint64_t ts) {
    return log->append(block_of({{1, 1000 + ts, false}}), {}).has_value()
           && log->abandon_open().has_value();
  }

  [[nodiscard]] timestamp floor_of(table_id table) const {
    return {floors.at(table.value - 1)};
  }

  bool let_go(std::uint64_t floor) {
    floors = {floor, floor};
    auto gone = log->release([&](table_id x) { return floor_of(x); });
    return !gone.empty() && log->disk()->remove(gone).has_value();
  }

  // What table 2 alone needs.
  bool rewritten(std::uint64_t floor) {
    floors[0] = floor;
    auto order = log->plan_rewrite([&](table_id x) { return floor_of(x); },
                                   log->last());
    if (!order)
      return false;
    auto done = log->rewriter()->run(*order);
    if (!done)
      return false;
    auto gone = log->rewritten(*done);
    auto removed = log->disk()->remove(gone).has_value();
    // With the old segments go the spool files that they name.
    std::erase_if(gone, is_spool);
    return gone == order->segments && removed;
  }
};

/// What one gets who reads a table to its end, or to where it cannot be read.
/// Each row has to be what was appended.
struct small_reading {
  std::vector<std::uint64_t> rows;
  error failure;
};

inline small_reading read_small(segment_log& log, std::uint64_t table) {
  auto found = read_stored(log, table, {}, 500);
  for (const auto& x : found.rows) {
    auto ts = x.at.commit_ts.value;
    auto wanted = row{table, ts, true, table == 1 ? text_at(ts) : "x",
                      table - 1};
    REQUIRE(x.bytes == block_of({wanted})->row(0).bytes());
  }
  return {found.commit_ts(), found.failure};
}

/// Rows come one after another; above the floor none is left out.
/// @returns The last one, or the floor.
inline std::uint64_t last_in_order(const std::vector<std::uint64_t>& rows,
                                   std::uint64_t floor) {
  auto last = std::uint64_t{0};
  for (auto ts : rows) {
    REQUIRE(ts > last);
    REQUIRE(ts <= std::max(last, floor) + 1);
    last = ts;
  }
  return std::max(last, floor);
}

/// Both tables have every row above their floor up to one in
/// [at_least, at_most]; the log goes on behind it.
inline void check_small(const small_life& was, segment_log& log,
                        std::uint64_t at_least) {
  CAPTURE(at_least);
  CAPTURE(was.attempted);
  REQUIRE(log.report().blocks_lost == 0);
  REQUIRE(log.last() == log.last_closed());
  auto last = log.appended_to().commit_ts.value;
  REQUIRE(last >= at_least);
  REQUIRE(last <= was.attempted);
  for (std::uint64_t table = 1; table <= 2; ++table) {
    auto got = read_small(log, table);
    REQUIRE_FALSE(got.failure);
    REQUIRE(last_in_order(got.rows, std::min(was.floors[table - 1], last))
            == last);
  }
}

} // namespace log_test
