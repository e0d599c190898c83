// What can be wrong with the replica.
#include "desk.hpp"

using namespace sluice::error_test;

namespace {

constexpr auto may_write =
  "Let this program read and write the file and its directory.";
constexpr auto conflict_remedy =
  "Let nobody else write to the target; then remove it and the service's"
  " directory, and start: all is copied again.";

// How a directory's files end.
std::multiset<std::string> endings_in(const std::string& directory) {
  auto result = std::multiset<std::string>{};
  for (const auto& x : fs::directory_iterator{directory})
    result.insert(x.path().extension().string());
  return result;
}

} // namespace

TEST_CASE("a replica that is no database is one line") {
  auto uut = desk{};
  auto text = std::string(5000, 'x');
  uut.write("notes.txt", text);
  uut.fails({.replica = "notes.txt"}, "sink_conflict",
            "notes.txt: file is not a database",
            "Name another file: this one is not SQLite's.");
  CHECK(text_of(uut.at("notes.txt")) == text);
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a replica that is the source is one line") {
  auto uut = desk{};
  uut.fails({.replica = "./app.db"}, "invalid_option",
            "./app.db: the replica is the source itself",
            "Name another file for the replica.");
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a replica that another program has locked is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  auto other = database{uut.at("replica.db"), SQLITE_OPEN_READWRITE};
  other.exec("BEGIN IMMEDIATE");
  uut.fails({}, "sink_unavailable", "replica.db: database is locked",
            "Let the program that has the lock end its transaction.");
  other.exec("COMMIT");
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a replica that may not be written is one line") {
  auto uut = desk{};
  auto theirs = command{.replica = "theirs/replica.db", .who = user::nobody};
  fs::create_directory(uut.at("theirs"));
  fs::permissions(uut.at("theirs"), fs::perms{0777});
  fs::permissions(uut.at("app.db"), fs::perms{0666});
  uut.verifies(theirs);
  uut.app_goes_on();
  fs::permissions(uut.at("theirs/replica.db"), fs::perms{0444});
  fs::permissions(uut.at("theirs"), fs::perms{0555});
  CHECK(::chown(uut.at("theirs/replica.db").c_str(), ::geteuid(), ::getegid())
        == 0);
  uut.fails(theirs, "sink_unavailable", "theirs/replica.db: ", may_write);
  fs::permissions(uut.at("theirs"), fs::perms{0777});
  fs::permissions(uut.at("theirs/replica.db"), fs::perms{0666});
  uut.app_goes_on();
  uut.verifies(theirs);
}

TEST_CASE("a replica whose directory is missing is one line") {
  auto uut = desk{};
  uut.fails({.replica = "away/replica.db"}, "sink_unavailable",
            "away/replica.db: unable to open database file", may_write);
  uut.app_goes_on();
  fs::create_directory(uut.at("away"));
  uut.verifies({.replica = "away/replica.db"});
}

TEST_CASE("a replica whose table has another key is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  uut.sql("replica.db", "DROP TABLE items;"
                        "CREATE TABLE items(id, name PRIMARY KEY, price)");
  uut.fails({}, "sink_conflict",
            "replica.db: table \"items\" has another primary key than the"
            " source's",
            conflict_remedy);
  uut.app_goes_on();
  uut.remove("replica.db");
  fs::remove_all(uut.at("state"));
  uut.verifies();
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a replica that refuses a row is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.sql("replica.db", "CREATE UNIQUE INDEX one_name ON items(name)");
  uut.sql("app.db", "INSERT INTO items VALUES (50, 'fig', 5)");
  uut.fails({}, "sink_conflict",
            "replica.db: UNIQUE constraint failed: items.name",
            conflict_remedy);
  uut.app_goes_on();
  uut.remove("replica.db");
  fs::remove_all(uut.at("state"));
  uut.verifies();
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a row without a key is one line") {
  auto uut = desk{};
  uut.sql("app.db", "CREATE TABLE tags(name TEXT PRIMARY KEY)");
  uut.verifies();
  uut.sql("app.db", "INSERT INTO tags VALUES (NULL), ('red')");
  uut.app_goes_on();
  uut.fails({}, "null_in_key", "replica.db: table \"tags\", column \"name\"",
            "Declare the key columns NOT NULL, or leave the table out; then"
            " remove the target and the service's directory, and start: all is"
            " copied again.");
  uut.app_goes_on();
  uut.remove("replica.db");
  fs::remove_all(uut.at("state"));
  SUBCASE("and the table can be left out") {
    uut.verifies({.more = {"--table", "items"}}, {"tags"});
  }
  SUBCASE("and its key can be declared NOT NULL") {
    uut.sql("app.db", "BEGIN; CREATE TABLE n(name TEXT NOT NULL PRIMARY KEY);"
                      "INSERT INTO n SELECT * FROM tags WHERE name NOT NULL;"
                      "DROP TABLE tags; ALTER TABLE n RENAME TO tags; COMMIT");
    uut.verifies();
  }
}

TEST_CASE("a replica of another source is made anew and loses nothing") {
  auto uut = desk{};
  for (int i = 0; i < 5; ++i)
    uut.app_goes_on();
  uut.verifies();
  // Its positions are higher than anything that this one has.
  uut.make_database("other.db");
  auto other = command{.source = "other.db", .state = "other_state"};
  uut.verifies(other);
  uut.app_goes_on("other.db");
  uut.verifies(other);
  // And back: what the log does not have any more is said, not left out.
  uut.app_goes_on();
  auto run = uut.start({});
  if (run->wait() == 2) {
    CHECK(run->err().find("lost_by_retention") != std::string::npos);
    fs::remove_all(uut.at("state"));
  }
  uut.verifies();
}

TEST_CASE("a replica that needs rows which the log let go is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  auto run = uut.start({.once = false});
  auto only_one_file = [&] {
    auto log = endings_in(uut.at("state/log/app/1"));
    return uut.replicated() == 5 && log.count(".seg") == 1;
  };
  desk::wait_until(*run, only_one_file);
  run->signal(SIGTERM);
  CHECK(run->wait() == 0);
  uut.remove("replica.db");
  uut.app_goes_on();
  uut.fails({}, "lost_by_retention",
            "feed \"replica\", table all tables: asked for rows after 0",
            "Copy again: stop the service, remove its directory, and start"
            " it.");
  uut.app_goes_on();
  fs::remove_all(uut.at("state"));
  uut.verifies();
}
