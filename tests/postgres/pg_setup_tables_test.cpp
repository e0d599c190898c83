#include "tests/postgres/setup_fixture.hpp"

using namespace sluice;
using namespace sluice::setup_test;

namespace {

const postgres::captured_table& only_table(const report& x) {
  INFO(printed(x));
  REQUIRE(x.tables.size() == 1);
  return x.tables.front();
}

// `id:1 part:2 n:0`
std::string columns_of(const postgres::captured_table& x) {
  auto result = std::string{};
  for (const auto& c : x.columns)
    result += (result.empty() ? "" : " ") + c.name + ':'
              + std::to_string(c.key_part);
  return result;
}

} // namespace

TEST_CASE("a table is described as the source needs it") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE TYPE mood AS ENUM ('good');"
         "CREATE TABLE t (a numeric(10,2), part text, gone int, m mood,"
         " id bigint, PRIMARY KEY (id, part));"
         "ALTER TABLE t DROP COLUMN gone;"
         "INSERT INTO t SELECT 1, 'p', 'good', i FROM generate_series(1, 50) i;"
         "ANALYZE t");
  auto all = at.examined();
  const auto& t = only_table(all);
  CHECK(t.qualified() == "public.t");
  CHECK(std::to_string(t.id) == at.ask("SELECT 't'::regclass::oid"));
  CHECK(t.identity == 'd');
  CHECK(t.rows_estimated == 50);
  CHECK(columns_of(t) == "a:0 part:2 m:0 id:1");
  CHECK(t.columns[0].type == 1700);
  CHECK(t.columns[0].modifier == ((10 << 16) | 2) + 4);
  CHECK(t.columns[2].type_name == "public.mood");
  CHECK(t.columns[3].modifier == -1);
  CHECK(at.found("table public.t").detail == "key (id, part), about 50 rows");
}

TEST_CASE("the key is that of the replica identity") {
  if (skipped())
    return;
  auto at = desk{};
  auto key = [&](const std::string& sql) {
    at.run("DROP TABLE IF EXISTS t; CREATE TABLE t (a int PRIMARY KEY,"
           " b int NOT NULL, c int NOT NULL, d int);"
           + sql);
    auto all = at.examined();
    return columns_of(only_table(all));
  };
  CHECK(key("") == "a:1 b:0 c:0 d:0");
  CHECK(key("ALTER TABLE t REPLICA IDENTITY FULL") == "a:1 b:0 c:0 d:0");
  CHECK(key("CREATE UNIQUE INDEX i ON t (c, b);"
            "ALTER TABLE t REPLICA IDENTITY USING INDEX i")
        == "a:0 b:2 c:1 d:0");
  // What an index only carries along is not in the key.
  CHECK(key("CREATE UNIQUE INDEX i ON t (b) INCLUDE (d);"
            "ALTER TABLE t REPLICA IDENTITY USING INDEX i")
        == "a:0 b:1 c:0 d:0");
}

TEST_CASE("a table without a key is left out, or an obstacle if it is named") {
  if (skipped())
    return;
  struct sample {
    const char* sql;
    const char* text;
    bool sql_mends;
  };
  constexpr sample samples[] = {
    {"CREATE TABLE t (n int)", "has no primary key", false},
    {"CREATE TABLE t (n int); ALTER TABLE t REPLICA IDENTITY FULL",
     "has no primary key", false},
    {"CREATE TABLE t (n int UNIQUE)", "has no primary key", false}, // nulls
    {"CREATE TABLE t (n int NOT NULL);"
     "CREATE UNIQUE INDEX i ON t (n) WHERE n > 0",
     "has no primary key", false},
    {"CREATE TABLE t (n int NOT NULL); CREATE UNIQUE INDEX i ON t (abs(n))",
     "has no primary key", false},
    {"CREATE TABLE t (n int NOT NULL UNIQUE)", "has no primary key", true},
    {"CREATE TABLE t (n int PRIMARY KEY DEFERRABLE)", "deferrable", false},
    {"CREATE TABLE t (n int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY"
     " NOTHING",
     "NOTHING", true},
    {"CREATE TABLE t (n int PRIMARY KEY, m int NOT NULL);"
     "CREATE UNIQUE INDEX i ON t (m);"
     "ALTER TABLE t REPLICA IDENTITY USING INDEX i; DROP INDEX i",
     "is gone", true},
    {"CREATE TABLE t (n int,"
     " g int GENERATED ALWAYS AS (n + 1) STORED PRIMARY KEY)",
     "generated column in its key", false},
    {"CREATE TABLE t (n int PRIMARY KEY,"
     " g int GENERATED ALWAYS AS (n + 1) STORED NOT NULL);"
     "CREATE UNIQUE INDEX i ON t (g);"
     "ALTER TABLE t REPLICA IDENTITY USING INDEX i",
     "generated column in its key", true},
  };
  auto at = desk{};
  for (const auto& x : samples) {
    CAPTURE(x.sql);
    at.run(x.sql);
    at.options.tables.include = {"public.*"};
    auto found = at.found("table public.t");
    CHECK(found.how == level::warning);
    CHECK(contains(found.detail, x.text));
    CHECK(contains(found.detail, "left out"));
    CHECK(at.captured().empty());
    CHECK(at.examined().obstacle(true) == nullptr);

    at.options.tables.include = {"public.t"};
    found = at.found("table public.t");
    CHECK(found.how == level::broken);
    CHECK(found.code == errc::table_without_key);
    CHECK(!found.sql.empty() == x.sql_mends);
    CHECK(found.remedy.empty() == x.sql_mends);
    if (x.sql_mends) {
      at.paste(found.sql);
      CHECK(at.captured() == names{"public.t"});
      at.run("CREATE PUBLICATION p FOR TABLE t; UPDATE t SET n = 1;"
             "DROP PUBLICATION p");
    }
    at.run("DROP TABLE t");
  }
}

TEST_CASE("a generated column is left out") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE TABLE t (id int PRIMARY KEY,"
         " g int GENERATED ALWAYS AS (id + 1) STORED, n text)");
  auto all = at.examined();
  CHECK(columns_of(only_table(all)) == "id:1 n:0");
}

TEST_CASE("what has no log of its own cannot be captured") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE UNLOGGED TABLE u (id int PRIMARY KEY);"
         "CREATE VIEW v AS SELECT 1 AS id;"
         "CREATE MATERIALIZED VIEW m AS SELECT 1 AS id;"
         "CREATE FOREIGN DATA WRAPPER w;"
         "CREATE SERVER s FOREIGN DATA WRAPPER w;"
         "CREATE FOREIGN TABLE f (id int) SERVER s");
  CHECK(at.found("table public.u").how == level::warning);
  CHECK(at.found("table public.f").how == level::warning);
  CHECK(!contains(printed(at.examined()), "view"));

  at.options.tables.include = {"public.u", "public.f", "public.v", "public.m"};
  for (const auto& x : at.options.tables.include) {
    CHECK(at.found("table " + x).how == level::broken);
    CHECK(at.found("table " + x).code == errc::source_unsupported);
  }
  CHECK(contains(at.found("table public.f").detail, "foreign"));
  at.options.tables.include = {"public.u"};
  at.mend();
  CHECK(at.captured() == names{"public.u"});
}

TEST_CASE("temporary tables and PostgreSQL's own never match") {
  if (skipped())
    return;
  auto at = desk{};
  auto session = opened(at.options.conninfo);
  REQUIRE(session.run("CREATE TEMPORARY TABLE t (id int PRIMARY KEY)"));
  CHECK(at.captured().empty());
  at.options.tables.include = {"pg_catalog.pg_class"};
  auto found = at.found("table pg_catalog.pg_class");
  CHECK(found.how == level::broken);
  CHECK(contains(found.detail, "PostgreSQL's own"));
}

TEST_CASE("a table that is named has to be there") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE TABLE t (id int PRIMARY KEY)");
  at.options.tables.include = {"public.nowhere", "t", "public.no*"};
  auto found = at.found("table public.nowhere");
  CHECK(found.how == level::broken);
  CHECK(found.code == errc::unknown_table);
  CHECK(contains(at.found("table t").remedy, "public.t"));
  CHECK(!contains(printed(at.examined()), "no*"));
}

TEST_CASE("nothing to capture is an obstacle only if a table is needed") {
  if (skipped())
    return;
  auto at = desk{};
  CHECK(at.found("tables").how == level::warning);
  CHECK(at.examined().obstacle(true) == nullptr);
  at.options.need_table = true;
  CHECK(at.found("tables").how == level::broken);
  at.run("CREATE TABLE t (id int PRIMARY KEY)");
  CHECK(at.examined().obstacle(true) == nullptr);
}

TEST_CASE("a table that is excluded is not looked at") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE bare (n int)");
  at.options.tables.exclude = {"public.b*"};
  CHECK(at.captured() == names{"public.t"});
  CHECK(!contains(printed(at.examined()), "bare"));
}

TEST_CASE("names are quoted in the SQL") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE SCHEMA \"S p\"; CREATE TABLE \"S p\".\"it's \"\"x\"\"\""
         " (\"K\" int NOT NULL UNIQUE, \"select\" text)");
  at.options.tables.include = {"S p.it's \"x\""};
  CHECK(at.found("table S p.it's \"x\"").how == level::broken);
  at.mend(); // the key
  at.mend(); // the publication with it
  CHECK(at.obstacle().empty());
  CHECK(at.ask("SELECT count(*) FROM pg_publication_tables WHERE pubname = '"
               + at.db + "'")
        == "1");
}

// -- partitions ---------------------------------------------------------------

TEST_CASE("a partitioned table is captured as its root") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE TABLE r (id int, k int, PRIMARY KEY (id, k))"
         " PARTITION BY LIST (k);"
         "CREATE TABLE r1 PARTITION OF r FOR VALUES IN (1);"
         "CREATE TABLE r2 PARTITION OF r FOR VALUES IN (2)"
         " PARTITION BY LIST (k);"
         "CREATE TABLE r22 PARTITION OF r2 FOR VALUES IN (2);"
         "INSERT INTO r SELECT i, 1 + i % 2 FROM generate_series(1, 30) i;"
         "ANALYZE");
  auto all = at.examined();
  CHECK(only_table(all).qualified() == "public.r");
  CHECK(only_table(all).rows_estimated == 30);
  CHECK(!contains(printed(all), "partition of"));
  at.mend();
  CHECK(at.obstacle().empty());
  CHECK(at.ask("SELECT string_agg(tablename, ' ') FROM pg_publication_tables"
               " WHERE pubname = '"
               + at.db + "'")
        == "r");

  at.run("ALTER PUBLICATION " + at.db
         + " SET (publish_via_partition_root = false)");
  CHECK(contains(at.found("publication").detail, "partition_root"));
  at.mend();
  CHECK(at.obstacle().empty());
}

TEST_CASE("a partition by itself is not a table") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE TABLE r (id int PRIMARY KEY) PARTITION BY LIST (id);"
         "CREATE TABLE r1 PARTITION OF r FOR VALUES IN (1)");
  at.options.tables.include = {"public.r1"};
  auto found = at.found("table public.r1");
  CHECK(found.how == level::broken);
  CHECK(contains(found.detail, "partition of public.r"));
  at.options.tables.include = {"public.r?"};
  CHECK(at.found("table public.r1").how == level::warning);
  at.options.tables.include = {"public.r*"};
  CHECK(at.captured() == names{"public.r"});
}

TEST_CASE("partitions have the key of their root") {
  if (skipped())
    return;
  auto at = desk{};
  constexpr auto root = "CREATE TABLE r (id int PRIMARY KEY, n int NOT NULL)"
                        " PARTITION BY LIST (id);"
                        "CREATE TABLE r1 PARTITION OF r FOR VALUES IN (1);"
                        "CREATE TABLE r2 PARTITION OF r FOR VALUES IN (2);";
  constexpr const char* others[] = {
    "ALTER TABLE r1 REPLICA IDENTITY NOTHING",
    "CREATE UNIQUE INDEX i ON r1 (n); ALTER TABLE r1 REPLICA IDENTITY USING"
    " INDEX i",
    // That of the root does not reach its partitions.
    "CREATE UNIQUE INDEX i ON r (n, id); ALTER TABLE r REPLICA IDENTITY USING"
    " INDEX i",
  };
  at.options.tables.include = {"public.r"};
  for (const auto* sql : others) {
    CAPTURE(sql);
    at.run(root + std::string{sql});
    auto found = at.found("table public.r");
    CHECK(found.how == level::broken);
    CHECK(contains(found.detail, "public.r1"));
    at.paste(found.sql);
    CHECK(at.captured() == names{"public.r"});
    at.run("DROP TABLE r");
  }
  at.run(root + std::string{"ALTER TABLE r1 REPLICA IDENTITY FULL"});
  CHECK(at.captured() == names{"public.r"});
}

TEST_CASE("an unlogged partition keeps its root from being captured") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE TABLE r (id int PRIMARY KEY) PARTITION BY LIST (id);"
         "CREATE UNLOGGED TABLE r1 PARTITION OF r FOR VALUES IN (1)");
  at.options.tables.include = {"public.r"};
  CHECK(contains(at.found("table public.r").detail, "unlogged"));
  at.mend();
  CHECK(at.captured() == names{"public.r"});
}

TEST_CASE("a partitioned table with a foreign partition has no key") {
  if (skipped())
    return;
  auto at = desk{};
  at.run("CREATE FOREIGN DATA WRAPPER w;"
         "CREATE SERVER s FOREIGN DATA WRAPPER w;"
         "CREATE TABLE r (id int NOT NULL) PARTITION BY LIST (id);"
         "CREATE FOREIGN TABLE r1 PARTITION OF r FOR VALUES IN (1) SERVER s");
  auto to = opened(at.options.conninfo);
  CHECK(!to.run("ALTER TABLE public.r ADD PRIMARY KEY (id)"));
  CHECK(at.captured().empty());
}
