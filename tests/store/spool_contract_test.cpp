// The contract of log_engine.hpp, transactions that are spooled before they
// commit; every test runs with every engine.

#include "tests/store/each_engine.hpp"
#include "tests/store/spools.hpp"

using namespace log_test;

namespace {

const auto one = transaction_id{901};
const auto two = transaction_id{902};

// Positions of all rows after `after`, with 1000 added behind an end mark.
numbers read_all(log_engine& log, row_cursor after = {},
                 std::uint64_t bytes_max = 1) {
  auto result = numbers{};
  for (auto done = block_index{}; done < log.last();) {
    auto plan = plan_scan(log, {all_tables, after, log.last(), bytes_max});
    REQUIRE_FALSE(plan.failure);
    for (const auto& piece : plan.pieces) {
      auto block = load(log, piece);
      for (std::size_t i = 0; i < block->rows(); ++i) {
        auto cursor = block->row(i).cursor();
        auto ends = std::count(block->ends().begin(), block->ends().end(),
                               i + 1);
        if (cursor > after)
          result.push_back(cursor.position
                           + 1000 * static_cast<std::uint64_t>(ends));
      }
      after = std::max(after, block->last_cursor());
    }
    REQUIRE(plan.complete_to > done);
    done = plan.complete_to;
  }
  return result;
}

} // namespace

TEST_CASE("rows of a spooled transaction are in the log once it commits") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}}, 10);
    spool(log, one, {{1, 1}, {2, 2}});
    put(log, {{2, 20}}, 20);
    spool(log, one, {{2, 3}});
    spool(log, one, {{1, 4}, {3, 5}});
    CHECK(log.last() == block_index{2});
    CHECK(log.stats().spooled_bytes > 0);
    CHECK(log.tables() == std::vector<table_id>{{1}, {2}});
    CHECK(scan(log, 1) == numbers{10});
    auto end = commit(log, one, 30, 25, 30);
    CHECK(end.first == block_index{3});
    CHECK(end.last == block_index{5});
    CHECK(log.last() == block_index{5});
    CHECK(log.last_closed() == block_index{5});
    CHECK(log.appended_to() == cursor(30, 5, 25));
    CHECK(log.resolved() == timestamp{30});
    CHECK(log.stats().spooled_bytes == 0);
    CHECK(log.stats().rows_appended == 7);
    CHECK(log.tables() == std::vector<table_id>{{1}, {2}, {3}});
    CHECK(scan(log, 1) == numbers{10, 30, 30});
    CHECK(scan(log, 2) == numbers{20, 30, 30});
    CHECK(scan(log, 3) == numbers{30});
    put(log, {{1, 40}});
    CHECK(scan(log, 1) == numbers{10, 30, 30, 40});
  });
}

TEST_CASE("a spooled transaction ends with one end mark, and can be resumed") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 9; i += 3)
      spool(log, one, {{1, i}, {2, i + 1}, {1, i + 2}});
    commit(log, one, 30, 25);
    CHECK(read_all(log) == numbers{1, 2, 3, 4, 5, 6, 7, 8, 1009});
    for (std::uint64_t i = 0; i < 9; ++i) {
      auto after = cursor(30, i, 25);
      CHECK(read_all(log, after).size() == 9 - i);
      CHECK(scan(log, 1, after, 1).size() == 6 - (2 * i + 1) / 3);
      // A piece a chunk, since more would exceed what was asked for.
      auto plan = plan_scan(log, {all_tables, after, log.last(), 1});
      CHECK(plan.pieces.size() == 1);
      CHECK(plan.complete_to == plan.pieces.front().index);
    }
    CHECK(scan(log, 1, row_cursor::end_of({29})).size() == 6);
    CHECK(scan(log, 1, row_cursor::end_of({30})).empty());
  });
}

TEST_CASE("rows of a sub-transaction are left out, whole chunks and parts") {
  with_each_engine([](log_engine& log) {
    auto sub = [](std::uint64_t n) { return transaction_id{910 + n}; };
    spool(log, one, {{1, 1}, {1, 2}}, {{one, 2}});
    spool(log, one, {{2, 3}, {2, 4}}, {{sub(1), 2}});
    spool(log, one, {{1, 5}, {1, 6}, {1, 7}, {3, 8}},
          {{one, 1}, {sub(1), 1}, {sub(2), 1}, {sub(1), 1}});
    spool(log, one, {{3, 9}, {3, 10}}, {{sub(3), 1}, {sub(1), 1}});
    log.leave_out(one, sub(1));
    log.leave_out(one, sub(3));
    log.leave_out(two, one); // of nobody
    auto end = commit(log, one, 30, 25);
    CHECK(end.last.value - end.first.value == 1);
    CHECK(read_all(log) == numbers{1, 2, 5, 1007});
    CHECK(log.tables() == std::vector<table_id>{{1}});
    CHECK(log.appended_to() == cursor(30, 7, 25));
    CHECK(log.stats().rows_appended == 4);
  });
}

TEST_CASE("transactions are spooled side by side and commit in any order") {
  with_each_engine([](log_engine& log) {
    for (std::uint64_t i = 1; i <= 4; ++i) {
      spool(log, one, {{1, i}});
      spool(log, two, {{2, i}});
      put(log, {{3, i}}, i);
    }
    commit(log, two, 50, 5, 50);
    put(log, {{3, 55}});
    commit(log, one, 60, 4);
    CHECK(scan(log, 1) == numbers{60, 60, 60, 60});
    CHECK(scan(log, 2) == numbers{50, 50, 50, 50});
    CHECK(scan(log, 3) == numbers{1, 2, 3, 4, 55});
    CHECK(log.appended_to() == cursor(60, 4, 4));
  });
}

TEST_CASE("of an aborted transaction nothing is left") {
  with_each_engine([](log_engine& log) {
    spool(log, one, {{1, 1}});
    spool(log, two, {{1, 1}});
    auto gone = log.abort_spooled(one);
    REQUIRE(log.disk()->remove(gone).has_value());
    CHECK(log.abort_spooled(one).empty());
    auto end = commit(log, one, 30, 25, 30);
    CHECK(end.last < end.first);
    CHECK(log.last() == block_index{});
    CHECK(log.resolved() == timestamp{30});
    // The number may come again, for another one.
    spool(log, one, {{2, 1}});
    commit(log, one, 40, 35);
    CHECK(log.tables() == std::vector<table_id>{{2}});
    REQUIRE(log.abandon_open().has_value()); // and with it the other one
    CHECK(log.stats().spooled_bytes == 0);
    CHECK(commit(log, two, 50, 45).last == block_index{1});
    CHECK(log.appended_to() == cursor(40, 1, 35));
  });
}

TEST_CASE("a spooled transaction of which all is left out is none") {
  with_each_engine([](log_engine& log) {
    spool(log, one, {{1, 1}, {1, 2}}, {{two, 2}});
    spool(log, one, {{1, 3}, {1, 4}}, {{two, 1}, {{903}, 1}});
    log.leave_out(one, two);
    log.leave_out(one, {903});
    auto end = commit(log, one, 30, 25, 30);
    REQUIRE(log.disk()->remove(end.gone).has_value());
    CHECK(end.last < end.first);
    CHECK(log.last() == block_index{});
    CHECK(log.appended_to() == row_cursor::end_of({30}));
    CHECK(log.stats().spooled_bytes == 0);
  });
}

TEST_CASE("a spooled transaction that the log has is dropped") {
  with_each_engine([](log_engine& log) {
    spool(log, one, {{1, 1}, {1, 2}});
    commit(log, one, 30, 25);
    spool(log, two, {{1, 1}, {1, 2}});
    auto end = commit(log, two, 30, 25);
    REQUIRE(log.disk()->remove(end.gone).has_value());
    CHECK(end.last < end.first);
    CHECK(log.stats().rows_repeated == 2);
    CHECK(scan(log, 1) == numbers{30, 30});
  });
}

TEST_CASE("a spooled transaction that comes too late is refused, and goes on") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 30, false}});
    spool(log, one, {{1, 1}, {1, 2}});
    auto done = log.commit_spooled(one, {{30}, {25}, {}});
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == errc::append_out_of_order);
    CHECK(log.last() == block_index{1});
    REQUIRE(log.abandon_open().has_value());
    spool(log, one, {{1, 1}, {1, 2}});
    commit(log, one, 30, 25);
    CHECK(scan(log, 1) == numbers{30, 30});
  });
}

TEST_CASE("of rows that cannot be spooled nothing is taken") {
  with_each_engine([](log_engine& log) {
    spool(log, one, {{1, 5}});
    auto code = [&](const block_ptr& rows,
                    const std::vector<rows_of_transaction>& of = {}) {
      auto done = log.spool(one, rows, of);
      return done ? errc::none : done.error().code;
    };
    CHECK(code(nullptr) == errc::none);
    CHECK(code(spooled({{1, 5}})) == errc::append_out_of_order);
    CHECK(code(spooled({{1, 7}, {1, 6}})) == errc::append_out_of_order);
    CHECK(code(block_of({{1, 7}})) == errc::malformed);
    CHECK(code(spooled({{1, 6}, {1, 7}}), {{one, 1}}) == errc::malformed);
    CHECK(code(spooled({{1, 6}}), {{one, 1}, {two, 1}}) == errc::malformed);
    spool(log, one, {{1, 6}});
    commit(log, one, 30, 25);
    CHECK(read_all(log) == numbers{5, 1006});
  });
}

TEST_CASE("open rows before a spooled transaction are closed by its end") {
  with_each_engine([](log_engine& log) {
    put(log, {{1, 10}, {1, 20, false}});
    spool(log, one, {{2, 1}});
    commit(log, one, 30, 25);
    CHECK(log.last_closed() == block_index{2});
    put(log, {{1, 40, false}});
    REQUIRE(log.abandon_open().has_value());
    CHECK(scan(log, 1) == numbers{10, 20});
    CHECK(scan(log, 2) == numbers{30});
  });
}

TEST_CASE("a restart finds spooled transactions that committed, and no other") {
  with_each_durable_engine([](durable_log& uut) {
    auto sub = transaction_id{910};
    put(*uut.log, {{1, 10}}, 10);
    spool(*uut.log, one, {{1, 1}, {2, 2}}, {{one, 1}, {sub, 1}});
    spool(*uut.log, two, {{3, 1}});
    spool(*uut.log, one, {{2, 3}});
    uut.log->leave_out(one, sub);
    commit(*uut.log, one, 30, 25, 30);
    SUBCASE("synced") {
      REQUIRE(sync(*uut.log).has_value());
      CHECK(uut.log->synced_to() == block_index{3});
    }
    SUBCASE("only written") {
      // nop
    }
    for (auto round = 0; round < 2; ++round) {
      uut.reopen();
      CHECK(uut.log->last() == block_index{3});
      CHECK(uut.log->last_closed() == block_index{3});
      CHECK(uut.log->synced_to() == block_index{3});
      CHECK(uut.log->appended_to() == cursor(30, 3, 25));
      CHECK(uut.log->resolved() == timestamp{30});
      CHECK(uut.log->tables() == std::vector<table_id>{{1}, {2}});
      CHECK(read_all(*uut.log, cursor(10)) == numbers{1, 1003});
      CHECK(uut.log->stats().spooled_bytes == 0);
    }
    auto end = commit(*uut.log, two, 40, 35);
    CHECK(end.last < end.first);
    put(*uut.log, {{1, 40}});
    CHECK(scan(*uut.log, 1) == numbers{10, 30, 40});
  });
}

TEST_CASE("spooled transactions are let go of as others are") {
  with_each_engine([](log_engine& log) {
    auto floors = [](std::uint64_t fast, std::uint64_t slow) {
      return [=](table_id x) { return timestamp{x.value == 1 ? slow : fast}; };
    };
    for (std::uint64_t i = 1; i <= 3; ++i) {
      spool(log, one, {{1, 1}, {2, 2}});
      spool(log, one, {{2, 3}});
      commit(log, one, 10 * i, 5, 10 * i);
    }
    put(log, {{2, 40}}, 40);
    put(log, {{2, 50}}, 50);
    REQUIRE(sync(log).has_value());
    auto before = log.stats();
    auto gone = log.release(floors(40, 0));
    REQUIRE(log.disk()->remove(gone).has_value());
    CHECK(scan(log, 1) == numbers{10, 20, 30});
    gone = log.release(floors(40, 40));
    auto plan = plan_scan(log, {all_tables, {}, log.last(), 1U << 30});
    REQUIRE(log.disk()->remove(gone).has_value());
    CHECK(scan(log, 2).back() == 50);
    CHECK(log.last() == block_index{8});
    CHECK(log.stats().disk_bytes <= before.disk_bytes);
    for (const auto& piece : plan.pieces)
      CHECK(load(log, piece) != nullptr);
  });
}
