#include "tests/scenarios/serving_side.hpp"

using namespace sluice;
using namespace sluice::test;

// Once a table was dropped and its end delivered, a reset of its stream (a
// sink that failed, a lost message) looked up its schema at L, was answered
// "table_deleted", and the refusal stopped the whole feed for good.

namespace {

struct fixture : serving_side {
  fixture() {
    append({20}, 30);
    add(0);
    reset(1, 0);
    auto event = ddl(7, 1, 40);
    event.dropped = true;
    tell(source, schemas, declaration_of({event}));
    append({}, 50);
    REQUIRE(collector.take<schema_change>().size() == 1);
    beat(1, 50);
    collector.take<handshake>();
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture,
                  "a stream can be reset after its table was dropped") {
  reset(2, 50);
  auto hello = take_handshake();
  REQUIRE(hello);
  CHECK(hello->lower_bound == timestamp{50});
  CHECK(collector.take<refused>().empty());
}

TEST_CASE_FIXTURE(fixture,
                  "a table that comes back after a reset is delivered") {
  reset(2, 50);
  tell(source, schemas, declaration_of({ddl(7, 2, 60)}));
  collector.take<delivery>();
  append({70}, 80, 2);
  CHECK(rows(2) == rows_at{70});
  CHECK(collector.take<schema_change>().size() == 1);
}
