// What can be wrong with the source's file: each failure for real, its line,
// the remedy, and that nothing was lost.
#include "desk.hpp"

using namespace sluice::error_test;

namespace {

constexpr auto may_write =
  "Let this program read and write the file and its directory.";

} // namespace

TEST_CASE("a source that is missing is one line") {
  auto uut = desk{};
  uut.fails({.source = "shop/app.db"}, "source_unavailable",
            "shop/app.db: there is no such file",
            "Check the path: the database must be there.");
  CHECK(!fs::exists(uut.at("shop/app.db")));
  uut.app_goes_on();
  uut.verifies({.source = "app.db"});
}

TEST_CASE("a source that goes missing between two runs is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  fs::create_directory(uut.at("away"));
  for (const auto* end : {"", "-wal", "-shm"})
    if (fs::exists(uut.at(std::string{"app.db"} + end)))
      fs::rename(uut.at(std::string{"app.db"} + end),
                 uut.at(std::string{"away/app.db"} + end));
  uut.fails({}, "source_unavailable", "app.db: there is no such file",
            "Check the path: the database must be there.");
  fs::rename(uut.at("away/app.db"), uut.at("app.db"));
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a source that another program has locked is one line") {
  auto uut = desk{};
  for (auto captured : {false, true}) {
    CAPTURE(captured);
    uut.app_goes_on();
    auto other = database{uut.at("app.db"), SQLITE_OPEN_READWRITE};
    other.exec("BEGIN IMMEDIATE");
    other.exec("INSERT INTO items(id) SELECT max(id) + 100 FROM items");
    uut.fails({}, "source_unavailable", "app.db: database is locked",
              "Let the program that has the lock end its transaction.");
    other.exec("COMMIT");
    uut.verifies();
  }
}

TEST_CASE("a source that is no database is one line") {
  auto uut = desk{};
  auto text = std::string(5000, 'x');
  uut.write("notes.txt", text);
  uut.fails({.source = "notes.txt"}, "source_unsupported",
            "notes.txt: file is not a database",
            "Name another file: this one is not SQLite's.");
  CHECK(text_of(uut.at("notes.txt")) == text);
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a source that may not be written is one line") {
  auto uut = desk{};
  auto theirs = command{.source = "theirs/app.db", .who = user::nobody};
  fs::create_directory(uut.at("theirs"));
  fs::rename(uut.at("app.db"), uut.at("theirs/app.db"));
  fs::permissions(uut.at("theirs/app.db"), fs::perms{0444});
  fs::permissions(uut.at("theirs"), fs::perms{0555});
  uut.fails(theirs, "source_unsupported", "theirs/app.db: may not be written",
            "Let this program write to the file and its directory: its"
            " triggers and its outbox are in it.");
  // The file alone is not enough: SQLite makes others beside it.
  fs::permissions(uut.at("theirs/app.db"), fs::perms{0666});
  uut.fails(theirs, "source_unsupported",
            "theirs/app.db: attempt to write a readonly database", may_write);
  fs::permissions(uut.at("theirs"), fs::perms{0777});
  uut.verifies(theirs);
  uut.app_goes_on("theirs/app.db");
  uut.verifies(theirs);
}

TEST_CASE("a source that is not in WAL mode is one line") {
  auto uut = desk{};
  uut.sql("app.db", "PRAGMA journal_mode = DELETE");
  constexpr auto remedy = "Run PRAGMA journal_mode = WAL once, or allow it with"
                          " set_wal (--set-wal).";
  uut.fails({}, "source_unsupported",
            "app.db: journal_mode is delete, a reader would make the"
            " application's commits fail",
            remedy);
  uut.app_goes_on();
  SUBCASE("and the program may switch it") {
    uut.verifies({.more = {"--set-wal"}});
  }
  SUBCASE("and the user may") {
    uut.sql("app.db", "PRAGMA journal_mode = WAL");
    uut.verifies();
  }
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a source that cannot be in WAL mode is one line") {
  auto uut = desk{};
  uut.sql("app.db", "PRAGMA journal_mode = DELETE");
  auto reader = std::make_unique<database>(uut.at("app.db"),
                                           SQLITE_OPEN_READWRITE);
  reader->exec("BEGIN; SELECT count(*) FROM items");
  uut.fails({.more = {"--set-wal"}}, "source_unavailable",
            "app.db: database is locked",
            "Let the program that has the lock end its transaction.");
  reader.reset();
  uut.app_goes_on();
  uut.verifies({.more = {"--set-wal"}});
}
