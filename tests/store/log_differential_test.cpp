// The same random calls on every engine; whatever the contract fixes must be
// the same. What it leaves open is not compared: where segments end, and so
// which rows at or below the floors are gone.
//
//   SLUICE_DIFFERENTIAL_SEEDS=1000 test_store -tc="every engine answers*"

#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "tests/store/spools.hpp"

using namespace log_test;

namespace {

constexpr std::uint64_t tables_max = 5;

using opener = std::function<std::unique_ptr<log_engine>(const std::string&)>;

struct contestant {
  contestant(std::string its_name, bool is_durable, opener how)
    : name{std::move(its_name)}, durable{is_durable}, open{std::move(how)} {
    // nop
  }

  std::string name;
  bool durable;
  opener open;
  temporary_directory directory = {};
  std::unique_ptr<log_engine> log = open(directory.path());
  log_stats at_start = {}; // what memory_log had counted at the last restart
};

// A record as a scan found it.
struct found_row {
  row_cursor cursor;
  std::string bytes;

  friend bool operator==(const found_row&, const found_row&) = default;
};

struct differential_run {
  explicit differential_run(std::uint64_t seed) : random{seed} {
    auto bytes = pick(1) == 0 ? 4200 + pick(6000) : 1 + pick(4000);
    auto tail = pick(2) == 0 ? 0 : pick(20000);
    add("memory_log", false, [](const auto&) { return make_memory_log(); });
    add("segment_log", true, [bytes, tail](const auto& at) {
      return open_segments(at, bytes, tail);
    });
#ifdef SLUICE_ROCKSDB
    // A segment takes it a while to make.
    add("rocksdb_log", true, [bytes, tail](const auto& at) {
      return open_rocksdb(at, 20000 + 8 * bytes, tail);
    });
#endif
  }

  void add(const std::string& name, bool durable, opener open) {
    logs.push_back(
      std::make_unique<contestant>(name, durable, std::move(open)));
  }

  std::uint64_t pick(std::uint64_t max) {
    return random() % (max + 1);
  }
  log_engine& truth() {
    return *logs.front()->log;
  }

  // -- the calls --------------------------------------------------------------

  std::vector<row> some_rows() {
    auto result = std::vector<row>{};
    auto ts = next_ts;
    auto mode = pick(19);
    if (mode < 4) // Repeats some.
      ts -= std::min(ts, pick(20));
    for (auto n = 1 + pick(7); n > 0; --n) {
      if (mode == 5 && pick(3) == 0)
        ts -= std::min<std::uint64_t>(ts, 3);
      ts += pick(2);
      // Several transactions may share a commit_ts.
      result.push_back({1 + pick(tables_max - 1),
                        std::max<std::uint64_t>(ts, 1), pick(9) != 0,
                        std::string(pick(300), 'r'), pick(1), 1 + pick(3)});
    }
    if (mode > 5)
      std::sort(result.begin(), result.end(), [](const auto& x, const auto& y) {
        return cursor(x.ts, x.position, x.start)
               < cursor(y.ts, y.position, y.start);
      });
    return result;
  }

  void append() {
    auto rows = some_rows();
    auto resolved = timestamp{pick(3) == 0 ? rows.back().ts : 0};
    auto block = pick(19) == 0 ? nullptr : block_of(rows);
    auto wanted = truth().append(block, resolved);
    for (auto i = std::size_t{1}; i < logs.size(); ++i) {
      CAPTURE(logs[i]->name);
      auto got = logs[i]->log->append(block, resolved);
      REQUIRE(got.has_value() == wanted.has_value());
      if (!wanted) {
        REQUIRE(got.error() == wanted.error());
      } else {
        REQUIRE((*got == nullptr) == (*wanted == nullptr));
        if (*got != nullptr)
          REQUIRE(**got == **wanted);
      }
    }
    next_ts = std::max({next_ts, truth().appended_to().commit_ts.value,
                        wanted ? rows.back().ts : 0});
  }

  // -- transactions that go on ------------------------------------------------

  transaction_id some_transaction() {
    return {1 + pick(2)};
  }

  // Of a transaction, itself included.
  transaction_id some_sub(transaction_id of) {
    return {of.value + 10 * pick(3)};
  }

  void spool() {
    auto id = some_transaction();
    auto& position = positions[id.value];
    auto rows = std::vector<spooled_row>{};
    auto of = std::vector<rows_of_transaction>{};
    for (auto n = 1 + pick(5); n > 0; --n) {
      position += 1 + pick(1);
      rows.push_back(
        {1 + pick(tables_max - 1), position, std::string(pick(300), 's')});
      auto sub = some_sub(id);
      if (of.empty() || of.back().transaction != sub)
        of.push_back({sub, 0});
      ++of.back().rows;
    }
    if (pick(2) == 0)
      of = {};
    for (auto& x : logs) {
      CAPTURE(x->name);
      REQUIRE(x->log->spool(id, spooled(rows), of).has_value());
    }
  }

  void leave_out() {
    auto id = some_transaction();
    auto sub = some_sub(id);
    for (auto& x : logs)
      x->log->leave_out(id, sub);
  }

  void abort() {
    auto id = some_transaction();
    for (auto& x : logs)
      REQUIRE(x->log->disk()->remove(x->log->abort_spooled(id)).has_value());
  }

  void commit() {
    auto id = some_transaction();
    auto back = pick(9) == 0 ? std::uint64_t{9} : 0; // Comes too late.
    auto ts = next_ts + pick(3);
    ts = std::max<std::uint64_t>(ts - std::min(ts, back), 1);
    auto how = spool_commit{{ts}, {1 + pick(3)}, {pick(1) == 0 ? ts : 0}};
    auto wanted = truth().commit_spooled(id, how);
    for (auto i = std::size_t{1}; i < logs.size(); ++i) {
      auto& x = *logs[i];
      CAPTURE(x.name);
      auto got = x.log->commit_spooled(id, how);
      REQUIRE(got.has_value() == wanted.has_value());
      if (!wanted) {
        REQUIRE(got.error() == wanted.error());
        continue;
      }
      REQUIRE(got->first == wanted->first);
      REQUIRE(got->last == wanted->last);
      REQUIRE(x.log->disk()->remove(got->gone).has_value());
    }
    commits += wanted && wanted->first <= wanted->last ? 1 : 0;
    if (wanted)
      next_ts = std::max(next_ts, truth().appended_to().commit_ts.value);
  }

  void spool_step() {
    auto what = pick(19);
    if (what < 13)
      spool();
    else if (what < 15)
      leave_out();
    else if (what < 16)
      abort();
    else
      commit();
  }

  void sync_all() {
    for (auto& x : logs) {
      CAPTURE(x->name);
      REQUIRE(sync(*x->log).has_value());
      REQUIRE(x->log->synced_to() == x->log->last());
      REQUIRE(x->log->begin_sync().segments.empty());
    }
  }

  void abandon() {
    for (auto& x : logs)
      REQUIRE(x->log->abandon_open().has_value());
    next_ts = std::max(truth().appended_to().commit_ts.value, floors_max());
  }

  void restart() {
    abandon_in_memory_only();
    for (auto& x : logs) {
      if (!x->durable)
        continue;
      CAPTURE(x->name);
      x->log.reset();
      x->log = x->open(x->directory.path());
      x->at_start = truth().stats();
      REQUIRE(x->log->synced_to() == x->log->last());
      // A resolved ts without a block is not stored: the source says it again.
      REQUIRE(x->log->resolved() <= truth().resolved());
      REQUIRE(x->log->append(nullptr, truth().resolved()).has_value());
    }
    next_ts = std::max(truth().appended_to().commit_ts.value, floors_max());
  }

  void abandon_in_memory_only() {
    for (auto& x : logs)
      if (!x->durable)
        REQUIRE(x->log->abandon_open().has_value());
  }

  void release() {
    auto& floor = floors[1 + pick(tables_max - 1)];
    // An open transaction has no floor behind it.
    floor = std::max(floor, pick(truth().appended_to().commit_ts.value));
    auto floor_of = [&](table_id x) {
      return x == all_tables ? timestamp{} : timestamp{floors[x.value]};
    };
    auto removes = pick(4) != 0;
    for (auto& x : logs) {
      CAPTURE(x->name);
      auto plan = plan_scan(*x->log,
                            {all_tables, {}, x->log->last(), 1U << 30});
      auto gone = x->log->release(floor_of);
      if (!removes)
        continue;
      REQUIRE(x->log->disk()->remove(gone).has_value());
      for (const auto& piece : plan.pieces)
        check_read(*x, piece, gone);
    }
  }

  static void check_read(contestant& x, const scan_block& piece,
                         const std::vector<std::uint64_t>& gone) {
    auto segment = piece.location.segment;
    auto block = x.log->disk()->read(piece.location);
    REQUIRE(block.has_value()
            == (std::count(gone.begin(), gone.end(), segment) == 0));
    if (!block)
      REQUIRE(block.error().code == errc::out_of_range);
  }

  // -- what they answer -------------------------------------------------------

  [[nodiscard]] std::uint64_t floors_max() const {
    auto result = std::uint64_t{0};
    for (const auto& entry : floors)
      result = std::max(result, entry.second);
    return result;
  }

  // Rows above the floors, of a table or of all of them.
  std::vector<found_row> scan_rows(contestant& x, table_id table,
                                   row_cursor after, block_index to,
                                   std::uint64_t bytes_max) {
    auto result = std::vector<found_row>{};
    auto done = block_index{};
    while (done < to) {
      auto plan = plan_scan(*x.log, {table, after, to, bytes_max});
      REQUIRE_FALSE(plan.failure);
      REQUIRE(plan.complete_to > done);
      REQUIRE(plan.complete_to <= to);
      for (const auto& piece : plan.pieces) {
        REQUIRE(piece.index > done);
        REQUIRE(piece.index <= plan.complete_to);
        done = piece.index;
        auto block = load(*x.log, piece);
        for (std::size_t i = 0; i < block->rows(); ++i) {
          auto row = block->row(i);
          if ((table != all_tables && row.table() != table)
              || row.cursor() <= after)
            continue;
          after = row.cursor();
          if (row.commit_ts().value > floors[row.table().value])
            result.push_back({row.cursor(), std::string{row.bytes()}});
        }
      }
      done = plan.complete_to;
    }
    return result;
  }

  void compare_scans() {
    for (std::uint64_t table = 0; table <= tables_max; ++table) {
      CAPTURE(table);
      auto after = row_cursor::end_of({floors[table]});
      if (pick(1) == 0)
        after = cursor(pick(next_ts), pick(1), 1 + pick(3));
      auto to = block_index{truth().last().value - pick(3) % 3};
      if (truth().last() < block_index{3})
        to = truth().last();
      auto bytes_max = pick(4000);
      CAPTURE(bytes_max);
      auto wanted = scan_rows(*logs[0], {table}, after, to, bytes_max);
      for (auto i = std::size_t{1}; i < logs.size(); ++i) {
        CAPTURE(logs[i]->name);
        REQUIRE(scan_rows(*logs[i], {table}, after, to, bytes_max) == wanted);
      }
    }
  }

  // Tables that must be in the log: they have rows above their floors.
  std::set<std::uint64_t> live_tables(contestant& x) {
    auto result = std::set<std::uint64_t>{};
    for (auto table : x.log->tables())
      if (!scan_rows(x, table, row_cursor::end_of({floors[table.value]}),
                     x.log->last(), 1U << 30)
             .empty())
        result.insert(table.value);
    return result;
  }

  void compare() {
    auto tables = live_tables(*logs[0]);
    auto counted = truth().stats();
    for (auto i = std::size_t{1}; i < logs.size(); ++i) {
      auto& x = *logs[i];
      CAPTURE(x.name);
      REQUIRE(x.log->last() == truth().last());
      REQUIRE(x.log->last_closed() == truth().last_closed());
      REQUIRE(x.log->appended_to() == truth().appended_to());
      REQUIRE(x.log->resolved() == truth().resolved());
      REQUIRE(x.log->synced_to() <= x.log->last());
      REQUIRE(live_tables(x) == tables);
      auto stats = x.log->stats();
      REQUIRE(stats.rows_appended
              == counted.rows_appended - x.at_start.rows_appended);
      REQUIRE(stats.rows_repeated
              == counted.rows_repeated - x.at_start.rows_repeated);
    }
    compare_scans();
  }

  void step() {
    auto what = pick(99);
    if (what < 40)
      append();
    else if (what < 66)
      spool_step();
    else if (what < 72)
      sync_all();
    else if (what < 78)
      abandon();
    else if (what < 86)
      release();
    else if (what < 88)
      restart();
    else
      compare();
  }

  std::mt19937_64 random;
  std::vector<std::unique_ptr<contestant>> logs;
  std::uint64_t next_ts = 0;
  std::map<std::uint64_t, std::uint64_t> floors;
  std::map<std::uint64_t, std::uint64_t> positions; // by transaction
  std::uint64_t commits = 0;                        // with rows
};

} // namespace

TEST_CASE("every engine answers as the others do") {
  const auto* wanted = std::getenv("SLUICE_DIFFERENTIAL_SEEDS");
  auto seeds = wanted == nullptr ? 12 : std::strtoull(wanted, nullptr, 10);
  constexpr int steps = 250;
  auto commits = std::uint64_t{0};
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto run = differential_run{seed};
    for (int i = 0; i < steps; ++i) {
      CAPTURE(i);
      run.step();
    }
    run.compare();
    run.restart();
    run.compare();
    commits += run.commits;
  }
  CHECK(commits > 2 * seeds);
  MESSAGE("seeds 1 to ", seeds, ", ", steps, " calls each");
}
