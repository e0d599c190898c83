// A window is one block. When what followed it was lost in the middle of a
// transaction, a start kept the complete rows of the window twice: in a copy,
// and in the window, of which the manifest listed all but the last index.

#include "tests/store/slow_table.hpp"

using namespace log_test;

namespace {

// Rows of one transaction on both sides of where a segment ends, of which only
// the first half is left; what is before it is rewritten.
disk_image half_a_transaction(bool slow_before) {
  auto x = slow_table{};
  REQUIRE(x.open());
  auto put = [&](const std::vector<row>& rows, std::uint64_t resolved) {
    REQUIRE(x.log->append(block_of(rows), {resolved}));
  };
  auto newest_is_above = [&](std::size_t bytes) {
    auto files = image_of(*x.disk);
    return files.at(segments_in(files).back()).size() > bytes;
  };
  auto fast = row{2, 0, false, std::string(900, 'f')};
  auto ts = std::uint64_t{0};
  while (ts < 90 || !newest_is_above((32U << 10U) - 1000)) {
    fast.ts = ++ts;
    put({fast, {slow_before ? 1U : 3U, ts, true, "slow", 1}}, ts);
  }
  fast.ts = ++ts;
  put({fast, {1, ts, false, "slow", 1}}, 0);
  REQUIRE(newest_is_above(32U << 10U));
  put({{2, ts, false, "f", 2}, {1, ts, true, "slow", 3}}, ts);
  REQUIRE_FALSE(newest_is_above(32U << 10U));
  for (auto i = 0; i < 3; ++i, ++ts)
    put({{1, ts + 1, true, "slow", 1}}, ts + 1);
  REQUIRE(sync(*x.log));
  x.rewrite_all();
  auto result = image_of(*x.disk);
  auto names = segments_in(result);
  REQUIRE(is_rewritten(names.at(names.size() - 2)));
  auto& newest = result[names.back()];
  newest.resize(newest.find("BTCH", 4100)); // all but its first mark
  return result;
}

} // namespace

TEST_CASE("a window with half a transaction at its end counts once") {
  auto slow_before = false;
  SUBCASE("complete rows of it stay") {
    slow_before = true;
  }
  SUBCASE("none of it stays") {
    // nop
  }
  auto x = slow_table::of(half_a_transaction(slow_before));
  auto rows = x.rows();
  auto end = x.log->appended_to();
  auto last = x.log->last();
  CHECK(rows.empty() != slow_before);
  for (auto i = 0; i < 3; ++i) {
    CAPTURE(i);
    CHECK(std::adjacent_find(rows.begin(), rows.end(), std::greater_equal<>{})
          == rows.end());
    CHECK(x.rows() == rows);
    CHECK(x.log->appended_to() == end);
    CHECK(x.log->last() == last);
    CHECK(x.log->last_closed() == last);
    CHECK(x.log->report().blocks_lost == 0);
    REQUIRE(x.open());
  }
  auto next = end.commit_ts.value + 1;
  REQUIRE(x.log->append(block_of({{1, next}}), {next}));
  rows.push_back(next);
  CHECK(x.log->last_closed() == last.next());
  CHECK(x.rows() == rows);
  // And what is torn behind it was not synced, whatever the window once said.
  x.disk->kill();
  auto files = image_of(*x.disk);
  auto& newest = files[segments_in(files).back()];
  newest.resize(newest.size() - 64);
  rows.pop_back();
  x = slow_table::of(files);
  CHECK(x.rows() == rows);
  CHECK(x.log->report().blocks_lost == 0);
}

TEST_CASE("a window with open rows is cut as a whole") {
  auto index = log_index{};
  auto at = [](std::uint64_t ts) { return cursor(ts); };
  auto share = [&](std::uint64_t from, std::uint64_t to) {
    return std::vector<table_share>{{{1}, at(from), at(to), 10}};
  };
  index.begin_segment(rewritten_segment(7, 1), {1});
  index.add(rewritten_window{{1},
                             {9},
                             {7, 4096, 200, {}},
                             {},
                             {share(1, 9), {0, 1}, 2, 2, at(1), at(9), at(9)}});
  index.add(
    rewritten_window{{10},
                     {20},
                     {7, 8192, 100, {}},
                     {},
                     {share(10, 20), {0, 1}, 2, 1, at(10), at(20), at(10)}});
  index.restore({{15}, at(15), {15}}); // of a mark: the rows are not needed
  REQUIRE(index.settle_gaps());
  CHECK(index.partial()->index == block_index{20});
  CHECK(index.keep_to() == block_index{9});
  CHECK(index.bytes_behind({9}) == 100);
  index.cut_open(8);
  CHECK(index.last() == block_index{9});
  CHECK(index.last_closed() == block_index{9});
  CHECK(index.state().complete_to == at(15));
  CHECK(index.stats().blocks == 1);
}
