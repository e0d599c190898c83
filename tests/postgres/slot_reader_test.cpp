#include "actors/sources/postgres/slot_reader.hpp"

#include <thread>

#include <doctest/doctest.h>

#include "actors/sources/postgres/slot.hpp"
#include "tests/support/memory_journal.hpp"
#include "tests/support/throwaway_postgres.hpp"

using namespace sluice;
using namespace sluice::postgres;
using namespace std::chrono_literals;
using test::memory_journal;
using test::throwaway_postgres;

namespace {

/// A slot of one table, from its beginning.
struct slot_fixture {
  throwaway_postgres& server = throwaway_postgres::shared();
  std::string database = server.make_database();
  memory_journal journal;
  captured_tables tables{journal, {}};
  std::optional<slot_reader> uut;

  slot_fixture() {
    sql("CREATE TABLE t (id int PRIMARY KEY);"
        "CREATE PUBLICATION p FOR TABLE t");
    auto t = captured_table{};
    t.id = static_cast<oid>(std::stoul(ask("SELECT 't'::regclass::oid")));
    t.schema = "public";
    t.name = "t";
    t.columns = {{"id", 23, -1, "", 1}};
    REQUIRE(tables.add({t}, {}));
    auto to = connection::open(server.conninfo(database),
                               connection::kind::replication);
    REQUIRE(to);
    auto slot = temporary_slot_name();
    auto made = export_snapshot(*to, slot, true, 10s);
    REQUIRE(made);
    auto stream = start_stream(std::move(*to),
                               {slot, "p", made->consistent, made->consistent},
                               1U << 20U, 10s);
    REQUIRE(stream);
    uut.emplace(std::move(*stream),
                slot_reader::request{tables, {}, 0, "here"});
  }
  void sql(const std::string& text) { server.run(database, text); }
  std::string ask(const std::string& text) {
    return server.ask(database, text);
  }
  std::size_t read(lsn limit) {
    auto rows = std::size_t{0};
    auto end = std::chrono::steady_clock::now() + 20s;
    do {
      REQUIRE(std::chrono::steady_clock::now() < end);
      REQUIRE(uut->read(1U << 20U, 10ms, limit));
      auto block = uut->rows().take_rows();
      rows += block == nullptr ? 0 : block->rows();
    } while (!uut->reached());
    return rows;
  }
};

} // namespace

TEST_CASE_FIXTURE(slot_fixture,
                  "A slot is read up to a place, and no further") {
  sql("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)");
  auto place = parse_lsn(ask("SELECT pg_current_wal_lsn()"));
  sql("INSERT INTO t VALUES (3)");
  auto end = parse_lsn(ask("SELECT pg_current_wal_lsn()"));
  SUBCASE("that no transaction ends at") {
    // What the server has in between says nothing of the place.
    CHECK(read(place + 1) == 2);
    CHECK(read(place + 1) == 0);
  }
  SUBCASE("where a transaction ends") {
    CHECK(read(place) == 2);
  }
  CHECK(read(end) == 1);
}

TEST_CASE_FIXTURE(slot_fixture,
                  "A read ends though what is left out comes without a pause") {
  sql("CREATE TABLE busy (id int PRIMARY KEY);"
      "ALTER PUBLICATION p ADD TABLE busy");
  auto writer = std::jthread{[&] {
    server.run(database, "DO $$ BEGIN FOR i IN 1..100000 LOOP"
                         " INSERT INTO busy VALUES (i); COMMIT;"
                         " END LOOP; END $$");
    server.run(database, "INSERT INTO t VALUES (1)");
  }};
  auto longest = std::chrono::steady_clock::duration{};
  for (auto rows = std::size_t{0}; rows == 0;) {
    auto begun = std::chrono::steady_clock::now();
    REQUIRE(uut->read(1U << 20U, 10ms));
    longest = std::max(longest, std::chrono::steady_clock::now() - begun);
    auto block = uut->rows().take_rows();
    rows = block == nullptr ? 0 : block->rows();
  }
  CHECK(longest < 500ms);
}
