// Damage to what was durable: it stays as a gap, and nothing else goes.

#include <algorithm>
#include <map>

#include "store/segment_format.hpp"
#include "tests/store/stored_rows.hpp"

using namespace log_test;

namespace {

using numbers = std::vector<std::uint64_t>;

void put(log_engine& log, const std::vector<row>& rows,
         std::uint64_t resolved = 0) {
  REQUIRE(log.append(block_of(rows), {resolved}).has_value());
}

// What one got who read a table to the end, or to where it cannot be read.
struct reading {
  numbers rows;
  error failure;
};

std::string text_of(const numbers& rows) {
  auto result = std::string{};
  for (auto x : rows)
    result += std::to_string(x) + ' ';
  return result;
}

reading read(log_engine& log, std::uint64_t table, row_cursor after) {
  auto found = read_stored(log, table, after, 300);
  return {found.commit_ts(), found.failure};
}

// A disk that is not waited for.
struct hasty_ops : file_ops {
  int fdatasync(int) override { return 0; }
  int fsync(int) override { return 0; }
};

// A log that is what it should be, as files, and as rows.
struct damaged_log {
  struct block {
    numbers rows;
    block_location at;
  };

  explicit damaged_log(std::uint64_t seed) : random{seed} {
    auto log = open("a").value();
    for (std::uint64_t i = 1; i <= 24; ++i) {
      append(*log, i);
      // The last blocks stay unsynced in one of two logs.
      if (i == 24 ? seed % 2 == 0 : pick(2) == 0)
        REQUIRE(sync(*log).has_value());
    }
    synced = log->synced_to().value;
    appended_to = log->appended_to();
    for (const auto& piece :
         plan_scan(*log, {all_tables, {}, log->last(), 1U << 30}).pieces)
      blocks.at(piece.index.value).at = piece.location;
    REQUIRE(blocks.size() == 24);
    log.reset();
    whole.emplace(home.file("a"));
  }

  // A block; a third of them end in the middle of a transaction.
  void append(log_engine& log, std::uint64_t i) {
    auto rows = std::vector<row>{};
    for (auto n = 1 + pick(3); n > 0; --n) {
      ts += 1 + pick(2);
      rows.push_back(
        {1 + ts % 3, ts, pick(2) != 0, std::string(pick(90), 'd')});
      table_of[ts] = rows.back().table;
      blocks[i].rows.push_back(ts);
    }
    rows.back().end = rows.back().end || i == 24;
    REQUIRE(log.append(block_of(rows), {i == 24 ? ts : 0}).has_value());
  }

  expected<std::unique_ptr<segment_log>> open(const std::string& name) {
    return segment_log::open({home.file(name), 4096 + 900, 0, ops});
  }

  std::uint64_t pick(std::uint64_t max) { return random() % (max + 1); }

  void flip(const std::string& file, std::size_t at) {
    auto path = home.file("b/" + file);
    auto bytes = slurp(path);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << pick(7)));
    spill(path, bytes);
  }

  // The block that has this byte; 0: none.
  std::uint64_t block_at(const std::string& file, std::uint64_t at) {
    auto segment = std::stoull(file);
    for (const auto& [index, x] : blocks)
      if (x.at.segment == segment && x.at.offset <= at
          && at < x.at.offset + x.at.size)
        return index;
    return 0;
  }

  numbers rows_of(std::uint64_t table, std::uint64_t after, std::uint64_t to) {
    auto result = numbers{};
    for (const auto& [index, x] : blocks)
      for (auto row : x.rows)
        if (index <= to && row > after
            && (table == 0 || table_of.at(row) == table))
          result.push_back(row);
    return result;
  }

  // Whoever needs block `lost` is told so, everybody else has all rows.
  // Behind `end` it was cut.
  void check(log_engine& log, std::uint64_t lost, const std::string& where,
             row_cursor end) {
    auto next = lost == 0 ? 0 : blocks.at(lost).rows.back() + 1;
    if (blocks.contains(lost + 1))
      next = blocks.at(lost + 1).rows.front();
    for (std::uint64_t table = 0; table <= 3; ++table)
      for (std::uint64_t after = 0; after <= ts; after += 1 + pick(19)) {
        CAPTURE(table);
        CAPTURE(after);
        auto got = read(log, table, cursor(after));
        std::erase_if(got.rows, [&](auto x) { return x > ts; }); // new ones
        auto stops = lost != 0 && after < blocks.at(lost).rows.back();
        if (!stops && after < next)
          continue; // it is past it, but that cannot always be told
        auto wanted = rows_of(table, after, stops ? lost - 1 : 24);
        while (!wanted.empty() && cursor(wanted.back()) > end)
          wanted.pop_back();
        CAPTURE(text_of(got.rows));
        CAPTURE(text_of(wanted));
        REQUIRE(got.rows == wanted);
        REQUIRE(got.failure.code == (stops ? errc::log_corrupt : errc::none));
        if (stops)
          REQUIRE(got.failure.detail.find(where) != std::string::npos);
      }
  }

  temporary_directory home;
  std::shared_ptr<file_ops> ops = std::make_shared<hasty_ops>();
  std::mt19937_64 random;
  std::uint64_t ts = 0;
  std::map<std::uint64_t, std::uint64_t> table_of; // a row's
  std::map<std::uint64_t, block> blocks;
  std::uint64_t synced = 0;
  row_cursor appended_to;
  std::optional<image> whole;
};

} // namespace

TEST_CASE("a flipped byte stops who needs its block and nobody else") {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    auto run = damaged_log{seed};
    for (const auto& entry : run.whole->files) {
      const auto& file = entry.first;
      const auto& bytes = entry.second;
      if (file.find(".seg") == std::string::npos)
        continue;
      auto step = [](std::size_t at) { return at < 4096 ? 1024U : 64U; };
      for (std::size_t at = 0; at < bytes.size(); at += step(at)) {
        auto byte = std::min(at + run.pick(step(at) - 1), bytes.size() - 1);
        CAPTURE(seed);
        CAPTURE(file);
        CAPTURE(byte);
        run.whole->restore(run.home.file("b"));
        run.flip(file, byte);
        auto hit = run.block_at(file, byte);
        auto torn = hit > run.synced;
        auto lost = torn ? 0 : hit;
        auto where = run.home.file("b/" + file) + ": byte ";
        if (lost != 0)
          where += std::to_string(run.blocks.at(lost).at.offset) + ": block "
                   + std::to_string(lost) + " is damaged";
        auto end = run.appended_to;
        // The gap is the same when the log is opened again.
        for (auto round = 0; round < 2; ++round) {
          CAPTURE(round);
          CAPTURE(lost);
          CAPTURE(hit);
          auto log = run.open("b").value();
          if (!torn && round == 0) {
            REQUIRE(log->last().value == 24);
            REQUIRE(log->appended_to() == run.appended_to);
            REQUIRE(log->report().blocks_lost == (lost == 0 ? 0 : 1));
          }
          end = std::min(end, log->appended_to());
          run.check(*log, lost, where, end);
          auto next = run.ts + 10 + static_cast<std::uint64_t>(round);
          put(*log, {{1, next}});
          REQUIRE(read(*log, 1, cursor(next - 1)).rows == numbers{next});
        }
      }
    }
  }
}

TEST_CASE(
  "whatever is damaged, no row is wrong and none is left out silently") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    auto run = damaged_log{2 * seed}; // all of it is durable
    run.whole->restore(run.home.file("b"));
    auto files = segment_files_of(run.home.file("b"));
    // The last file has the mark without which nobody knows how far it went.
    files.pop_back();
    for (auto n = 1 + run.pick(4); n > 0; --n) {
      auto path = files.at(run.pick(files.size() - 1));
      auto what = run.pick(9);
      if (!fs::exists(path))
        continue;
      auto size = fs::file_size(path);
      if (what == 0)
        fs::remove(path);
      else if (what == 1)
        fs::resize_file(path, run.pick(size));
      else if (size > 0)
        run.flip(fs::path{path}.filename().string(), run.pick(size - 1));
    }
    for (auto round = 0; round < 2; ++round) {
      auto log = run.open("b");
      if (!log) {
        REQUIRE(log.error().code == errc::log_corrupt);
        REQUIRE(log.error().detail.find(".seg: byte ") != std::string::npos);
        break;
      }
      REQUIRE((*log)->last() >= block_index{24});
      for (std::uint64_t table = 0; table <= 3; ++table)
        for (std::uint64_t after = 0; after <= run.ts;
             after += 1 + run.pick(9)) {
          auto got = read(**log, table, cursor(after));
          auto wanted = run.rows_of(table, after, 24);
          if (!got.failure)
            REQUIRE(got.rows.size() >= wanted.size());
          wanted.resize(std::min(got.rows.size(), wanted.size()));
          got.rows.resize(wanted.size()); // without new ones
          REQUIRE(got.rows == wanted);
        }
      put(**log, {{1, run.ts + 10 + static_cast<std::uint64_t>(round)}});
    }
  }
}
