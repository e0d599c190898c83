#include "messages/schema_book.hpp"

#include <doctest/doctest.h>

#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

schema_ptr version_of(std::uint64_t table, std::uint64_t version) {
  return std::make_shared<const table_schema>(ddl(table, version, 0).schema);
}

} // namespace

TEST_CASE("a book has every version that it was told") {
  auto uut = schema_book{};
  auto first = version_of(7, 1);
  uut.add({first, version_of(8, 3), version_of(7, 2), version_of(7, 5)});
  CHECK(*uut.find({7}, {1}) == first);
  CHECK((*uut.find({7}, {2}))->version == schema_version{2});
  CHECK((*uut.find({7}, {5}))->version == schema_version{5});
  CHECK((*uut.find({8}, {3}))->table == table_id{8});
  CHECK(uut.find({7}, {4}) == nullptr);
  CHECK(uut.find({9}, {1}) == nullptr);
  uut.add({version_of(7, 1)}); // rows point to the one it has
  CHECK(*uut.find({7}, {1}) == first);
}

TEST_CASE("a batch is taken apart by table") {
  auto book = schema_book{};
  auto block = block_of({{7, 40}, {8, 50}, {7, 60}});
  auto batch = write_rows{
    {1}, 1, {{version_of(9, 1), nullptr, 0, 0, {{9}, {}, {5}}}}};
  batch.schemas = {version_of(7, 1), version_of(8, 1)};
  batch.cohort.push_back({block, {}, row_cursor::end_of({60})});
  batch.cohort.push_back({block, {1}, {{60}, {60}, 0}});
  auto items = by_table(batch, book);
  REQUIRE(items);
  REQUIRE(items->size() == 4);
  CHECK((*items)[0].after.table == table_id{9}); // items come first
  CHECK((*items)[1].count == 2);
  CHECK((*items)[1].after == table_position{{7}, {{60}, {60}, 0}, {60}});
  CHECK((*items)[2].schema->name == "t8");
  CHECK((*items)[3].after == table_position{{8}, {{50}, {50}, 0}, {59}});
}

TEST_CASE("rows of a schema that never came are an error that names it") {
  auto book = schema_book{};
  auto batch = write_rows{{1}, 1, {}};
  batch.cohort.push_back({block_of({{7, 40}}), {}, {{40}, {40}, 0}});
  auto items = by_table(batch, book);
  REQUIRE_FALSE(items);
  CHECK(items.error().code == errc::malformed);
  CHECK(items.error().detail.find("table(7)") != std::string::npos);
  CHECK(items.error().detail.find("schema(1)") != std::string::npos);
}
