#include "actors/sources/generator/generator.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/memory_journal.hpp"

using namespace sluice;
using sluice::test::memory_journal;

namespace {

/// All rows after `resume`, as bytes; checks what every batch must keep.
struct reading {
  std::vector<std::string> rows;
  std::vector<row_cursor> cursors;
  std::vector<row_cursor> ends; // the last cursor of each transaction
  std::vector<block_ptr> blocks;
  timestamp resolved;
};

reading read_all(const generator_options& options, row_cursor resume = {},
                 std::size_t bytes_max = 4096) {
  auto journal = memory_journal{};
  auto uut = make_generator(options);
  auto schemas = uut->open({resume, resume.commit_ts}, journal);
  REQUIRE(schemas.has_value());
  REQUIRE(schemas->size() == options.tables);
  auto result = reading{};
  auto last = resume;
  for (auto more = true; more;) {
    auto batch = uut->read(bytes_max);
    REQUIRE(batch.has_value());
    more = batch->more;
    REQUIRE(batch->resolved >= result.resolved);
    if (batch->rows) {
      const auto& block = *batch->rows;
      REQUIRE(block.closed());
      for (std::size_t i = 0; i < block.rows(); ++i) {
        auto row = block.row(i);
        REQUIRE(row.cursor() > last);
        REQUIRE(row.commit_ts() > result.resolved); // of the batch before
        last = row.cursor();
        result.rows.emplace_back(row.bytes());
        result.cursors.push_back(last);
      }
      for (auto n : block.ends())
        result.ends.push_back(block.row(n - 1).cursor());
      result.blocks.push_back(batch->rows);
    }
    result.resolved = batch->resolved;
  }
  return result;
}

generator_options small() {
  auto result = generator_options{};
  result.accounts = 10;
  result.tables = 3;
  result.transactions = 200;
  result.transfers_per_transaction = 4;
  return result;
}

} // namespace

TEST_CASE("the generator goes on with the same bytes after any cursor") {
  for (auto together : {1U, 3U}) {
    auto options = small();
    options.transactions = 40;
    options.same_commit_ts = together;
    auto all = read_all(options);
    for (std::size_t i = 0; i < all.rows.size(); ++i) {
      auto rest = read_all(options, all.cursors[i], 512);
      REQUIRE(
        rest.rows
        == std::vector(all.rows.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                       all.rows.end()));
      CHECK(rest.resolved == all.resolved);
    }
    auto ts = all.cursors[50].commit_ts;
    auto rest = read_all(options, row_cursor::end_of(ts));
    REQUIRE(!rest.cursors.empty());
    CHECK(rest.cursors.front().commit_ts > ts);
    CHECK(read_all(options, row_cursor::end_of(timestamp::max())).rows.empty());
  }
}

TEST_CASE("the sum of each table stays the same after each transaction") {
  auto options = small();
  auto all = read_all(options);
  auto balances =
    std::map<std::pair<std::uint64_t, std::int64_t>, std::int64_t>{};
  auto notes = std::map<std::pair<std::uint64_t, std::int64_t>, std::string>{};
  auto end = std::size_t{0};
  for (const auto& block : all.blocks) {
    for (std::size_t i = 0; i < block->rows(); ++i) {
      auto row = block->row(i);
      auto key = std::pair{row.table().value, row.after()[0].integer};
      if (row.op() == row_op::update) {
        REQUIRE(row.before()[0] == row.after()[0]);
        REQUIRE(row.before()[1].integer == balances.at(key));
        REQUIRE(row.before()[2].bytes == notes.at(key));
      } else {
        REQUIRE(balances.count(key) == 0);
      }
      balances[key] = row.after()[1].integer;
      notes[key] = row.after()[2].bytes;
      REQUIRE(balances[key] >= 0);
      REQUIRE(notes[key].size() == options.payload_bytes);
      if (row.cursor() != all.ends[end])
        continue;
      if (++end == 1)
        continue;
      auto sums = std::map<std::uint64_t, std::int64_t>{};
      for (const auto& entry : balances)
        sums[entry.first.first] += entry.second;
      for (const auto& entry : sums)
        REQUIRE(entry.second == generator_sum(options));
    }
  }
  CHECK(end == all.ends.size());
  CHECK(balances.size() == 30);
  CHECK(all.ends.size() == 1 + options.transactions);
}

TEST_CASE("start_ts is below commit_ts and tells apart who shares it") {
  auto options = small();
  options.same_commit_ts = 7;
  auto all = read_all(options);
  auto starts = std::map<timestamp, std::set<timestamp>>{};
  for (const auto& x : all.ends) {
    CHECK(x.start_ts < x.commit_ts);
    CHECK(starts[x.commit_ts].insert(x.start_ts).second);
  }
  CHECK(starts.begin()->second.size() == 7);
  CHECK(starts.begin()->first == timestamp{1 << 18});
  CHECK(all.resolved == all.cursors.back().commit_ts);
  // Positions count from 0 in each transaction.
  auto next = row_cursor{};
  for (const auto& x : all.cursors) {
    if (x.commit_ts != next.commit_ts || x.start_ts != next.start_ts)
      next = {x.commit_ts, x.start_ts, 0};
    CHECK(x.position == next.position);
    ++next.position;
  }
}

TEST_CASE("another seed gives other rows, another batch size the same") {
  auto options = small();
  auto first = read_all(options);
  CHECK(read_all(options, {}, 100'000).rows == first.rows);
  CHECK(read_all(options, {}, 1).rows == first.rows);
  options.seed = 2;
  CHECK(read_all(options).rows != first.rows);
}

TEST_CASE("a known row stays as it is on every machine") {
  auto options = small();
  auto all = read_all(options);
  CHECK(to_string(row_view{all.rows[40].data()})
        == "update (262146, 262145, 2) "
           "{9, 1000, \"noandkjk4qkgutiihe7dkyqdq43n5m7u\"} -> "
           "{9, 916, \"zcx5rivgrfletfstycyadkfmjr432mma\"}");
}

TEST_CASE("the generator keeps to its rate") {
  auto journal = memory_journal{};
  auto options = small();
  options.rows_per_second = 1;
  auto uut = make_generator(options);
  REQUIRE(uut->open({}, journal).has_value());
  auto batch = uut->read(1 << 20);
  REQUIRE(batch->rows);
  CHECK(batch->rows->ends().size() == 1); // A transaction is never parted.
  CHECK(!batch->more);
  batch = uut->read(1 << 20);
  CHECK(!batch->rows);
  CHECK(uut->idle_wait(100) == std::chrono::milliseconds{5});
  CHECK(*uut->confirm({1}) == false);
}

TEST_CASE("options that make no sense are refused") {
  auto journal = memory_journal{};
  auto options = small();
  options.accounts = 1;
  auto uut = make_generator(options);
  CHECK(uut->read(1).error().code == errc::source_unavailable);
  auto result = uut->open({}, journal);
  REQUIRE(!result.has_value());
  CHECK(result.error().code == errc::invalid_option);
}
