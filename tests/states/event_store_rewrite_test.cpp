#include "tests/states/event_store_bench.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

// Rows of table 7 in three blocks; a feed that needs those above 40.
struct filled : event_store_bench {
  filled() {
    attach_source();
    for (auto ts : {20u, 40u, 60u})
      append(block_of({{7, ts}, end_mark}), ts);
    load_feed(0);
    to_rewrite = rewrite_order{9, {1, 2}, {}, {{{7}, {20}}}, {2}};
  }
  void raise_floor(std::uint64_t ts) {
    run(uut.on_floor_report({{1}, {ts}, {}}, now));
    advance(1000);
  }
};

} // namespace

TEST_CASE("after a release the store looks for segments to rewrite") {
  auto bench = filled{};
  bench.raise_floor(20);
  auto orders = bench.take<rewrite_order>();
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].into == 9);
  CHECK(orders[0].floors == std::vector<table_floor>{{{7}, {20}}});
  SUBCASE("and not again while one is under way") {
    bench.to_rewrite = orders[0];
    bench.raise_floor(40);
    CHECK(bench.take<rewrite_order>().empty());
  }
  SUBCASE("and again once it is done, and the old files go") {
    (void) bench.take<remove_segments>();
    bench.to_rewrite = orders[0];
    auto done = log_rewritten{{9, {1, 2}, {}, 0}, {}};
    bench.run(bench.uut.on_log_rewritten(done, bench.now));
    auto gone = bench.take<remove_segments>();
    REQUIRE(gone.size() == 1);
    CHECK(gone[0].segments == std::vector<std::uint64_t>{1, 2});
    CHECK(bench.take<rewrite_order>().size() == 1);
  }
}

TEST_CASE("rows do not go with a rewrite before that is noted") {
  auto bench = filled{};
  bench.raise_floor(20);
  (void) bench.take<rewrite_order>();
  (void) bench.take<note_lost>();
  bench.run(bench.uut.on_log_rewritten({{9, {1, 2}, {}, 0}, {}}, bench.now));
  bench.notes_by_itself = false;
  // Another block is in the way of a release; the floor has moved on.
  bench.run(bench.uut.on_floor_report({{1}, {40}, {}}, bench.now));
  auto order = rewrite_order{10, {9}, {}, {{{7}, {40}}}, {3}};
  bench.run(bench.uut.on_rewrite_planned(order));
  CHECK(bench.take<rewrite_order>().empty());
  auto noted = bench.take<note_lost>();
  REQUIRE(noted.size() == 1);
  SUBCASE("once it is, they go") {
    bench.run(bench.uut.on_lost_noted({noted[0].lost, {}, true}, bench.now));
    CHECK(bench.take<rewrite_order>() == std::vector{order});
  }
  SUBCASE("a note that fails ends it") {
    auto why = error{errc::log_io, "no"};
    bench.run(bench.uut.on_lost_noted({noted[0].lost, why, true}, bench.now));
    CHECK(bench.take<rewrite_order>().empty());
  }
  SUBCASE("a note for a release does not begin it") {
    auto before = bench.released_up_to.size();
    bench.run(bench.uut.on_lost_noted({{{{8}, {40}}}, {}}, bench.now));
    CHECK(bench.take<rewrite_order>().empty());
    CHECK(bench.released_up_to.size() == before + 1);
  }
}

TEST_CASE("a rewrite that failed is reported and tried again later") {
  auto bench = filled{};
  bench.raise_floor(20);
  auto orders = bench.take<rewrite_order>();
  REQUIRE(orders.size() == 1);
  auto why = error{errc::disk_full, "no space"};
  bench.run(bench.uut.on_log_rewritten({{}, why}, bench.now));
  CHECK(bench.uut.status().rewrite_failure == why);
  CHECK_FALSE(bench.uut.status().failure);
  bench.to_rewrite = orders[0];
  bench.raise_floor(40);
  CHECK(bench.take<rewrite_order>().empty());
  bench.advance(10'000);
  REQUIRE(bench.take<rewrite_order>().size() == 1);
  bench.run(bench.uut.on_log_rewritten({{9, {1, 2}, {}, 0}, {}}, bench.now));
  CHECK_FALSE(bench.uut.status().rewrite_failure);
}

TEST_CASE("a segment that can't be rewritten does not stop the others") {
  auto bench = filled{};
  bench.raise_floor(20);
  auto orders = bench.take<rewrite_order>();
  REQUIRE(orders.size() == 1);
  bench.to_rewrite = rewrite_order{10, {3}, {}, {{{7}, {20}}}, {3}};
  auto why = error{errc::log_corrupt, "checksum"};
  bench.run(bench.uut.on_log_rewritten({{}, why, 2}, bench.now));
  CHECK(bench.left == std::vector<std::uint64_t>{2});
  CHECK(bench.take<rewrite_order>().size() == 1); // at once
  CHECK(bench.uut.status().rewrite_failure == why);
}

TEST_CASE("a rewrite that gives nothing back is not repeated at full speed") {
  auto bench = filled{};
  bench.to_rewrite->bytes = 1000;
  bench.raise_floor(20);
  auto orders = bench.take<rewrite_order>();
  REQUIRE(orders.size() == 1);
  auto bytes = std::uint64_t{100};
  SUBCASE("because as much was written") {
    bytes = 900;
  }
  SUBCASE("because it could not be noted which files count") {
    bench.rewritten_in_vain = true;
  }
  bench.to_rewrite = orders[0];
  auto done = log_rewritten{{9, {1, 2}, {}, bytes}, {}};
  bench.run(bench.uut.on_log_rewritten(done, bench.now));
  CHECK(bench.take<rewrite_order>().empty());
  bench.advance(10'000);
  CHECK(bench.take<rewrite_order>().size() == 1);
}

TEST_CASE("what is being rewritten is not let go meanwhile") {
  auto bench = filled{};
  bench.raise_floor(20);
  REQUIRE(bench.take<rewrite_order>().size() == 1);
  bench.released_up_to.clear();
  bench.raise_floor(40);
  CHECK(bench.released_up_to.empty());
  bench.run(bench.uut.on_log_rewritten({{9, {1, 2}, {}, 0}, {}}, bench.now));
  bench.advance(1000);
  CHECK(bench.released_up_to == std::vector<timestamp>{{40}});
}

TEST_CASE("what a shard has not heard of is not rewritten") {
  auto bench = filled{};
  bench.raise_floor(20);
  REQUIRE(bench.rewritable_up_to == std::vector<block_index>{{3}});
  bench.rewritable_up_to.clear();
  bench.run(bench.uut.on_log_rewritten({{9, {1}, {}, 0}, {}}, bench.now));
  bench.rewritable_up_to.clear();
  bench.run(bench.uut.on_attach_shard(0));
  bench.run(bench.uut.on_released({}));
  bench.run(bench.uut.on_progress_taken(0, {{1}, {3}}));
  bench.run(bench.uut.on_released({}));
  CHECK(bench.rewritable_up_to == std::vector<block_index>{{0}, {3}});
}
