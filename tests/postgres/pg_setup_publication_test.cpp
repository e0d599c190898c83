#include <chrono>

#include "tests/postgres/setup_fixture.hpp"

using namespace sluice;
using namespace sluice::setup_test;

TEST_CASE("the publication is made, and gets what it lacks") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  at.run("CREATE TABLE child (CHECK (id > 0)) INHERITS (t)");
  auto to = opened(at.options.conninfo);
  auto make = [&] {
    auto made = postgres::make_publication(to, at.options, at.examined());
    INFO((made ? std::string{} : to_string(made.error())));
    REQUIRE(made);
  };
  auto published = "SELECT string_agg(tablename, ' ' ORDER BY tablename)"
                   " FROM pg_publication_tables WHERE pubname = '"
                   + at.db + "'";
  make();
  CHECK(to.run("SHOW lock_timeout")->text(0, 0) == "0");
  // The child has no key, and could no longer be updated.
  CHECK(at.ask(published) == "t");
  make_table(at, "u");
  CHECK(contains(at.found("publication").detail, "lacks public.u"));
  make();
  CHECK(at.ask(published) == "t u");
  make();
  CHECK(at.found("publication").how == level::good);
  CHECK(at.found("slot").how == level::missing); // that is not its business
  CHECK(at.ask("SELECT puballtables FROM pg_publication WHERE pubname = '"
               + at.db + "'")
        == "f");
}

TEST_CASE("a publication does not wait for a locked table for ever") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  auto holder = opened(at.options.conninfo);
  REQUIRE(holder.run("BEGIN"));
  REQUIRE(holder.run("LOCK TABLE public.t"));
  auto to = opened(at.options.conninfo);
  at.options.patience = std::chrono::milliseconds{100};
  auto begin = std::chrono::steady_clock::now();
  auto made = postgres::make_publication(to, at.options, at.examined());
  REQUIRE(!made);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{3});
  CHECK(made.error().code == errc::source_unavailable);
  CHECK(to.last_state().empty());
}

TEST_CASE("a publication has all kinds of changes") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  at.run("CREATE PUBLICATION " + at.db
         + " FOR TABLE t WITH (publish = 'insert')");
  CHECK(at.found("publication").how == level::missing);
  at.mend();
  CHECK(at.found("publication").how == level::good);
}

TEST_CASE("a publication with a filter disagrees with the copy") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  for (const auto* part : {" WHERE (id > 1)", " (id)"}) {
    at.run("CREATE PUBLICATION " + at.db + " FOR TABLE t" + part);
    auto found = at.found("publication");
    CHECK(found.how == level::broken);
    CHECK(contains(found.detail, "leaves out rows or columns of public.t"));
    at.mend();
    CHECK(at.found("publication").how == level::good);
    at.run("DROP PUBLICATION " + at.db);
  }
}

TEST_CASE("a publication of whole schemas or of all tables will do") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  at.run("CREATE PUBLICATION " + at.db + " FOR TABLES IN SCHEMA public");
  CHECK(at.found("publication").how == level::good);
  at.run("DROP PUBLICATION " + at.db + "; CREATE PUBLICATION " + at.db
         + " FOR ALL TABLES");
  CHECK(at.found("publication").how == level::good);
}

TEST_CASE("a published table without a key breaks the application") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  at.run("CREATE TABLE bare (n int); INSERT INTO bare VALUES (1);"
         "CREATE PUBLICATION "
         + at.db + " FOR TABLE t, bare");
  auto application = opened(at.options.conninfo);
  CHECK(!application.run("UPDATE public.bare SET n = 2"));
  auto found = at.found("publication");
  CHECK(found.how == level::warning);
  CHECK(contains(found.detail, "public.bare"));
  at.paste(found.sql);
  CHECK(application.run("UPDATE public.bare SET n = 2"));
  CHECK(at.found("publication").how == level::good);
}

TEST_CASE("the source does not break an application to get all changes") {
  if (skipped())
    return;
  auto at = desk{};
  make_table(at);
  at.run("CREATE TABLE bare (n int); CREATE PUBLICATION " + at.db
         + " FOR TABLE t, bare WITH (publish = 'insert')");
  auto before = at.examined();
  const auto* first = before.obstacle(true);
  REQUIRE(first != nullptr);
  CHECK(contains(first->detail, "public.bare"));
  at.mend();
  CHECK(at.obstacle().empty());
  at.run("UPDATE bare SET n = 2");
}
