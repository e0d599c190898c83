#include <doctest/doctest.h>

#include "actors/schema_store_state.hpp"
#include "store/table_history.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

// What a source declares at ts 0, a table that it had from the beginning, was
// left out when the history was read at a start. If the table had another
// version since, its rows of before had no schema, and their table seemed to be
// created by the DDL: rows below were skipped. Found by the simulation.

TEST_CASE("a schema of the beginning is there after a restart") {
  auto history = table_history::in_memory();
  REQUIRE(history.add({ddl(7, 1, 0)}));
  REQUIRE(history.add({ddl(7, 2, 12)}));
  auto uut = schema_store_state{};
  uut.on_loaded(history.all());
  static_cast<void>(uut.on_resolved({{12}}));
  auto out = uut.on_query(0, {{1, 1}, {1}, {7}, {5}, {{}, {}}});
  REQUIRE(out.size() == 1);
  auto answer = std::get<to_shard<schema_answer>>(out[0]).message;
  CHECK(answer.schemas.at(0).version == schema_version{1});
  CHECK(answer.later.size() == 1);
  auto tables = std::get<to_collector>(uut.on_watch_tables(0).at(0)).message;
  CHECK(tables.tables.at(0).created == timestamp{0});
}
