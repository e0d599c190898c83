// The contract of log_engine.hpp, letting go; every test runs with every
// engine.

#include <map>

#include "tests/store/each_engine.hpp"

using namespace log_test;

TEST_CASE("rows at the floor may go, rows above it stay") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 20; ++i)
      put(log, {{1, 100 * i, true, std::string(500, 'a')},
                {2, 100 * i + 1, true, std::string(500, 'b')}});
    REQUIRE(sync(log).has_value());
    auto last = log.last();
    auto floor_of = [](table_id table) {
      return table.value == 1 ? timestamp{1500} : timestamp{501};
    };
    auto gone = log.release(floor_of);
    CHECK(log.last() == last);
    auto rows = scan(log, 2);
    CHECK(
      std::count_if(rows.begin(), rows.end(), [](auto ts) { return ts > 501; })
      == 15);
    rows = scan(log, 1);
    CHECK(
      std::count_if(rows.begin(), rows.end(), [](auto ts) { return ts > 1500; })
      == 5);
    REQUIRE(log.disk()->remove(gone).has_value());
    CHECK(log.stats().segments_removed == gone.size());
    CHECK(log.release(floor_of).empty());
    put(log, {{1, 9000}});
    CHECK(log.last() == last.next());
  });
}

TEST_CASE("tables between which rows are released leave gaps that scans skip") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 30; ++i)
      put(log, {{i % 3, i, true, std::string(300, 'a')}});
    REQUIRE(sync(log).has_value());
    auto floor_of = [](table_id table) {
      return table.value == 1 ? timestamp{99} : timestamp{0};
    };
    auto tables = log.releasable(floor_of);
    auto gone = log.release(floor_of);
    CHECK(tables.empty() == gone.empty());
    if (!tables.empty())
      CHECK(tables == std::vector<table_id>{{1}});
    CHECK(log.releasable(floor_of).empty());
    REQUIRE(log.disk()->remove(gone).has_value());
    CHECK(scan(log, 0).size() == 10);
    CHECK(scan(log, 2).size() == 10);
    auto gone_again = log.release([](table_id) { return timestamp{99}; });
    REQUIRE(log.disk()->remove(gone_again).has_value());
    put(log, {{2, 100}});
    CHECK(log.last() == block_index{31});
    CHECK(scan(log, 2).back() == 100);
  });
}

TEST_CASE("a read of a removed segment answers out_of_range") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 5; ++i)
      put(log, {{1, i}});
    REQUIRE(sync(log).has_value());
    auto plan = plan_scan(log, {{1}, {}, {5}, 1U << 20});
    auto gone = log.release([](table_id) { return timestamp{3}; });
    CHECK(log.disk()->read(plan.pieces[0].location).has_value());
    REQUIRE(log.disk()->remove(gone).has_value());
    for (const auto& piece : plan.pieces) {
      auto removed = std::count(gone.begin(), gone.end(),
                                piece.location.segment)
                     > 0;
      auto block = log.disk()->read(piece.location);
      CHECK(block.has_value() != removed);
      if (!block)
        CHECK(block.error().code == errc::out_of_range);
    }
  });
}

TEST_CASE("a segment goes when the floor of its last table gets there") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}, {2, 11}});
    put(log, {{3, 20}});
    put(log, {{3, 30}});
    REQUIRE(sync(log).has_value());
    auto floors = std::map<std::uint64_t, std::uint64_t>{{1, 99}, {3, 30}};
    auto floor_of = [&](table_id x) { return timestamp{floors[x.value]}; };
    floors[2] = 10;
    auto gone = log.release(floor_of);
    REQUIRE(log.disk()->remove(gone).has_value());
    CHECK(scan(log, 1) == numbers{10});
    CHECK(scan(log, 2) == numbers{11});
    floors[2] = 11;
    gone = log.release(floor_of);
    REQUIRE(log.disk()->remove(gone).has_value());
    // Whether it goes at once is up to the engine, but it goes as a whole.
    CHECK(scan(log, 1).size() == scan(log, 2).size());
    CHECK(log.last() == block_index{3});
    CHECK(log.appended_to() == cursor(30));
  });
}

TEST_CASE("a table without a floor keeps its rows") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 9; ++i)
      put(log, {{1, 10 * i}, {2, 10 * i + 1}});
    REQUIRE(sync(log).has_value());
    auto floor_of = [](table_id x) {
      return x.value == 1 ? timestamp{99} : timestamp{};
    };
    CHECK(log.releasable(floor_of).empty());
    CHECK(log.release(floor_of).empty());
    CHECK(scan(log, 1).size() == 9);
  });
}

TEST_CASE("open rows are not let go of") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}});
    put(log, {{1, 20, false}});
    put(log, {{1, 30, false}});
    REQUIRE(sync(log).has_value());
    REQUIRE(log.disk()->remove(log.release(floor_at(99))).has_value());
    CHECK(scan(log, 1, cursor(10)) == numbers{20, 30});
    put(log, {{1, 40}});
    CHECK(scan(log, 1, cursor(10)) == numbers{20, 30, 40});
  });
}

TEST_CASE("an unknown segment is removed without complaint") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}});
    CHECK(log.disk()->remove({}).has_value());
    CHECK(log.disk()->remove({4711}).has_value());
    CHECK(scan(log, 1) == numbers{10});
  });
}
