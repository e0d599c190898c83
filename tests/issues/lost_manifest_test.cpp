// A rewritten file that no manifest named was deleted at the start unless a
// listed one was missing. But nothing is listed when the only manifest cannot
// be read, and a rewrite leaves no other: one bit took all rows.

#include "tests/store/slow_table.hpp"

using namespace log_test;

namespace {

// Rewritten files, and one that is empty but for the manifest.
disk_image rewritten_log() {
  auto x = slow_table{};
  REQUIRE(x.open());
  x.grow(150);
  REQUIRE(x.open());
  x.rewrite_all();
  REQUIRE(x.open());
  auto result = image_of(*x.disk);
  auto files = segments_in(result);
  REQUIRE(is_rewritten(files.front()));
  REQUIRE_FALSE(is_rewritten(files.back()));
  return result;
}

void has_all(const disk_image& files, std::uint64_t rows) {
  auto x = slow_table::of(files);
  for (auto i = 0; i < 2; ++i) {
    REQUIRE(x.log->report().blocks_lost == 0);
    REQUIRE(x.log->last() == x.log->last_closed());
    REQUIRE(x.rows() == up_to(rows));
    REQUIRE(x.open());
  }
}

} // namespace

TEST_CASE("rewritten rows stay when the only manifest is gone") {
  auto files = rewritten_log();
  auto newest = segments_in(files).back();
  SUBCASE("one bit of it") {
    files[newest].at(4096 + 96 + 3) ^= 1;
  }
  SUBCASE("one bit of each copy of it") {
    rot_marks(files[newest]);
  }
  SUBCASE("one bit of its header") {
    files[newest].at(4096 + 8) ^= 1;
  }
  SUBCASE("the file is missing") {
    files.erase(newest);
  }
  SUBCASE("the file is zeros") {
    files[newest].assign(files[newest].size(), '\0');
  }
  SUBCASE("the file is empty") {
    files[newest].clear();
  }
  SUBCASE("the file is missing, and a rewritten one has lost its header") {
    files.erase(newest);
    for (auto& [name, bytes] : files)
      if (is_rewritten(name))
        bytes.at(40) ^= 1;
  }
  has_all(files, 150);
}

TEST_CASE("rewritten rows behind the last manifest that is left stay") {
  auto x = slow_table{};
  REQUIRE(x.open());
  auto add = [&](std::uint64_t n, bool fast) {
    for (; n > 0; --n) {
      auto i = x.log->last().value + 1;
      auto rows = std::vector<row>{{1, i, true, std::string(900, 's')}};
      if (fast)
        rows = {{2, i, false, std::string(900, 'f')}, {1, i, true, "x", 1}};
      REQUIRE(x.log->append(block_of(rows), {i}));
    }
  };
  add(60, false);
  add(100, true);
  add(5, false);
  REQUIRE(sync(*x.log));
  x.rewrite_all();
  auto files = image_of(*x.disk);
  auto names = segments_in(files);
  REQUIRE_FALSE(is_rewritten(names.front()));
  REQUIRE(std::any_of(names.begin(), names.end(), is_rewritten));
  rot_marks(files[names.back()]);
  has_all(files, 165);
  files.erase(names.back());
  auto y = slow_table::of(files);
  CHECK(y.log->last().value > 120);
  CHECK(y.rows() == up_to(y.log->last().value));
}

TEST_CASE("of an old segment and what it was rewritten into one counts") {
  auto x = slow_table{};
  REQUIRE(x.open());
  x.grow(150);
  auto order = x.log->plan_rewrite(slow_table::floors, x.log->last());
  REQUIRE(order);
  auto count = order->segments.size();
  REQUIRE(count > 2);
  auto again = *order; // of the last one alone: less than the first has
  again.into = rewritten_segment(order->segments.back(), 2);
  again.segments = {order->segments.back()};
  std::erase_if(again.blocks, [&](const block_to_rewrite& block) {
    return block.at.segment != again.segments.front();
  });
  for (const auto& one : {*order, again}) {
    auto done = x.log->rewriter()->run(one);
    REQUIRE(done);
    REQUIRE(x.log->rewritten(*done).size() == (one == again ? 1 : count));
  }
  auto whole = image_of(*x.disk);
  auto old = std::vector<std::string>{};
  auto rewritten = std::vector<std::string>{};
  for (const auto& name : segments_in(whole))
    if (is_rewritten(name))
      rewritten.push_back(name);
    else if (old.size() < count)
      old.push_back(name);
  REQUIRE(rewritten.size() == 2);
  auto some = [&](std::uint64_t which, bool first, bool second, bool marks) {
    CAPTURE(which);
    CAPTURE(marks);
    auto files = whole;
    for (std::size_t i = 0; i < count; ++i)
      if ((which >> i & 1U) == 0)
        files.erase(old[i]);
    if (!first)
      files.erase(rewritten[0]);
    if (!second)
      files.erase(rewritten[1]);
    for (auto& [name, bytes] : files)
      if (!marks && name.ends_with(".seg"))
        rot_marks(bytes);
    has_all(files, 150);
  };
  auto all = (std::uint64_t{1} << count) - 1;
  for (std::uint64_t which = 0; which <= all; ++which) {
    some(which, true, false, true);
    for (auto second : {false, true})
      some(which, true, second, false);
  }
  some(all, false, false, false);
  for (auto which : {all >> 1, all})
    some(which, false, true, false);
}

TEST_CASE("no row counts twice where rewritten files overlap") {
  auto x = slow_table{};
  REQUIRE(x.open());
  x.grow(150);
  auto order = x.log->plan_rewrite(slow_table::floors, x.log->last());
  REQUIRE(order);
  REQUIRE(order->segments.size() > 2);
  for (auto nth = 0U; nth < 2; ++nth) { // the first was given up
    auto some = *order;
    auto from = order->segments.begin() + nth;
    some.segments = {from, from + 2};
    some.into = rewritten_segment(some.segments.back(), nth + 1);
    std::erase_if(some.blocks, [&](const block_to_rewrite& block) {
      return std::count(from, from + 2, block.at.segment) == 0;
    });
    REQUIRE(x.log->rewriter()->run(some));
  }
  auto files = image_of(*x.disk);
  for (auto i = std::size_t{0}; i < 3; ++i)
    files.erase(segment_path("", order->segments[i]).substr(1));
  for (auto& [name, bytes] : files)
    if (name.ends_with(".seg"))
      rot_marks(bytes);
  x = slow_table::of(files);
  CHECK(x.log->report().blocks_lost > 0); // of a window of both
  CHECK(x.log->last() == block_index{150});
  auto plan = plan_scan(*x.log, {{1}, cursor(100, 1), x.log->last(), 1U << 30});
  CHECK_FALSE(plan.failure);
  CHECK(scan(*x.log, 1, cursor(100, 1)).size() == 50);
}

TEST_CASE("a log of which nothing can be read is not taken for a new one") {
  auto x = slow_table{};
  REQUIRE(x.open());
  x.grow(5);
  auto files = image_of(*x.disk);
  auto name = segments_in(files).back();
  SUBCASE("the only file is zeros") {
    files[name].assign(files[name].size(), '\0');
  }
  SUBCASE("the only file is empty") {
    files[name].clear();
  }
  SUBCASE("a rewritten file is zeros, and nothing names it") {
    files = rewritten_log();
    for (auto& [file, bytes] : files) {
      rot_marks(bytes);
      if (is_rewritten(file))
        bytes.assign(bytes.size(), '\0');
    }
  }
  auto y = slow_table{disk_of(files)};
  auto done = y.open();
  REQUIRE_FALSE(done);
  CHECK(done.error().code == errc::log_corrupt);
  CHECK(done.error().detail.find(".seg: byte 0: nothing") != std::string::npos);
}
