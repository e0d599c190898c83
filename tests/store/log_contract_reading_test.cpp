// The contract of log_engine.hpp, reading; every test runs with every engine.

#include "messages/key_range.hpp"
#include "tests/store/each_engine.hpp"

using namespace log_test;

TEST_CASE("a plan for all tables has every block behind the cursor") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 30; ++i)
      put(log, {{i % 3, 10 * i, true, std::string(300, 'a')}});
    REQUIRE(sync(log).has_value());
    auto indices = [](const scan_plan& plan) {
      auto result = std::vector<std::uint64_t>{};
      for (const auto& x : plan.pieces)
        result.push_back(x.index.value);
      return result;
    };
    auto all = plan_scan(log, {all_tables, cursor(270), {30}, 1U << 20});
    CHECK(indices(all) == std::vector<std::uint64_t>{28, 29, 30});
    CHECK(all.complete_to == block_index{30});
    auto few = plan_scan(log, {all_tables, cursor(270), {29}, 1});
    CHECK(indices(few) == std::vector<std::uint64_t>{28});
    CHECK(few.complete_to == block_index{28});
    CHECK(plan_scan(log, {all_tables, cursor(300), {30}, 1}).pieces.empty());
    // What is gone leaves a gap, which is passed over.
    auto gone = log.release([](table_id table) {
      return table.value == 1 ? timestamp{999} : timestamp{0};
    });
    auto rest = plan_scan(log, {all_tables, {}, {30}, 1U << 20});
    CHECK(rest.pieces.size() == 30 - gone.size());
    CHECK(rest.complete_to == block_index{30});
  });
}

TEST_CASE("any location can be read from another thread's point of view") {
  with_each_engine([](log_engine& log) {
    auto first = put(log, {{1, 10, true, std::string(5000, 'q')}});
    auto plan = plan_scan(log, {{1}, {}, {1}, 1});
    auto block = log.disk()->read(plan.pieces.at(0).location);
    REQUIRE(block.has_value());
    CHECK((*block)->bytes() == first->bytes());
    plan = plan_scan(log, {all_tables, {}, {1}, 1});
    block = log.disk()->read(plan.pieces.at(0).location);
    REQUIRE(block.has_value());
    CHECK(**block == *first);
  });
}

TEST_CASE("rows of a range of keys are those of all that lie in it") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t ts = 1; ts <= 40; ++ts)
      put(log, {{1, ts, true, std::string(200, 'a')}}); // the key is ts
    auto key = [](std::int64_t id) {
      auto value = value_view::of_integer(id);
      return encode_key({&value, 1});
    };
    auto within = key_filter{{key(7), key(31)}};
    auto found = std::vector<std::uint64_t>{};
    for (auto done = block_index{}; done < log.last();) {
      auto plan = plan_scan(log, {{1}, cursor(done.value), log.last(), 1000});
      for (const auto& piece : plan.pieces) {
        auto block = load(log, piece);
        for (std::size_t i = 0; i < block->rows(); ++i)
          if (within(block->row(i)))
            found.push_back(block->row(i).commit_ts().value);
      }
      done = plan.complete_to;
    }
    REQUIRE(found.size() == 24);
    CHECK(found.front() == 7);
    CHECK(found.back() == 30);
  });
}

namespace {

// One row of each of two transactions that share commit_ts 10, two of a third.
block_ptr shared_commit_ts() {
  return block_of({{1, 10, true, "a", 0, 3},
                   {1, 10, true, "b", 0, 5},
                   {1, 10, false, "c", 0, 7},
                   {1, 10, true, "d", 1, 7}});
}

std::string texts_after(log_engine& log, row_cursor after) {
  auto result = std::string{};
  auto plan = plan_scan(log, {{1}, after, log.last(), 1U << 20});
  for (const auto& piece : plan.pieces) {
    auto block = load(log, piece);
    for (std::size_t i = 0; i < block->rows(); ++i)
      if (block->row(i).cursor() > after)
        result += block->row(i).after()[1].bytes;
  }
  return result;
}

} // namespace

TEST_CASE("a scan goes on inside a commit_ts and inside a transaction") {
  with_each_engine([](log_engine& log) {
    auto block = shared_commit_ts();
    SUBCASE("in one block") {
      REQUIRE(log.append(block, {}).has_value());
    }
    SUBCASE("a block each") {
      for (std::size_t i = 0; i < block->rows(); ++i)
        REQUIRE(log.append(slice(block, i, i + 1), {}).has_value());
    }
    auto rest = std::string{"abcd"};
    auto after = row_cursor::end_of({9});
    for (std::size_t i = 0; i <= block->rows(); ++i) {
      CHECK(texts_after(log, after) == rest.substr(i));
      if (i < block->rows())
        after = block->row(i).cursor();
    }
    CHECK(texts_after(log, {{10}, {4}, 0}) == "bcd");
    CHECK(texts_after(log, {{10}, {5}, 9}) == "cd");
    CHECK(texts_after(log, row_cursor::end_of({10})).empty());
  });
}

TEST_CASE("a source goes on inside a commit_ts and inside a transaction") {
  with_each_engine([](log_engine& log) {
    auto block = shared_commit_ts();
    REQUIRE(log.append(slice(block, 0, 3), {}).has_value());
    CHECK(log.appended_to() == row_cursor{{10}, {5}, 0});
    REQUIRE(log.abandon_open().has_value());
    auto rest = log.append(block, {});
    REQUIRE(rest.has_value());
    CHECK((*rest)->rows() == 2);
    CHECK(texts_after(log, {}) == "abcd");
    CHECK(log.appended_to() == row_cursor{{10}, {7}, 1});
  });
}

TEST_CASE("rows of two schema versions of a table keep their order") {
  with_each_engine([](log_engine& log) {
    auto builder = row_block_builder{};
    for (std::uint64_t i = 1; i <= 6; ++i) {
      auto header = row_header{{1},   cursor(i),   row_op::insert,
                               false, {1 + i % 2}, 0};
      auto values = std::vector{
        value_view::of_integer(static_cast<std::int64_t>(i))};
      builder.add(header, {true}, {}, values);
      builder.end();
    }
    REQUIRE(log.append(builder.finish(), {}).has_value());
    CHECK(scan(log, 1) == numbers{1, 2, 3, 4, 5, 6});
    auto plan = plan_scan(log, {{1}, {}, {1}, 1});
    auto block = log.disk()->read(plan.pieces.at(0).location);
    REQUIRE(block.has_value());
    CHECK((*block)->runs().size() == 2);
    CHECK((*block)->row(2).cursor() == cursor(3));
  });
}

TEST_CASE("what abandon_open forgets is never read as what took its place") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}, {1, 20, false, "old"}});
    auto forgotten = plan_scan(log, {{1}, cursor(10), {1}, 1}).pieces.at(0);
    REQUIRE(log.abandon_open().has_value());
    put(log, {{1, 20, true, "new"}});
    auto block = log.disk()->read(forgotten.location);
    if (block) {
      CHECK((*block)->rows() == 2);
      CHECK((*block)->row(1).after()[1].bytes == "old");
    } else {
      CHECK(block.error().code == errc::out_of_range);
    }
  });
}
