// Many wishes in one call.

#include "tests/store/each_engine.hpp"
#include "tests/support/dice.hpp"

using namespace log_test;

namespace {

using sluice::test::dice;

constexpr std::uint64_t tables = 6;

// What is found of one wish, as text.
std::string found_of(planned_scans& x, std::size_t wish) {
  const auto& scan = x.scans.at(wish);
  auto result = to_string(scan.complete_to) + ' ' + to_string(scan.failure);
  for (const auto& piece : x.pieces_of(scan)) {
    const auto& block = x.blocks.at(piece.block);
    result += "; " + to_string(block.index)
              + (block.block == nullptr ? " on disk " : " held ")
              + std::to_string(block.location.segment) + '.'
              + std::to_string(block.location.offset) + '.'
              + std::to_string(block.location.table.value) + " run "
              + std::to_string(piece.run) + " to " + to_string(block.last);
  }
  return result;
}

std::vector<scan_wish> some_wishes(dice& random, std::uint64_t ts,
                                   block_index last) {
  auto result = std::vector<scan_wish>(1 + random.roll(20));
  for (auto& x : result)
    x = {{random.roll(tables + 2)},
         cursor(random.roll(ts + 2)),
         {random.roll(last.value + 2)},
         random.roll(4000)};
  return result;
}

template <class Log>
void check_batches(const Log& log, dice& random, std::uint64_t ts,
                   block_index last) {
  for (int i = 0; i < 20; ++i) {
    auto wishes = some_wishes(random, ts, last);
    auto together = log.plan_scans(wishes);
    REQUIRE(together.scans.size() == wishes.size());
    for (std::size_t j = 0; j < wishes.size(); ++j) {
      auto alone = log.plan_scans({&wishes[j], 1});
      REQUIRE(found_of(together, j) == found_of(alone, 0));
    }
  }
}

std::vector<row> some_rows(dice& random, std::uint64_t& ts) {
  auto result = std::vector<row>(1 + random.roll(8));
  for (auto& x : result)
    x = {1 + random.roll(tables), ++ts, true,
         std::string(random.roll(600), 'x')};
  return result;
}

} // namespace

TEST_CASE("wishes that come together get what each gets alone") {
  with_each_engine([](log_engine& log) {
    auto random = dice{11};
    auto ts = std::uint64_t{0};
    for (int i = 0; i < 40; ++i) {
      put(log, some_rows(random, ts));
      if (i % 10 == 9)
        check_batches(log, random, ts, log.last());
    }
  });
}

namespace {

// With one piece for each table.
block_summary window_of(const row_block& block) {
  auto result = summarize(block);
  for (std::uint32_t i = 0; i <= result.tables.size(); ++i)
    result.pieces.push_back(i);
  return result;
}

} // namespace

TEST_CASE("so they do where blocks were rewritten, and where some are lost") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    auto random = dice{seed};
    auto index = log_index{20'000};
    auto ts = std::uint64_t{0};
    for (std::uint64_t i = 1; i <= 40; ++i) {
      if (i == 1 || random.percent(20))
        index.begin_segment(i, index.last().next());
      auto block = block_of(some_rows(random, ts));
      auto at = block_location{i, 64 * i, block->bytes().size()};
      auto next = index.last().next();
      if (random.percent(15))
        index.add(
          rewritten_window{next, {next.value + 2}, at, {}, window_of(*block)});
      else if (random.percent(5))
        index.add_gap(next, "1.seg: byte 4096");
      else
        index.add(block, at, {});
    }
    check_batches(index, random, ts, index.last());
  }
}

TEST_CASE("a block is found once, however many tables are read of it") {
  auto index = log_index{};
  index.begin_segment(1, {1});
  index.add(block_of({{1, 10}, {2, 20}, {3, 30}}), {1, 64, 100, {}}, {});
  auto block = block_of({{2, 40}, {3, 50}});
  index.add(
    rewritten_window{{2}, {4}, {1, 256, 100, {}}, {}, window_of(*block)});
  auto wishes = std::vector<scan_wish>{};
  for (auto table : numbers{1, 2, 3, 2, 0})
    wishes.push_back({{table}, {}, {4}, 1U << 20});
  auto found = index.plan_scans(wishes);
  CHECK(found.pieces.size() == 9);
  auto at = [&](std::size_t i) {
    return found.blocks.at(found.pieces.at(i).block).location;
  };
  // Of the window each table is read by itself.
  REQUIRE(found.blocks.size() == 4);
  CHECK(at(0) == at(1));
  CHECK(at(2) == block_location{1, 256, 100, {2}, 0, 1});
  CHECK(at(4) == block_location{1, 256, 100, {3}, 1, 1});
  CHECK(at(6) == at(2));
  CHECK(at(8) == block_location{1, 256, 100, {}});
}
