// Random calls on both engines and on a model that is plainly right.

#include <map>
#include <random>

#include "tests/store/spools.hpp"

using namespace log_test;

namespace {

// Rows in a list; everything else follows from them.
struct model {
  struct entry {
    row x;
    std::uint64_t block;
    std::uint64_t resolved; // of its block
  };
  std::vector<entry> rows;
  std::uint64_t last = 0;
  std::uint64_t last_closed = 0;
  std::size_t complete = 0; // rows up to the last end mark
  std::uint64_t resolved = 0;
  std::uint64_t pending = 0;
  row_cursor complete_to;

  [[nodiscard]] row_cursor appended_to() const {
    return resolved > complete_to.commit_ts.value
             ? row_cursor::end_of({resolved})
             : complete_to;
  }
  static row_cursor of(const row& x) { return cursor(x.ts, x.position); }

  // How many rows were taken; -1: out of order.
  int append(const std::vector<row>& block, std::uint64_t ts) {
    std::size_t i = 0;
    while (i < block.size() && of(block[i]) <= appended_to())
      ++i;
    auto previous = rows.empty() ? row_cursor{} : of(rows.back().x);
    previous = std::max(previous, appended_to());
    for (auto k = i; k < block.size(); ++k) {
      if (of(block[k]) <= previous)
        return -1;
      previous = of(block[k]);
    }
    auto taken = static_cast<int>(block.size() - i);
    if (taken > 0)
      ++last;
    for (; i < block.size(); ++i) {
      rows.push_back({block[i], last, ts});
      if (block[i].end) {
        complete = rows.size();
        complete_to = of(block[i]);
      }
    }
    if (complete == rows.size())
      last_closed = last;
    pending = std::max(pending, ts);
    if (last_closed == last)
      resolved = std::max(resolved, pending);
    return taken;
  }
  // The blocks of one transaction.
  bool commit(const std::vector<std::vector<row>>& blocks, std::uint64_t ts) {
    auto before = rows.empty() ? row_cursor{} : of(rows.back().x);
    if (of(blocks.back().back()) > appended_to()
        && of(blocks.front().front()) <= std::max(before, appended_to()))
      return false;
    for (const auto& x : blocks)
      (void) append(x, &x == &blocks.back() ? ts : 0);
    return true;
  }
  void abandon() {
    if (last == last_closed)
      return;
    rows.resize(complete);
    auto closed_before = last_closed;
    last = last_closed;
    if (!rows.empty() && rows.back().block > last)
      last = rows.back().block;
    last_closed = last;
    // Blocks that the last end mark completes keep what they said.
    for (const auto& i : rows)
      if (i.block > closed_before && i.block < last)
        resolved = std::max(resolved, i.resolved);
    pending = resolved;
  }
  [[nodiscard]] std::vector<std::uint64_t> scan(std::uint64_t table,
                                                row_cursor after) const {
    auto result = std::vector<std::uint64_t>{};
    for (const auto& i : rows)
      if (i.x.table == table && of(i.x) > after)
        result.push_back(i.x.ts);
    return result;
  }
};

struct random_run {
  explicit random_run(std::uint64_t seed) : random{seed} {
    segment_bytes = pick(1) == 0 ? 4200 + pick(6000) : 1 + pick(4000);
    tail_bytes = pick(2) == 0 ? 0 : pick(20000);
    window_bytes = pick(3000);
    memory = make_memory_log();
    reopen();
  }

  std::uint64_t pick(std::uint64_t max) { return random() % (max + 1); }

  void reopen() {
    segments.reset();
    finished.reset();
    auto opened = segment_log::open(
      {directory.path(), segment_bytes, tail_bytes, nullptr, window_bytes});
    REQUIRE(opened.has_value());
    segments = std::move(*opened);
  }

  std::vector<row> some_rows() {
    auto result = std::vector<row>{};
    auto ts = next_ts;
    auto mode = pick(19);
    if (mode < 4) // Repeats some.
      ts -= std::min(ts, pick(20));
    for (auto n = 1 + pick(5); n > 0; --n) {
      auto step = mode == 4 && pick(3) == 0 ? 0 : 1 + pick(2);
      if (mode == 5 && pick(3) == 0)
        ts -= std::min<std::uint64_t>(ts, 3);
      ts += step;
      result.push_back({1 + pick(4), std::max<std::uint64_t>(ts, 1),
                        pick(9) != 0, std::string(pick(300), 'r'), pick(1)});
    }
    return result;
  }

  void append() {
    auto rows = some_rows();
    auto resolved = pick(3) == 0 ? rows.back().ts : 0;
    auto wanted = truth.append(rows, resolved);
    auto block = block_of(rows);
    for (log_engine* log :
         {memory.get(), static_cast<log_engine*>(segments.get())}) {
      auto done = log->append(block, {resolved});
      if (wanted < 0) {
        REQUIRE_FALSE(done.has_value());
        REQUIRE(done.error().code == errc::append_out_of_order);
      } else {
        REQUIRE(done.has_value());
        REQUIRE((*done == nullptr ? 0 : (*done)->rows())
                == static_cast<std::size_t>(wanted));
      }
    }
    if (!truth.rows.empty())
      next_ts = std::max(truth.rows.back().x.ts, truth.resolved);
  }

  void spool() {
    auto ts = next_ts - std::min<std::uint64_t>(next_ts, pick(9) == 0 ? 3 : 0);
    ts += 1 + pick(1);
    auto id = transaction_id{ts};
    auto blocks = std::vector<std::vector<row>>(1 + pick(3));
    auto position = std::uint64_t{0};
    for (auto& block : blocks)
      for (auto n = 1 + pick(3); n > 0; --n)
        block.push_back(
          {1 + pick(4), ts, false, std::string(pick(300), 's'), ++position});
    blocks.back().back().end = true;
    auto resolved = pick(1) == 0 ? ts : 0;
    auto wanted = truth.commit(blocks, resolved);
    for (log_engine* log :
         {memory.get(), static_cast<log_engine*>(segments.get())}) {
      for (const auto& block : blocks)
        REQUIRE(log->spool(id, uncommitted(block), {}).has_value());
      auto done = log->commit_spooled(id, {{ts}, {ts}, {resolved}});
      REQUIRE(done.has_value() == wanted);
      (void) log->abort_spooled(id);
    }
    if (!truth.rows.empty())
      next_ts = std::max(truth.rows.back().x.ts, truth.resolved);
  }

  void restart() {
    reopen();
    truth.abandon();
    REQUIRE(memory->abandon_open().has_value());
    REQUIRE(segments->synced_to() == segments->last());
    // A resolved ts without a block is not stored: the source says it again.
    REQUIRE(segments->resolved() <= memory->resolved());
    REQUIRE(segments->append(nullptr, memory->resolved()).has_value());
    next_ts = std::max(truth.rows.empty() ? 0 : truth.rows.back().x.ts,
                       truth.resolved);
  }

  void release() {
    auto table = 1 + pick(4);
    auto& floor = floors[table];
    floor = std::max(floor, pick(next_ts));
    auto floor_of = [&](table_id x) { return timestamp{floors[x.value]}; };
    for (log_engine* log :
         {memory.get(), static_cast<log_engine*>(segments.get())}) {
      auto gone = log->release(floor_of);
      if (pick(4) != 0)
        REQUIRE(log->disk()->remove(gone).has_value());
    }
  }

  // Its parts may lie apart: the log goes on meanwhile.
  void begin_rewrite() {
    auto order = segments->plan_rewrite(
      [&](table_id x) { return timestamp{floors[x.value]}; }, segments->last());
    if (!order)
      return;
    auto done = segments->rewriter()->run(*order);
    REQUIRE(done.has_value());
    finished = *done;
  }

  void end_rewrite() {
    if (!finished)
      return;
    auto gone = segments->rewritten(*finished);
    rewrites += gone == finished->segments ? 1 : 0;
    finished.reset();
    if (pick(4) != 0)
      REQUIRE(segments->disk()->remove(gone).has_value());
  }

  void compare() {
    for (log_engine* log :
         {memory.get(), static_cast<log_engine*>(segments.get())}) {
      REQUIRE(log->last().value == truth.last);
      REQUIRE(log->last_closed().value == truth.last_closed);
      REQUIRE(log->appended_to() == truth.appended_to());
      REQUIRE(log->resolved().value == truth.resolved);
      REQUIRE(log->synced_to() <= log->last());
      for (std::uint64_t table = 1; table <= 5; ++table) {
        auto after = row_cursor::end_of({floors[table]});
        if (pick(1) == 0)
          after = std::max(after, cursor(pick(next_ts), pick(1)));
        REQUIRE(scan(*log, table, after, pick(4000))
                == truth.scan(table, after));
      }
    }
  }

  // All tables at once: in commit order, each with its end marks.
  void compare_whole() {
    auto floor = std::uint64_t{0};
    for (const auto& x : floors)
      floor = std::max(floor, x.second);
    auto after = row_cursor::end_of({floor});
    auto from = after;
    auto found = std::vector<std::pair<row_cursor, bool>>{};
    for (auto done = block_index{}; done < segments->last();) {
      auto plan = plan_scan(*segments,
                            {all_tables, after, segments->last(), pick(4000)});
      for (const auto& piece : plan.pieces) {
        auto block = load(*segments, piece);
        auto end = block->ends().begin();
        for (std::size_t i = 0; i < block->rows(); ++i) {
          auto ends = end != block->ends().end() && *end == i + 1;
          end += ends ? 1 : 0;
          auto at = block->row(i).cursor();
          if (at > from)
            found.emplace_back(at, ends);
          after = std::max(after, at);
        }
      }
      REQUIRE(plan.complete_to > done);
      done = plan.complete_to;
    }
    auto wanted = std::vector<std::pair<row_cursor, bool>>{};
    for (const auto& i : truth.rows)
      if (model::of(i.x) > from)
        wanted.emplace_back(model::of(i.x), i.x.end);
    REQUIRE(found == wanted);
  }

  void step() {
    auto what = pick(99);
    if (what < 50)
      append();
    else if (what < 60)
      spool();
    else if (what < 65)
      begin_rewrite();
    else if (what < 70)
      end_rewrite();
    else if (what < 76)
      REQUIRE(sync(*segments).has_value());
    else if (what < 82) {
      truth.abandon();
      REQUIRE(memory->abandon_open().has_value());
      REQUIRE(segments->abandon_open().has_value());
    } else if (what < 90)
      release();
    else if (what < 94)
      restart();
    else {
      compare();
      compare_whole();
    }
  }

  std::mt19937_64 random;
  temporary_directory directory;
  std::uint64_t segment_bytes;
  std::uint64_t tail_bytes;
  std::uint64_t window_bytes;
  std::optional<rewrite_result> finished;
  std::uint64_t rewrites = 0;
  std::unique_ptr<log_engine> memory;
  std::unique_ptr<segment_log> segments;
  model truth;
  std::uint64_t next_ts = 0;
  std::map<std::uint64_t, std::uint64_t> floors;
};

} // namespace

TEST_CASE("both engines do what a plain list of rows does") {
  auto rewrites = std::uint64_t{0};
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    auto run = random_run{seed};
    for (int i = 0; i < 250; ++i) {
      CAPTURE(i);
      run.step();
    }
    run.compare();
    run.restart();
    run.compare();
    rewrites += run.rewrites;
  }
  CHECK(rewrites > 100);
}
