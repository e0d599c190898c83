#include "actors/schema_store.hpp"

#include <doctest/doctest.h>

#include "tests/support/deterministic.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

std::shared_ptr<table_history> history() {
  return std::make_shared<table_history>(table_history::in_memory());
}

struct fixture : deterministic {
  schema_store_actor uut = spawn(schema_store, history(), 1);
  fake<source_actor> source = make_fake<source_actor, schemas_declared>();
  fake<dispatcher_shard_actor> shard = make_fake<
    dispatcher_shard_actor, ddl_notice, schema_resolved, schema_answer>();
  fake<collector_actor> collector = make_fake<collector_actor, known_tables>();

  template <class From, class Message>
  void tell(const From& from, Message message) {
    from.send(uut, std::move(message));
    deliver_all();
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "Scenario: a table is declared to all who watch") {
  tell(shard, watch_schemas{});
  CHECK(shard.take<schema_resolved>().size() == 1);
  tell(collector, watch_tables{});
  tell(source, declaration_of({ddl(7, 1, 20)}));
  CHECK(shard.take<ddl_notice>().at(0).event == ddl(7, 1, 20));
  CHECK(collector.take<known_tables>().at(0).tables
        == std::vector{table_info{{7}, "t7", {1}, {20}}});
  CHECK(source.take<schemas_declared>().empty());
  tell(collector, table_noted{{7}});
  CHECK(source.take<schemas_declared>().size() == 1);
}

TEST_CASE_FIXTURE(fixture,
                  "Scenario: a query waits for the schema's resolved") {
  tell(source, declaration_of({ddl(7, 1, 20)}));
  tell(shard, schema_query{{}, {}, {7}, {40}});
  CHECK(shard.take<schema_answer>().empty());
  tell(source, schema_resolved{{40}});
  auto answers = shard.take<schema_answer>();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].schemas == std::vector{ddl(7, 1, 20).schema});
  CHECK(source.take<schemas_declared>().size() == 1);
}

TEST_CASE_FIXTURE(fixture,
                  "Scenario: a schema that comes too late is refused") {
  tell(shard, watch_schemas{});
  tell(source, declaration_of({ddl(7, 2, 40)}, 1));
  shard.take<ddl_notice>();
  // With all that came with it.
  tell(source, declaration_of({ddl(8, 1, 20), ddl(7, 1, 20)}, 2));
  auto declared = source.take<schemas_declared>();
  REQUIRE(declared.size() == 2);
  CHECK(declared[1].number == 2);
  CHECK(declared[1].failure.code == errc::append_out_of_order);
  CHECK(shard.take<ddl_notice>().empty());
}

TEST_CASE_FIXTURE(fixture,
                  "Scenario: a collector ends before it noted a table") {
  tell(collector, watch_tables{});
  tell(source, declaration_of({ddl(7, 1, 20)}));
  CHECK(source.take<schemas_declared>().empty());
  caf::anon_send_exit(collector.handle, caf::exit_reason::kill);
  deliver_all();
  CHECK(source.take<schemas_declared>().size() == 1);
  CHECK(collector.take<known_tables>().size() == 1);
}
