// What is rewritten, and when.

#include "store/rewrite_plan.hpp"

#include <doctest/doctest.h>

using namespace sluice;

namespace {

using numbers = std::vector<std::uint64_t>;

constexpr auto full = std::uint64_t{100};

// Segments 1, 2, ... of 100 bytes each, with so many live.
numbers choose(const std::vector<std::uint64_t>& live,
               std::uint64_t disk_bytes = 10'000) {
  auto candidates = std::vector<rewrite_candidate>{};
  for (std::size_t i = 0; i < live.size(); ++i)
    candidates.push_back({i + 1, i, full, live[i], 1});
  return choose_rewrite(candidates, {disk_bytes, 0, full, full});
}

} // namespace

TEST_CASE("nothing is rewritten while the disk has what the bound allows") {
  CHECK(choose({1, 1}, full).empty());
  CHECK(choose({1, 1}, full + 1) == numbers{1, 2});
  CHECK_FALSE(rewrite_budget{2 * 50 + full, 50, full}.broken());
  CHECK(rewrite_budget{2 * 50 + full + 1, 50, full}.broken());
}

TEST_CASE("the segment with the fewest live bytes comes first") {
  CHECK(choose({50, 51, 20, 60, 40}) == numbers{3});
}

TEST_CASE("neighbours join until they fill a segment") {
  CHECK(choose({40, 30, 10, 30, 40}) == numbers{1, 2, 3});
  CHECK(choose({1, 1, 1, 60, 1}) == numbers{1, 2, 3});
}

TEST_CASE("what gives back less than is written stays as it is") {
  CHECK(choose({51, 100, 99}).empty());
}

TEST_CASE("what has nothing live is let go, not rewritten") {
  CHECK(choose({0, 0}).empty());
  CHECK(choose({0, 10, 0}) == numbers{2});
}

TEST_CASE("segments that are not beside each other are not joined") {
  auto candidates = std::vector<rewrite_candidate>{{1, 0, full, 10, 1},
                                                   {3, 2, full, 10, 1}};
  CHECK(choose_rewrite(candidates, {10'000, 0, full, full}) == numbers{1});
}

TEST_CASE("after a full disk less is written at once, but the first") {
  auto candidates = std::vector<rewrite_candidate>{
    {1, 0, full, 40, 1}, {2, 1, full, 30, 1}, {3, 2, full, 10, 1}};
  auto with = [&](std::uint64_t output) {
    return choose_rewrite(candidates, {10'000, 0, full, output});
  };
  CHECK(with(100) == numbers{1, 2, 3});
  CHECK(with(50) == numbers{2, 3});
  CHECK(with(25) == numbers{3});
  CHECK(with(0) == numbers{3});
}

TEST_CASE("one rewrite reads no more than some segments, or blocks") {
  CHECK(choose(std::vector<std::uint64_t>(30, 1)).size()
        == rewrite_segments_max);
  auto small = rewrite_candidate{1, 0, full, 1, rewrite_blocks_max / 2};
  auto next = rewrite_candidate{2, 1, full, 1, rewrite_blocks_max / 2};
  auto third = rewrite_candidate{3, 2, full, 1, 1};
  CHECK(choose_rewrite({small, next, third}, {10'000, 0, full, full})
        == numbers{1, 2});
}
