// The contract of log_engine.hpp; every test runs with every engine.

#include "tests/store/each_engine.hpp"

using namespace log_test;

TEST_CASE("a new log is empty") {
  with_each_engine([](log_engine& log) {
    CHECK(log.last() == block_index{0});
    CHECK(log.last_closed() == block_index{0});
    CHECK(log.synced_to() == block_index{0});
    CHECK(log.appended_to() == row_cursor{});
    CHECK(log.resolved() == timestamp{0});
    CHECK(log.tables().empty());
    CHECK(log.begin_sync().segments.empty());
    CHECK(plan_scan(log, {{1}, {}, {9}, 100}).pieces.empty());
    CHECK(plan_scan(log, {{1}, {}, {9}, 100}).complete_to == block_index{0});
  });
}

TEST_CASE("appended rows are read back by table") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}, {2, 11}, {1, 12}}, 12);
    put(log, {{2, 20}}, 20);
    CHECK(log.last() == block_index{2});
    CHECK(log.last_closed() == block_index{2});
    CHECK(log.resolved() == timestamp{20});
    CHECK(log.appended_to() == cursor(20)); // not the end of 20
    CHECK(scan(log, 1) == numbers{10, 12});
    CHECK(scan(log, 2) == numbers{11, 20});
    CHECK(scan(log, 3).empty());
    CHECK(log.tables() == std::vector<table_id>{{1}, {2}});
    CHECK(log.stats().rows_appended == 4);
    CHECK(log.stats().blocks == 2);
  });
}

TEST_CASE("a scan touches only blocks of its table") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 50; ++i)
      put(log, {{i % 5, i}});
    auto plan = plan_scan(log, {{3}, {}, log.last(), 1U << 20});
    REQUIRE(plan.pieces.size() == 10);
    for (std::size_t i = 0; i < 10; ++i)
      CHECK(plan.pieces[i].index == block_index{5 * i + 3});
    CHECK(plan.complete_to == block_index{50});
  });
}

TEST_CASE("a scan starts after its cursor and ends at its block") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 9; ++i)
      put(log, {{1, 10 * i, true, "x", 0}, {1, 10 * i, true, "x", 1}});
    auto plan = plan_scan(log, {{1}, cursor(30, 0), {5}, 1U << 20});
    REQUIRE(plan.pieces.size() == 3);
    CHECK(plan.pieces.front().index == block_index{3});
    CHECK(plan.complete_to == block_index{5});
    plan = plan_scan(log, {{1}, cursor(30, 1), {5}, 1U << 20});
    CHECK(plan.pieces.front().index == block_index{4});
    plan = plan_scan(log, {{1}, row_cursor::end_of({90}), {9}, 1U << 20});
    CHECK(plan.pieces.empty());
    CHECK(plan.complete_to == block_index{9});
  });
}

TEST_CASE("a byte limit cuts a plan, but not before its first piece") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 1, true, std::string(1000, 'a')}});
    put(log, {{2, 2}});
    put(log, {{1, 3, true, std::string(1000, 'b')}});
    auto plan = plan_scan(log, {{1}, {}, {3}, 10});
    REQUIRE(plan.pieces.size() == 1);
    CHECK(plan.complete_to >= block_index{1});
    CHECK(plan.complete_to < block_index{3});
    CHECK(plan_scan(log, {{1}, {}, {3}, 5000}).pieces.size() == 2);
    CHECK(scan(log, 1, {}, 0) == numbers{1, 3});
  });
}

TEST_CASE("a scan in two parts is the scan in one, wherever it is cut") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 30; ++i)
      put(log, {{i % 3, 2 * i}, {(i + 1) % 3, 2 * i + 1}});
    auto all = scan(log, 1);
    for (std::uint64_t b = 0; b <= 62; ++b) {
      auto after = scan(log, 1, row_cursor::end_of({b}));
      auto expected = numbers{};
      for (auto ts : all)
        if (ts > b)
          expected.push_back(ts);
      CHECK(after == expected);
    }
  });
}

TEST_CASE("repeated rows are dropped, once each") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}, {1, 20}});
    SUBCASE("all of them") {
      CHECK(put(log, {{1, 10}, {1, 20}}, 15) == nullptr);
      CHECK(log.last() == block_index{1});
      CHECK(log.stats().rows_repeated == 2);
      CHECK(log.resolved() == timestamp{15});
    }
    SUBCASE("the first ones, and end marks follow the rest") {
      auto rest = put(log, {{1, 20}, {1, 30, false}, {1, 40}, {2, 50}});
      REQUIRE(rest != nullptr);
      CHECK(rest->rows() == 3);
      CHECK(rest->ends() == std::vector<std::uint32_t>{2, 3});
      CHECK(scan(log, 1) == numbers{10, 20, 30, 40});
      CHECK(log.stats().rows_repeated == 1);
      CHECK(log.stats().rows_appended == 5);
    }
    SUBCASE("those at or below the resolved ts") {
      put(log, {{1, 21}}, 30);
      CHECK(put(log, {{1, 22}, {1, 30}}) == nullptr);
      CHECK(scan(log, 1) == numbers{10, 20, 21});
    }
  });
}

TEST_CASE("a row out of order is refused and changes nothing") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}});
    auto rows = std::vector<row>{};
    SUBCASE("inside the block") {
      rows = {{1, 30}, {1, 20}};
    }
    SUBCASE("twice the same") {
      rows = {{1, 20}, {1, 20}};
    }
    SUBCASE("a repeated row behind a new one") {
      rows = {{1, 20}, {1, 10}};
    }
    SUBCASE("below the open rows") {
      put(log, {{1, 40, false}});
      rows = {{1, 40}};
    }
    auto before = log.last();
    auto result = log.append(block_of(rows), {99});
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == errc::append_out_of_order);
    CHECK(log.last() == before);
    CHECK(log.resolved() == timestamp{0});
  });
}

TEST_CASE("only an end mark or a closed resolved ts moves appended_to") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}, {1, 20, false}}, 15);
    CHECK(log.last() == block_index{1});
    CHECK(log.last_closed() == block_index{0});
    CHECK(log.appended_to() == cursor(10));
    CHECK(log.resolved() == timestamp{0});
    put(log, {{1, 30, false}}, 16);
    CHECK(log.appended_to() == cursor(10));
    CHECK(log.append(nullptr, {17}).has_value());
    CHECK(log.resolved() == timestamp{0});
    put(log, {{1, 40}}, 0);
    CHECK(log.last_closed() == block_index{3});
    CHECK(log.appended_to() == cursor(40));
    CHECK(log.resolved() == timestamp{17});
    CHECK(log.append(block_of({}), {50}).has_value());
    CHECK(log.last() == block_index{3});
    CHECK(log.appended_to() == row_cursor::end_of({50}));
  });
}

TEST_CASE("resolved never goes back") {
  with_each_engine([](log_engine& log) {
    for (auto ts : std::vector<std::uint64_t>{10, 8, 10})
      CHECK(log.append(nullptr, {ts}).has_value());
    CHECK(log.resolved() == timestamp{10});
    put(log, {{1, 11}}, 9);
    CHECK(log.resolved() == timestamp{10});
  });
}

TEST_CASE("abandoned rows are forgotten and their indices given out again") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}}, 5);
    put(log, {{1, 20, false}, {2, 21, false}}, 20);
    put(log, {{2, 22, false}, {3, 23, false}});
    REQUIRE(log.abandon_open().has_value());
    CHECK(log.last() == block_index{1});
    CHECK(log.last_closed() == block_index{1});
    CHECK(log.appended_to() == cursor(10));
    CHECK(log.resolved() == timestamp{5});
    CHECK(log.tables() == std::vector<table_id>{{1}});
    CHECK(scan(log, 2).empty());
    put(log, {{1, 20}, {2, 30}});
    CHECK(log.last() == block_index{2});
    CHECK(scan(log, 1) == numbers{10, 20});
    CHECK(scan(log, 2) == numbers{30});
  });
}

TEST_CASE("the complete rows of a half open block are not abandoned") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}, {2, 11}, {1, 12, false}, {3, 13, false}});
    put(log, {{1, 14, false}});
    REQUIRE(log.abandon_open().has_value());
    CHECK(log.last() == block_index{1});
    CHECK(log.last_closed() == block_index{1});
    CHECK(log.appended_to() == cursor(11));
    CHECK(scan(log, 1) == numbers{10});
    CHECK(scan(log, 2) == numbers{11});
    CHECK(log.tables() == std::vector<table_id>{{1}, {2}});
    put(log, {{1, 12}});
    CHECK(scan(log, 1) == numbers{10, 12});
  });
}

TEST_CASE("a block that a half open one completes is not abandoned") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10, false}});
    put(log, {{1, 11}, {1, 12, false}});
    put(log, {{1, 13, false}});
    CHECK(log.last_closed() == block_index{0});
    REQUIRE(log.abandon_open().has_value());
    CHECK(log.last_closed() == block_index{2});
    CHECK(log.last() == block_index{2});
    CHECK(log.appended_to() == cursor(11));
    CHECK(scan(log, 1) == numbers{10, 11});
  });
}

TEST_CASE("abandoning nothing changes nothing") {
  with_each_engine([](log_engine& log) {
    CHECK(log.abandon_open().has_value());
    put(log, {{1, 10}});
    CHECK(log.abandon_open().has_value());
    CHECK(log.last() == block_index{1});
    CHECK(scan(log, 1) == numbers{10});
  });
}

TEST_CASE("what an order covers is durable once it is done") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}});
    put(log, {{1, 20}});
    auto order = log.begin_sync();
    put(log, {{1, 30}});
    REQUIRE(log.disk()->sync(order).has_value());
    log.synced(order);
    CHECK(log.synced_to() >= block_index{2});
    REQUIRE(sync(log).has_value());
    CHECK(log.synced_to() == block_index{3});
    CHECK(log.begin_sync().segments.empty());
  });
}

TEST_CASE("an order from before abandon_open proves nothing for new blocks") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}});
    put(log, {{1, 20, false}});
    put(log, {{1, 30, false}});
    auto order = log.begin_sync();
    REQUIRE(log.disk()->sync(order).has_value());
    REQUIRE(log.abandon_open().has_value());
    put(log, {{1, 20}});
    put(log, {{1, 30}});
    auto durable_at_once = log.begin_sync().segments.empty();
    log.synced(order);
    CHECK((durable_at_once || log.synced_to() == block_index{1}));
    REQUIRE(sync(log).has_value());
    CHECK(log.synced_to() == block_index{3});
  });
}
