#include "actors/schema_store_state.hpp"

#include <doctest/doctest.h>

#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

template <class Effect>
std::vector<Effect> only(const schema_store_state::effects& effects) {
  auto result = std::vector<Effect>{};
  for (const auto& x : effects)
    if (const auto* found = std::get_if<Effect>(&x))
      result.push_back(*found);
  return result;
}

using answers = std::vector<to_shard<schema_answer>>;

answers ask(schema_store_state& uut, std::uint64_t table, std::uint64_t at) {
  return only<to_shard<schema_answer>>(
    uut.on_query(0, {{}, {}, {table}, {at}}));
}

// Table 7: created at 10, a column added at 20, known up to 40.
schema_store_state with_history() {
  auto uut = schema_store_state{};
  uut.on_loaded({ddl(7, 1, 10), ddl(7, 2, 20)});
  (void) uut.on_resolved({{40}});
  return uut;
}

} // namespace

TEST_CASE("without a collector a schema is declared at once") {
  auto uut = schema_store_state{};
  auto out = only<to_source>(
    uut.on_declare(3, declaration_of({ddl(7, 1, 10)})));
  REQUIRE(out.size() == 1);
  CHECK(out[0].source == 3);
  CHECK(out[0].message.number == 1);
  CHECK_FALSE(out[0].message.failure);
}

TEST_CASE("a new table is declared once every collector has noted it") {
  auto uut = schema_store_state{};
  (void) uut.on_watch_tables(0);
  (void) uut.on_watch_tables(1);
  auto out = uut.on_declare(3, declaration_of({ddl(7, 1, 10)}, 1, {2}));
  CHECK(only<to_source>(out).empty());
  auto told = only<to_collector>(out);
  REQUIRE(told.size() == 2);
  CHECK(told[0].message.tables
        == std::vector{table_info{{7}, "t7", {2}, {10}}});
  CHECK(uut.on_table_noted(0, {7}).empty());
  CHECK(uut.on_table_noted(0, {7}).empty());
  CHECK(only<to_source>(uut.on_table_noted(1, {7})).size() == 1);
}

TEST_CASE("many schemas are declared once all their tables are noted") {
  auto uut = schema_store_state{};
  (void) uut.on_watch_tables(0);
  (void) uut.on_watch_schemas(1);
  auto out = uut.on_declare(
    3, declaration_of({ddl(8, 1, 10), ddl(7, 1, 10), ddl(8, 2, 20)}, 5));
  auto notices = only<to_shard<ddl_notice>>(out);
  REQUIRE(notices.size() == 3);
  CHECK(notices[2].message.event == ddl(8, 2, 20));
  auto told = only<to_collector>(out);
  REQUIRE(told.size() == 1);
  CHECK(
    told[0].message.tables
    == std::vector<table_info>{{{8}, "t8", {1}, {10}}, {{7}, "t7", {1}, {10}}});
  CHECK(uut.on_table_noted(0, {8}).empty());
  auto done = only<to_source>(uut.on_table_noted(0, {7}));
  REQUIRE(done.size() == 1);
  CHECK(done[0].message == schemas_declared{5, {}});
}

TEST_CASE("a table holds up every message that declares it, and no other") {
  auto uut = schema_store_state{};
  (void) uut.on_watch_tables(0);
  (void) uut.on_declare(3, declaration_of({ddl(7, 1, 10)}, 1));
  (void) uut.on_declare(3, declaration_of({ddl(8, 1, 10)}, 2));
  (void) uut.on_declare(3, declaration_of({ddl(7, 1, 10)}, 3));
  CHECK(only<to_source>(uut.on_declare(3, declaration_of({}, 4))).size() == 1);
  auto done = only<to_source>(uut.on_table_noted(0, {7}));
  REQUIRE(done.size() == 2);
  CHECK(done[0].message.number == 1);
  CHECK(done[1].message.number == 3);
  CHECK(only<to_source>(uut.on_table_noted(0, {8})).size() == 1);
}

TEST_CASE("a collector that ends holds nobody up") {
  auto uut = schema_store_state{};
  (void) uut.on_watch_tables(0);
  (void) uut.on_declare(3, declaration_of({ddl(7, 1, 10)}));
  CHECK(only<to_source>(uut.on_collector_gone(0)).size() == 1);
}

TEST_CASE("a collector that comes while a table is being noted counts too") {
  auto uut = schema_store_state{};
  (void) uut.on_watch_tables(0);
  (void) uut.on_declare(3, declaration_of({ddl(7, 1, 10)}));
  CHECK(only<to_collector>(uut.on_watch_tables(1)).size() == 1);
  CHECK(uut.on_table_noted(0, {7}).empty());
  CHECK(only<to_source>(uut.on_table_noted(1, {7})).size() == 1);
}

TEST_CASE("the same schema again is answered and nobody else hears of it") {
  auto uut = schema_store_state{};
  (void) uut.on_watch_schemas(0);
  (void) uut.on_declare(3, declaration_of({ddl(7, 1, 10)}));
  auto out = uut.on_declare(3, declaration_of({ddl(7, 1, 10)}));
  CHECK(out.size() == 1);
  CHECK(only<to_source>(out).size() == 1);
}

TEST_CASE("a schema that the history refused is refused to the source") {
  auto uut = schema_store_state{};
  (void) uut.on_watch_schemas(0);
  auto out = uut.on_declare(3, declaration_of({ddl(7, 1, 10)}),
                            {errc::log_io, "schema"});
  REQUIRE(out.size() == 1);
  CHECK(only<to_source>(out)[0].message.failure
        == error{errc::log_io, "schema"});
  CHECK(ask(uut, 7, 0)[0].message.failure == errc::unknown_table);
}

TEST_CASE("DDL that follows refused DDL is refused until all comes again") {
  auto uut = schema_store_state{};
  auto first = declaration_of({ddl(7, 1, 10)}, 1);
  auto second = declaration_of({ddl(7, 2, 20)}, 2);
  second.follows = true;
  CHECK_FALSE(uut.refusal(3, second));
  auto full = error{errc::disk_full, "schema"};
  (void) uut.on_declare(3, first, full);
  CHECK(uut.refusal(3, second) == full);
  (void) uut.on_declare(3, second, full);
  CHECK(uut.refusal(3, second) == full);
  CHECK_FALSE(uut.refusal(4, second));
  CHECK_FALSE(uut.refusal(3, first));
  (void) uut.on_declare(3, first);
  CHECK_FALSE(uut.refusal(3, second));
}

TEST_CASE("shards hear of every version before its resolved") {
  auto uut = schema_store_state{};
  auto first = only<to_shard<schema_resolved>>(uut.on_watch_schemas(0));
  REQUIRE(first.size() == 1);
  CHECK(first[0].message.resolved == timestamp{0});
  auto notices = only<to_shard<ddl_notice>>(
    uut.on_declare(3, declaration_of({ddl(7, 1, 10)})));
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].message.event == ddl(7, 1, 10));
  CHECK(uut.on_resolved({{20}}).size() == 1);
  CHECK(uut.on_resolved({{10}}).empty());
  CHECK(uut.on_resolved({{20}}).empty());
}

TEST_CASE("tables of earlier runs are announced at once and when declared") {
  auto uut = with_history();
  // Their source may declare them no more, and a feed still lack rows.
  auto early = only<to_collector>(uut.on_watch_tables(0));
  REQUIRE(early.size() == 1);
  CHECK(early[0].message.tables.at(0).partition == partition_id{1});
  auto out = uut.on_declare(3, declaration_of({ddl(7, 2, 20)}));
  auto told = only<to_collector>(out);
  REQUIRE(told.size() == 1);
  CHECK(told[0].message.tables.at(0).created == timestamp{10});
  CHECK(only<to_source>(uut.on_table_noted(0, {7})).size() == 1);
  CHECK(only<to_collector>(uut.on_watch_tables(1)).size() == 1);
}

TEST_CASE("a query gets the version valid then and the later ones") {
  auto uut = with_history();
  CHECK(ask(uut, 7, 15)[0].message.schemas[0].version == schema_version{1});
  CHECK(ask(uut, 7, 15)[0].message.later
        == std::vector<ddl_event>{ddl(7, 2, 20)});
  CHECK(ask(uut, 7, 19)[0].message.later.size() == 1);
  CHECK(ask(uut, 7, 20)[0].message.schemas[0].version == schema_version{2});
  CHECK(ask(uut, 7, 20)[0].message.later.empty());
  // No row is before the first version: it serves for what is earlier.
  CHECK(ask(uut, 7, 9)[0].message.schemas[0].version == schema_version{1});
  CHECK(ask(uut, 7, 9)[0].message.later
        == std::vector<ddl_event>{ddl(7, 2, 20)});
}

TEST_CASE("an unknown table and a deleted one are told apart") {
  auto uut = with_history();
  auto end = ddl(7, 2, 30);
  end.dropped = true;
  (void) uut.on_declare(3, declaration_of({end}));
  CHECK(ask(uut, 9, 30)[0].message.failure == errc::unknown_table);
  CHECK(ask(uut, 7, 30)[0].message.failure == errc::table_deleted);
  CHECK(ask(uut, 7, 29)[0].message.failure == errc::none);
}

TEST_CASE("a query beyond the resolved waits for it") {
  auto uut = with_history();
  CHECK(ask(uut, 7, 80).empty());
  CHECK(ask(uut, 7, 60).empty()); // instead: nobody asks for two at a time
  CHECK(uut.on_resolved({{59}}).empty());
  auto out = only<to_shard<schema_answer>>(uut.on_resolved({{60}}));
  REQUIRE(out.size() == 1);
  CHECK(out[0].message.query.at == timestamp{60});
  uut.on_shard_gone(0);
  CHECK(uut.on_resolved({{80}}).empty());
}

TEST_CASE("a table that comes back is served from its coming back") {
  auto uut = schema_store_state{};
  auto gone = ddl(7, 1, 40);
  gone.dropped = true;
  (void) uut.on_declare(0, declaration_of({ddl(7, 1, 10)}));
  (void) uut.on_declare(0, declaration_of({gone}));
  (void) uut.on_resolved({{100}});
  auto at = [&](std::uint64_t ts) {
    auto out = uut.on_query(0, {{1, 1}, {1}, {7}, {ts}});
    return std::get<to_shard<schema_answer>>(out.at(0)).message;
  };
  CHECK(at(20).failure == errc::none);
  CHECK(at(50).failure == errc::table_deleted);
  (void) uut.on_declare(0, declaration_of({ddl(7, 2, 60)}));
  CHECK(at(50).failure == errc::none);
  CHECK(at(50).schemas[0].version == schema_version{2});
  CHECK(at(20).later.size() == 2);
}

TEST_CASE("a query for all tables gets those that the feed wants") {
  auto uut = schema_store_state{};
  static_cast<void>(uut.on_declare(0, declaration_of({ddl(7, 1, 10)})));
  static_cast<void>(uut.on_declare(0, declaration_of({ddl(7, 2, 60)})));
  static_cast<void>(uut.on_declare(0, declaration_of({ddl(8, 1, 10)})));
  static_cast<void>(uut.on_declare(0, declaration_of({ddl(8, 2, 50)})));
  static_cast<void>(uut.on_declare(0, declaration_of({ddl(9, 1, 10)})));
  static_cast<void>(uut.on_resolved({{90}}));
  auto name = [](std::uint64_t t) { return ddl(t, 1, 0).schema.name; };
  auto query = schema_query{{}, {}, all_tables, {20}, {{name(7), name(8)}, {}}};
  auto out = uut.on_query(3, query);
  REQUIRE(out.size() == 1);
  auto& answer = std::get<to_shard<schema_answer>>(out[0]).message;
  CHECK(answer.failure == errc::none);
  REQUIRE(answer.schemas.size() == 2);
  CHECK(answer.schemas[0] == ddl(7, 1, 10).schema);
  CHECK(answer.schemas[1] == ddl(8, 1, 10).schema);
  // Of all tables, in the order of their ts.
  CHECK(answer.later == std::vector{ddl(8, 2, 50), ddl(7, 2, 60)});
}
