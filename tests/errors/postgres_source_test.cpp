// PostgreSQL as a source: each failure with the real program and a real
// server, then what the line says, and then the replica has what the source
// has.
#include "desk.hpp"
#include "tests/support/throwaway_postgres.hpp"

using namespace sluice::error_test;
using sluice::test::throwaway_postgres;

namespace {

// A database with a table of three rows.
struct pg_desk {
  explicit pg_desk(throwaway_postgres& on = throwaway_postgres::shared())
    : server{on} {
    sql("CREATE TABLE items (id int PRIMARY KEY, name text);"
        "INSERT INTO items VALUES (1, 'pear'), (2, 'fig'), (3, NULL)");
  }
  ~pg_desk() {
    server.run("postgres", "SELECT pg_drop_replication_slot(slot_name) FROM"
                           " pg_replication_slots WHERE NOT active");
  }
  pg_desk(const pg_desk&) = delete;
  pg_desk& operator=(const pg_desk&) = delete;

  void sql(const std::string& text) { server.run(database, text); }
  [[nodiscard]] std::string conninfo() const {
    return server.conninfo(database);
  }
  program start(const std::string& from, const strings& more) const {
    auto arguments = strings{from,     "replica.db", "--state", "state",
                             "--once", "--patience", "0.5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return {"pg_to_sqlite", arguments, files.top, user::same};
  }
  /// With status 2, and one line that the manual has.
  void refuses(const std::string& from, const std::string& code,
               const strings& more = {}) const {
    auto run = start(from, more);
    auto status = run.wait();
    auto line = run.err();
    CAPTURE(line);
    REQUIRE(status == 2);
    REQUIRE(line.ends_with("\n"));
    line.pop_back();
    CHECK(line.find('\n') == std::string::npos);
    CHECK(line.starts_with("pg_to_sqlite: " + code + ": "));
    CHECK_MESSAGE(manual_has(line.substr(14)), "not in docs/errors.md");
  }
  void fails(const std::string& code, const strings& more = {}) const {
    refuses(conninfo(), code, more);
  }
  void verifies(const strings& more = {}) {
    auto run = start(conninfo(), more);
    auto status = run.wait();
    REQUIRE_MESSAGE(status == 0, run.err() << run.out());
    auto wanted = server.ask(
      database, "SELECT string_agg(id || coalesce(name, '-'), ' ' ORDER BY id)"
                " FROM items");
    auto db = plain_sqlite::database{files.at("replica.db"),
                                     SQLITE_OPEN_READWRITE};
    auto query = plain_sqlite::statement{
      db.get(), "SELECT group_concat(id || coalesce(name, '-'), ' ') FROM"
                " (SELECT * FROM \"public.items\" ORDER BY id)"};
    REQUIRE(query.step());
    CHECK(std::string{query.bytes(0)} == wanted);
  }

  throwaway_postgres& server;
  std::string database = server.make_database();
  desk files;

private:
  // What is another one each time has a name there.
  [[nodiscard]] bool manual_has(std::string line) const {
    auto replace = [&](const std::string& from, const std::string& to) {
      for (auto at = line.find(from); at != std::string::npos;
           at = line.find(from))
        line.replace(at, from.size(), to);
    };
    replace(server.directory(), "<host>");
    replace(database, "shop");
    line = std::regex_replace(line, std::regex{"[0-9A-F]+/[0-9A-F]{4,}"},
                              "<place>");
    auto manual = text_of(sluice::test::checkout_file("docs/errors.md"));
    return manual.find('`' + line + '`') != std::string::npos;
  }
};

#define NEEDS_POSTGRES()                                                       \
  if (!throwaway_postgres::available()) {                                      \
    MESSAGE("SKIPPED: no PostgreSQL server here");                             \
    return;                                                                    \
  }

} // namespace

TEST_CASE("a PostgreSQL server that is away, or refuses, is named") {
  NEEDS_POSTGRES()
  auto uut = pg_desk{};
  uut.refuses("host=/nowhere dbname=shop user=app", "source_unavailable");
  uut.refuses(uut.server.conninfo("nothing_there"), "source_unsupported");
  uut.sql("CREATE ROLE reader LOGIN");
  auto as_reader = uut.conninfo();
  as_reader.replace(as_reader.find("user=postgres"), 13, "user=reader");
  uut.refuses(as_reader, "source_unsupported");
  uut.server.run("postgres", "DROP ROLE reader");
  uut.verifies();
}

TEST_CASE("a PostgreSQL server without logical replication is told how") {
  NEEDS_POSTGRES()
  auto server = throwaway_postgres{{"wal_level = replica"}};
  auto uut = pg_desk{server};
  uut.fails("source_unsupported");
  uut.server.run("postgres", "ALTER SYSTEM SET wal_level = logical");
  server.stop();
  // The file that the test's own setting is in comes before that one.
  server.start();
  uut.verifies();
}

TEST_CASE("tables of PostgreSQL that cannot be captured are named") {
  NEEDS_POSTGRES()
  auto uut = pg_desk{};
  uut.fails("unknown_table", {"--table", "public.orders"});
  uut.sql("CREATE TABLE notes (text text)");
  uut.fails("table_without_key", {"--table", "public.notes"});
  uut.verifies(); // without it
}

TEST_CASE("a slot of PostgreSQL that is gone, or another's, stops it") {
  NEEDS_POSTGRES()
  auto uut = pg_desk{};
  uut.verifies();
  uut.sql("SELECT pg_drop_replication_slot('sluice');"
          "DELETE FROM items WHERE id = 1");
  uut.fails("source_rolled_back");
  uut.verifies({"--copy-again"});
  uut.sql("INSERT INTO items VALUES (4, 'kiwi')");
  uut.verifies();
  uut.files.remove("state");
  uut.fails("source_unsupported");
  uut.verifies({"--copy-again"});
}

TEST_CASE("a table of PostgreSQL that was made anew stops it") {
  NEEDS_POSTGRES()
  auto uut = pg_desk{};
  uut.verifies();
  uut.sql("DROP TABLE items; CREATE TABLE items (id int PRIMARY KEY,"
          " name text); INSERT INTO items VALUES (7, 'plum')");
  uut.fails("source_schema_changed");
  uut.verifies({"--copy-again"});
}
