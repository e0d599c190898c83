// What can be wrong with the directory of log and positions.
#include <cstring>

#include <xxhash.h>

#include "desk.hpp"

using namespace sluice::error_test;

namespace {

constexpr auto other_directory = "Give it another directory, or an empty one.";
constexpr auto later_version = "Use that version or a later one.";

} // namespace

TEST_CASE("a directory that may not be written is one line") {
  auto uut = desk{};
  auto theirs = command{.state = "theirs/state", .who = user::nobody};
  fs::permissions(uut.at("app.db"), fs::perms{0666});
  fs::create_directory(uut.at("theirs"));
  fs::permissions(uut.at("theirs"), fs::perms{0555});
  uut.fails(theirs, "log_io", "theirs/state: Permission denied",
            "Let this program read and write there.");
  fs::permissions(uut.at("theirs"), fs::perms{0777});
  fs::create_directory(uut.at("theirs/state"));
  fs::permissions(uut.at("theirs/state"), fs::perms{0555});
  uut.fails(theirs, "log_io", "theirs/state/lock: open: Permission denied",
            "Let this program read and write there.");
  uut.app_goes_on();
  fs::permissions(uut.at("theirs/state"), fs::perms{0777});
  uut.verifies(theirs);
}

TEST_CASE("a directory with somebody else's files is one line") {
  auto uut = desk{};
  fs::create_directories(uut.at("photos/log"));
  uut.write("photos/log/a.jpg", "a");
  SUBCASE("of any name") {
    uut.write("photos/b.jpg", "b");
    auto before = uut.contents("photos");
    uut.fails({.state = "photos"}, "invalid_option",
              "photos: not ours, it has \"b.jpg\" and no meta.db",
              other_directory);
    CHECK(uut.contents("photos") == before);
  }
  SUBCASE("one of which has the name of ours") {
    uut.sql("photos/meta.db",
            "PRAGMA user_version = 2; CREATE TABLE photos(a)");
    auto before = uut.contents("photos");
    uut.fails({.state = "photos"}, "invalid_option",
              "photos/meta.db: not ours, it is another program's database",
              other_directory);
    CHECK(uut.contents("photos") == before);
  }
  SUBCASE("one of which has the name of ours and is no database") {
    uut.write("photos/meta.db", std::string(4096, 'm'));
    auto before = uut.contents("photos");
    uut.fails({.state = "photos"}, "invalid_option",
              "photos/meta.db: not ours, it is no database", other_directory);
    CHECK(uut.contents("photos") == before);
  }
  uut.app_goes_on();
  uut.verifies({.state = "state"});
}

TEST_CASE("a file in the place of the directory is one line") {
  auto uut = desk{};
  uut.write("state", "mine");
  uut.fails({}, "invalid_option", "state: is not a directory",
            "Give it a directory, or move that file away.");
  CHECK(text_of(uut.at("state")) == "mine");
  fs::rename(uut.at("state"), uut.at("mine"));
  uut.app_goes_on();
  uut.verifies();
}

constexpr auto damaged = "Put the file back from a copy; without one, keep the"
                         " files and start with an empty directory.";

TEST_CASE("a flipped byte in the log is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  uut.verifies(); // The replica has stored that it is past the first rows.
  auto log = fs::path{uut.at("state/log/app/1")};
  auto file = std::find_if(fs::directory_iterator{log}, {}, [](const auto& x) {
    return text_of(x.path().string()).find("pear") != std::string::npos;
  });
  REQUIRE(file != fs::directory_iterator{});
  auto path = file->path().string();
  auto whole = text_of(path);
  auto flipped = whole;
  flipped[whole.find("pear")] ^= 1;
  std::ofstream{path} << flipped;
  uut.app_goes_on();
  SUBCASE("and stops nobody who is past it") {
    uut.verifies();
  }
  SUBCASE("and the file can be put back") {
    uut.remove("replica.db");
    uut.fails({}, "log_corrupt", ".seg: byte ", damaged);
    uut.app_goes_on();
    std::ofstream{path} << whole;
    uut.verifies();
  }
  SUBCASE("and all can be copied again") {
    uut.remove("replica.db");
    uut.fails({}, "log_corrupt", ".seg: byte ", damaged);
    uut.app_goes_on();
    fs::rename(uut.at("state"), uut.at("kept"));
    uut.verifies();
  }
}

TEST_CASE("a directory that has lost its meta.db is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  uut.remove("state/meta.db");
  auto before = uut.contents("state");
  uut.fails({}, "log_corrupt", "state: has a log, and meta.db is missing",
            damaged);
  CHECK(uut.contents("state") == before);
  fs::rename(uut.at("state"), uut.at("kept"));
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a second process on a directory is one line") {
  auto uut = desk{};
  uut.make_database("other.db");
  auto other = command{.source = "other.db", .replica = "other_replica.db"};
  auto first = uut.start({.once = false});
  desk::wait_until(*first, [&] { return uut.replicated() == 3; });
  // Whatever it copies: the directory is one service's.
  auto runs = [&] {
    auto db = database{uut.at("state/meta.db"), SQLITE_OPEN_READWRITE};
    auto query = statement{db.get(), "SELECT value FROM numbers"
                                     " WHERE kind = 'incarnation'"
                                     " AND name = 'node'"};
    query.step();
    return query.integer(0);
  };
  auto before = runs();
  CHECK(before == 1);
  for (const auto& second : {command{}, other})
    uut.fails(second, "log_locked",
              "state: another process, or service, has it open",
              "Stop that process, or give this one another directory.");
  CHECK(runs() == before);
  CHECK(!fs::exists(uut.at("other_replica.db")));
  other.state = "other_state";
  uut.verifies(other);
  uut.app_goes_on();
  desk::wait_until(*first, [&] { return uut.replicated() == 5; });
  first->signal(SIGTERM);
  CHECK(first->wait() == 0);
  CHECK(first->err().empty());
  uut.app_goes_on();
  uut.verifies();
}

TEST_CASE("a directory of a newer version is one line") {
  auto uut = desk{};
  uut.verifies();
  uut.app_goes_on();
  SUBCASE("by its meta.db") {
    uut.sql("state/meta.db", "PRAGMA user_version = 9");
    uut.fails({}, "log_format_newer",
              "state/meta.db: format 9, this program knows 3", later_version);
    // That version is used: here, the number is this one's again.
    uut.sql("state/meta.db", "PRAGMA user_version = 3");
  }
  SUBCASE("by its log") {
    auto path = uut.at("state/log/app/1/store");
    auto ours = text_of(path);
    auto newer = ours;
    newer[8] = 9;
    auto sum = std::uint64_t{XXH3_64bits_withSeed(newer.data(), 32, 0)};
    std::memcpy(newer.data() + 32, &sum, sizeof(sum));
    uut.write("state/log/app/1/store", newer);
    auto before = uut.contents("state/log");
    uut.fails({}, "log_format_newer",
              "state/log/app/1/store: format 9, this program knows 2",
              later_version);
    CHECK(uut.contents("state/log") == before);
    uut.write("state/log/app/1/store", ours);
  }
  uut.app_goes_on();
  uut.verifies();
}
