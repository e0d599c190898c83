#include <doctest/doctest.h>

#include "actors/schema_store.hpp"
#include "tests/support/deterministic.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

// The disk was full for a DDL and had room again for the next one of the same
// table, which was recorded. From then on the history refused the first one as
// out of order, and the source stopped for good.

TEST_CASE_FIXTURE(deterministic, "DDL behind a refused one is not recorded") {
  auto history = std::make_shared<table_history>(table_history::in_memory());
  auto uut = spawn(schema_store, history, 1);
  auto source = make_fake<source_actor, schemas_declared>();
  auto declare = [&](const declare_schemas& message) {
    source.send(uut, message);
    deliver_all();
    return source.take<schemas_declared>().at(0).failure;
  };
  auto first = declaration_of({ddl(7, 1, 30)}, 3);
  auto second = declaration_of({ddl(7, 2, 40)}, 2);
  second.follows = true;
  auto failure = declare(declaration_of({ddl(7, 1, 30), ddl(7, 1, 20)}, 1));
  CHECK(failure);
  CHECK(declare(second) == failure);
  CHECK(history->all().empty());
  // All of it comes again.
  CHECK_FALSE(declare(first));
  CHECK_FALSE(declare(second));
  CHECK(history->all().size() == 2);
}
