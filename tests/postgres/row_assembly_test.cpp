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
    REQUIRE(tables.add(t, {}));
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
  CHECK(uut.resolved() == timestamp{90});
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
