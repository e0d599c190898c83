#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "store/block_summary.hpp"
#include "store/log_index.hpp"
#include "tests/fuzz/fuzz_input.hpp"

// Any bytes as the life of an index: a recovery, in which blocks are lost, and
// what a log does to it afterwards. Beside it stands a list of all rows.

using namespace sluice;
using fuzz::must;

namespace {

constexpr auto memory_max = std::uint64_t{2000};

struct known_row {
  table_id table;
  row_cursor cursor;
  block_index block;
  bool end = false; // an end mark follows it
  bool lost = false;
};

class life {
public:
  explicit life(fuzz::input in) : in_{in} { begin_segment(); }

  void run() {
    for (auto n = in_.roll(32); n > 0; --n)
      recover_step();
    if (!index_.settle_gaps()) // and the log is not opened
      return;
    cut();
    while (!in_.empty()) {
      step();
      check();
    }
    for (std::uint64_t table = 0; table <= 3; ++table)
      scan(table == 0 ? all_tables : table_id{table}, {});
  }

private:
  void recover_step() {
    auto what = in_.roll(8);
    if (what < 4)
      add(false);
    else if (what < 6)
      add(true);
    else if (what == 6)
      index_.restore(state_);
    else
      begin_segment();
  }

  void step() {
    auto what = in_.roll(8);
    if (what < 3)
      add(false);
    else if (what == 3)
      begin_segment();
    else if (what == 4 && index_.open())
      cut();
    else if (what == 5)
      release();
    else
      scan_somewhere();
  }

  void scan_somewhere() {
    auto table = in_.roll(4) == 0 ? all_tables : table_id{1 + in_.roll(3)};
    scan(table, cursor_of(ts_ - std::min(ts_, in_.roll(16))));
  }

  static row_cursor cursor_of(std::uint64_t ts) { return {{ts}, {ts}, 0}; }

  void begin_segment() {
    index_.begin_segment(++number_, index_.last().next());
  }

  void add(bool lost) {
    auto builder = row_block_builder{};
    auto at = index_.last().next();
    auto value = value_view::of_integer(1);
    for (auto n = 1 + in_.roll(3); n > 0; --n) {
      auto how = in_.take<std::uint8_t>();
      ts_ += 1 + how / 8 % 2;
      auto x = known_row{{1 + how % 3U}, cursor_of(ts_), at, how >= 128, lost};
      builder.add({x.table, x.cursor, row_op::insert, false, {1}, 0}, {true},
                  {}, {&value, 1});
      if (x.end)
        builder.end();
      rows_.push_back(x);
    }
    auto block = builder.finish();
    auto resolved = timestamp{block->closed() ? ts_ : 0};
    note_state(*block, at, resolved);
    if (lost)
      return index_.add_gap(at, "lost");
    auto location = block_location{number_, at.value * 64, 100};
    if (in_.roll(2) == 0)
      index_.add(summarize(*block), location, resolved);
    else
      index_.add(block, location, resolved);
    must(index_.stats().memory_bytes <= memory_max);
  }

  // As a log would write it into a mark.
  void note_state(const row_block& block, block_index at, timestamp resolved) {
    if (block.ends().empty())
      return;
    state_.complete_to = block.row(block.ends().back() - 1).cursor();
    if (!block.closed())
      return;
    state_.last_closed = at;
    state_.resolved = resolved;
  }

  // Forgets open rows; what is complete of a block is added again.
  void cut() {
    std::erase_if(rows_, [this](const known_row& x) {
      return x.cursor > state_.complete_to;
    });
    auto partial = index_.partial();
    auto keep = index_.keep_to();
    index_.cut_open(++number_);
    auto builder = row_block_builder{};
    auto value = value_view::of_integer(1);
    for (const auto& x : rows_) {
      if (x.block <= keep)
        continue;
      must(partial && x.block == partial->index && !x.lost);
      builder.add({x.table, x.cursor, row_op::insert, false, {1}, 0}, {true},
                  {}, {&value, 1});
      if (x.end)
        builder.end();
    }
    must(partial.has_value() == !builder.empty());
    if (auto block = builder.finish(); !block->empty())
      index_.add(block, {number_, 64, 100}, {});
    must(!index_.open());
    must(rows_.empty() || rows_.back().lost
         || index_.state().complete_to >= rows_.back().cursor);
    state_ = index_.state();
  }

  void release() {
    for (auto& floor : floors_)
      floor = std::max(floor, ts_ - std::min(ts_, in_.roll(64)));
    auto floor_of = [this](table_id x) {
      return timestamp{x == all_tables
                         ? *std::min_element(floors_.begin(), floors_.end())
                         : floors_[x.value % 3]};
    };
    auto gone = index_.releasable(floor_of, index_.last_closed());
    auto ranges = index_.segments();
    std::erase_if(rows_, [&](const known_row& x) {
      // A lost one may be behind a later gap, whatever becomes of its own.
      if (x.lost)
        return x.cursor.commit_ts <= floor_of(all_tables);
      for (const auto& range : ranges)
        if (range.first <= x.block && x.block <= range.last
            && std::binary_search(gone.begin(), gone.end(), range.number)) {
          must(x.cursor.commit_ts <= floor_of(x.table));
          return true;
        }
      return false;
    });
    index_.release(gone);
  }

  void check() const {
    auto tables = std::set<table_id>{};
    for (const auto& x : rows_)
      if (!x.lost)
        tables.insert(x.table);
    must(index_.tables()
         == std::vector<table_id>(tables.begin(), tables.end()));
    must(rows_.empty() || rows_.back().lost
         || index_.last() >= rows_.back().block);
  }

  // Every row is in a piece, or behind where the plan ends.
  void scan(table_id table, row_cursor after) const {
    auto plan = plan_scan(index_, {table, after, index_.last(), 300});
    must(plan.complete_to <= index_.last());
    auto pieces = std::set<block_index>{};
    for (const auto& piece : plan.pieces) {
      must(pieces.empty() || *pieces.rbegin() < piece.index);
      must(piece.index <= plan.complete_to);
      must(piece.block != nullptr || piece.location.size == 100);
      pieces.insert(piece.index);
    }
    for (const auto& x : rows_) {
      auto wanted = table == all_tables || x.table == table;
      if (wanted && x.cursor > after && x.block <= plan.complete_to)
        must(x.lost ? static_cast<bool>(plan.failure)
                    : pieces.contains(x.block));
    }
    auto lost = std::any_of(rows_.begin(), rows_.end(),
                            [](const known_row& x) { return x.lost; });
    must(!plan.failure || lost || !index_.gaps().all().empty());
    must(plan.failure || !plan.pieces.empty()
         || plan.complete_to == index_.last());
  }

  fuzz::input in_;
  log_index index_{memory_max};
  std::vector<known_row> rows_;
  log_state state_; // of all blocks, lost ones included
  std::array<std::uint64_t, 3> floors_{};
  std::uint64_t ts_ = 0;
  std::uint64_t number_ = 0;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  life{fuzz::input{data, size}}.run();
  return 0;
}
