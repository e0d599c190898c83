// A source that is not the one that was read before.
#include "desk.hpp"

using namespace sluice::error_test;

namespace {

constexpr auto copy_again_remedy =
  "If a backup was restored, start once with copy_again (--copy-again): all"
  " tables are copied anew.";
constexpr auto replaced_remedy =
  "Put the old one back, or start once with copy_again (--copy-again): all"
  " tables are copied anew.";

void back_up(const desk& x) {
  x.sql("app.db", "VACUUM INTO '" + x.at("backup.db") + "'");
}

void restore_backup(const desk& x) {
  x.remove("app.db");
  fs::rename(x.at("backup.db"), x.at("app.db"));
  x.sql("app.db", "PRAGMA journal_mode = WAL");
}

} // namespace

TEST_CASE("a source that is another database now is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  // Its last commits are in the file itself: the last one to close it saw to
  // that.
  fs::rename(uut.at("app.db"), uut.at("old.db"));
  uut.remove("app.db");
  SUBCASE("that was never captured, and is wanted") {
    uut.make_database("app.db");
    uut.app_goes_on();
    uut.fails({}, "source_replaced",
              "app.db: it was captured and has no outbox now", replaced_remedy);
    uut.app_goes_on();
    uut.verifies({.more = {"--copy-again"}});
  }
  SUBCASE("that another one has captured, and is not wanted") {
    uut.make_database("app.db");
    uut.verifies({.replica = "replica2.db", .state = "state2"});
    uut.fails({}, "source_replaced", "app.db: its id is ", replaced_remedy);
    uut.remove("app.db");
    fs::rename(uut.at("old.db"), uut.at("app.db"));
  }
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a source whose outbox was removed is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  auto names = strings{};
  {
    auto db = database{uut.at("app.db"), SQLITE_OPEN_READWRITE};
    auto query = statement{db.get(),
                           "SELECT 'DROP ' || type || ' ' || name"
                           " FROM sqlite_schema WHERE name LIKE 'sluice%'"
                           " AND type IN ('trigger', 'table')"
                           " ORDER BY type DESC"};
    while (query.step())
      names.emplace_back(query.bytes(0));
  }
  for (const auto& x : names)
    uut.sql("app.db", x);
  uut.fails({}, "source_replaced",
            "app.db: it was captured and has no outbox now", replaced_remedy);
  uut.app_goes_on();
  uut.verifies({.more = {"--copy-again"}});
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a source that is a restored backup is one line") {
  auto uut = desk{};
  uut.verifies();
  back_up(uut);
  uut.app_goes_on();
  uut.verifies();
  restore_backup(uut);
  uut.fails({}, "source_rolled_back",
            "app.db: its outbox ends at 2, before position 5",
            copy_again_remedy);
  uut.app_goes_on();
  uut.verifies({.more = {"--copy-again"}});
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a source that lost its last commits and went on is one line") {
  auto uut = desk{};
  uut.verifies();
  back_up(uut);
  uut.app_goes_on();
  uut.verifies();
  restore_backup(uut);
  uut.app_goes_on();
  uut.app_goes_on();
  uut.fails({}, "source_rolled_back", "app.db: position 5 was given out twice",
            copy_again_remedy);
  uut.app_goes_on();
  uut.verifies({.more = {"--copy-again"}});
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a source that went on differently after a kill is one line") {
  auto uut = desk{};
  uut.verifies();
  back_up(uut);
  auto run = uut.start({.once = false});
  uut.app_goes_on();
  desk::wait_until(*run, [&] { return uut.replicated() == 5; });
  run->signal(SIGKILL); // Before it has noted anything about its source.
  run->wait();
  restore_backup(uut);
  uut.app_goes_on();
  uut.app_goes_on();
  uut.fails({}, "source_rolled_back", "app.db: position 5 was given out twice",
            copy_again_remedy);
  uut.app_goes_on();
  uut.verifies({.more = {"--copy-again"}});
}

TEST_CASE("a source that another program has taken over is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  uut.verifies({.replica = "replica2.db", .state = "state2"});
  uut.fails({}, "stale_source", "app.db: another service captures it",
            "Stop the newer one; to take the database back, start once with"
            " copy_again (--copy-again).");
  uut.app_goes_on();
  uut.verifies({.more = {"--copy-again"}});
  uut.app_goes_on();
  uut.verifies();
}
