#include "actors/sources/postgres/row_assembly.hpp"

#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "actors/sources/postgres/pg_types.hpp"
#include "tests/support/memory_journal.hpp"
#include "tests/support/pgoutput_bytes.hpp"

using namespace sluice;
using namespace sluice::postgres;

namespace {

constexpr auto all = std::numeric_limits<std::size_t>::max();
constexpr auto relation = oid{20'000};

/// One table, and reads that end where a test wants.
struct fixture {
  test::memory_journal journal;
  captured_tables tables{journal, {}};
  row_assembly uut{tables, {}, 0};
  frame_queue queue{1U << 20U};

  fixture() {
    auto t = captured_table{};
    t.id = relation;
    t.schema = "public";
    t.name = "t";
    t.columns.push_back({"id", int4_oid, -1, {}, 1});
    REQUIRE(tables.add({t}, {}));
    put(1, relation_message{
             relation, "public", "t", 'd', {{true, "id", int4_oid, -1}}});
  }
  void put(lsn at, const message& x) { queue.put(at, test::encoded(x)); }
  void put_insert(const char* id) {
    put(0, insert_message{relation, {{value_kind::text, id}}});
  }
  /// What was read is gone afterwards, for ASan and without it.
  std::vector<std::int64_t> read(std::size_t bytes_max = all) {
    auto frames = queue.take();
    REQUIRE(frames.has_value());
    auto result = std::vector<std::int64_t>{};
    for (auto rest = std::string_view{*frames}; !rest.empty();) {
      REQUIRE(uut.take(rest, bytes_max));
      auto rows = uut.take_rows();
      ended = rows != nullptr && rows->closed();
      for (std::size_t i = 0; rows != nullptr && i < rows->rows(); ++i)
        result.push_back(rows->row(i).after()[0].integer);
    }
    frames->assign(frames->size(), 'x');
    return result;
  }

  bool ended = false; // the last block, with its transaction
};

using ids = std::vector<std::int64_t>;

} // namespace

TEST_CASE_FIXTURE(fixture, "A transaction ends with its last row, also when its"
                           " end comes with a later read") {
  put(10, begin_message{90, 1, 7});
  put_insert("1");
  put_insert("2");
  CHECK(read() == ids{1});
  CHECK_FALSE(ended);
  queue.put_resolved(50); // a read without a change
  CHECK(read().empty());
  CHECK(uut.resolved() == timestamp{0});
  SUBCASE("at once") {
    put(90, commit_message{90, 99, 1});
    CHECK(read() == ids{2});
  }
  SUBCASE("behind more rows") {
    put_insert("3");
    CHECK(read() == ids{2});
    CHECK_FALSE(ended);
    put(90, commit_message{90, 99, 1});
    CHECK(read() == ids{3});
  }
  CHECK(ended);
  CHECK(uut.resolved() == timestamp{95}); // four below its end
}

TEST_CASE_FIXTURE(fixture, "A row is not held back behind its transaction") {
  put(10, begin_message{90, 1, 7});
  put_insert("1");
  put(90, commit_message{90, 99, 1});
  CHECK(read() == ids{1});
  CHECK(ended);
}

TEST_CASE_FIXTURE(fixture, "What is taken at once is bounded") {
  put(10, begin_message{90, 1, 7});
  for (const auto* id : {"1", "2", "3", "4"})
    put_insert(id);
  put(90, commit_message{90, 99, 1});
  CHECK(read(1) == ids{1, 2, 3, 4});
  CHECK(ended);
}

TEST_CASE_FIXTURE(fixture, "Frames are taken up to the first transaction that "
                           "commits at a limit or above") {
  constexpr auto limit = lsn{100};
  put(10, begin_message{90, 1, 7});
  put_insert("1");
  put(90, commit_message{90, 98, 1});
  put(98, begin_message{limit, 1, 7});
  put_insert("2");
  auto frames = queue.take();
  REQUIRE(frames.has_value());
  auto rest = std::string_view{*frames};
  CHECK_FALSE(uut.reached(limit, rest));
  REQUIRE(uut.take(rest, all, limit));
  CHECK(uut.reached(limit, rest));
  CHECK(uut.place() == 98);
  CHECK(uut.take_rows()->rows() == 1);
  SUBCASE("and go on behind it") {
    REQUIRE(uut.take(rest, all, limit + 1));
    CHECK(rest.empty());
    CHECK(uut.open());
    CHECK_FALSE(uut.reached(limit + 1, rest)); // it has no end yet
  }
}

TEST_CASE_FIXTURE(fixture, "A place behind which nothing commits reaches a "
                           "limit, too") {
  queue.put_resolved(99);
  CHECK(read().empty());
  CHECK(uut.reached(99, {}));
  CHECK_FALSE(uut.reached(100, {}));
}

TEST_CASE_FIXTURE(fixture, "Restamped transactions stand where they are told "
                           "to, one behind the other") {
  uut.restamp({1'000}, 4);
  for (auto commit : {lsn{90}, lsn{110}}) {
    put(10, begin_message{commit, 1, 7});
    put_insert("1");
    put(commit, commit_message{commit, commit + 8, 1});
  }
  auto frames = queue.take();
  auto rest = std::string_view{*frames};
  REQUIRE(uut.take(rest, all));
  auto rows = uut.take_rows();
  REQUIRE(rows->rows() == 2);
  CHECK(rows->row(0).cursor() == row_cursor{{1'000}, {5}, 1});
  CHECK(rows->row(1).cursor() == row_cursor{{1'000}, {6}, 1});
  CHECK(rows->ends() == std::vector<std::uint32_t>{1, 2});
}
