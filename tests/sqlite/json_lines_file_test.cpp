#include <csignal>

#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/sqlite/json_lines_fixture.hpp"

using namespace json_test;

namespace fs = std::filesystem;

namespace {

/// No file of this process may grow beyond `bytes` meanwhile.
class small_disk {
public:
  explicit small_disk(rlim_t bytes) : before_{std::signal(SIGXFSZ, SIG_IGN)} {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit_) == 0);
    auto lower = limit_;
    lower.rlim_cur = bytes;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &lower) == 0);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;
  ~small_disk() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }

private:
  rlimit limit_ = {};
  void (*before_)(int);
};

} // namespace

TEST_CASE("a file of changes has a line per change and grows by commits") {
  auto uut = change_file{};
  auto opened = uut.open();
  CHECK(opened.positions.empty());
  CHECK(opened.writer == incarnation{1});
  CHECK(uut.uut->wants_commit_order());
  CHECK(uut.uut->describe() == "json_lines " + uut.options.path);
  CHECK(uut.text().empty());
  uut.write(one(1).rows());
  uut.write(one(2).rows());
  CHECK(uut.text().empty());
  uut.commit();
  CHECK(uut.summary() == "c1 c2");
  uut.apply(rows_builder{items()}.erase(3, {i(1), t("a"), r(1)}));
  CHECK(uut.summary() == "c1 c2 d3");
}

TEST_CASE("lines carry the names of the options and the time of the clock") {
  auto uut = change_file{};
  uut.open();
  uut.apply(one(1));
  uut.options.name = "other";
  uut.options.db = "app";
  uut.options.connector = "generator";
  uut.options.clock = nullptr;
  uut.kill();
  uut.open();
  uut.apply(one(2));
  auto there = lines_of(uut.text());
  REQUIRE(there.size() == 2);
  auto first = json::parse(there[0]);
  CHECK(first["source"]["name"] == "shop"); // the feed's
  CHECK(first["source"]["db"] == "main");
  CHECK(first["source"]["connector"] == "sqlite");
  CHECK(first["ts_us"] == 1'795'390'800'131'200);
  auto second = json::parse(there[1]);
  CHECK(second["source"]["name"] == "other");
  CHECK(second["source"]["db"] == "app");
  CHECK(second["source"]["connector"] == "generator");
  CHECK(second["ts_ms"] != first["ts_ms"]);
}

TEST_CASE("positions and watermark of a file of changes come back") {
  auto uut = change_file{};
  uut.open();
  uut.write(one(5).rows());
  auto moved = position(1, 5);
  moved.checkpoint = {4};
  auto all = table_position{{}, {{5}, {5}, 0}, {5}};
  auto far = table_position{{2}, row_cursor::end_of({9}), timestamp::max()};
  uut.commit({all, moved, far}, timestamp{3});
  uut.kill();
  auto again = uut.open();
  CHECK(again.writer == incarnation{2});
  CHECK(again.low_watermark == timestamp{3});
  REQUIRE(again.positions.size() == 3);
  CHECK(again.positions[0] == all);
  CHECK(again.positions[1] == moved);
  CHECK(again.positions[2] == far);
  // A table that was written but not named keeps its cursor.
  uut.write(one(7).rows());
  uut.commit({position(8, 1)});
  again = uut.open();
  REQUIRE(again.positions.size() == 4);
  CHECK(again.positions[1] == table_position{{1}, {{7}, {7}, 0}, {4}});
}

TEST_CASE("what was not committed is cut off at the next open") {
  auto uut = change_file{};
  uut.open();
  uut.apply(one(1));
  // So much that it is in the file before a commit.
  auto large = std::string(1 << 20, 'x');
  auto rows = rows_builder{items()}.insert(2, {i(2), t(large), r(1)}).rows();
  uut.write(rows);
  CHECK(uut.text().size() > large.size());
  uut.kill();
  auto positions = uut.open().positions;
  REQUIRE(positions.size() == 1);
  CHECK(positions[0].cursor == row_cursor{{1}, {1}, 0});
  CHECK(uut.summary() == "c1");
  uut.write(rows); // Not taken for a repetition.
  uut.commit();
  CHECK(uut.summary() == "c1 c2");

  uut.kill();
  write_file(uut.options.path, uut.text() + "half a li");
  uut.open();
  CHECK(uut.summary() == "c1 c2");
}

TEST_CASE("rows that come again are not written twice") {
  auto uut = change_file{};
  uut.open();
  auto rows = rows_builder{items()}
                .insert(1, {i(1), t("a"), r(1)})
                .erase(2, {i(1), t("a"), r(1)})
                .insert(3, {i(2), t("b"), r(1)})
                .rows();
  uut.write(rows);
  uut.write(rows); // The barrier moves with the writes.
  uut.commit();
  uut.kill();
  uut.open();
  uut.write(rows);
  uut.apply(rows_builder{items()}
              .insert(3, {i(2), t("again"), r(1)})
              .insert(4, {i(3), t("c"), r(1)}));
  CHECK(uut.summary() == "c1 d2 c3 c4");
}

TEST_CASE("the position of all tables holds for each of them") {
  auto uut = change_file{};
  uut.open();
  uut.commit({position(0, 5)});
  uut.write(one(5).rows());
  uut.write(one(6).rows());
  uut.commit({position(0, 6)});
  uut.kill();
  uut.open();
  auto other = schema_of(2, "other", 1, {{"id", "", 1}});
  uut.write(rows_builder{other}.insert(6, {i(1)}).insert(7, {i(2)}).rows());
  uut.commit();
  CHECK(uut.summary() == "c6 c7");
}

TEST_CASE("two sinks cannot have the same file of changes open") {
  auto uut = change_file{};
  uut.open();
  auto problem = uut.refused();
  CHECK(problem.code == errc::sink_unavailable);
  CHECK(problem.detail.find("changes.jsonl: locked") != std::string::npos);
  uut.apply(one(1)); // Nothing happened to the first.
  uut.uut.reset();
  uut.kill();
  CHECK(uut.open().positions.size() == 1);
}

TEST_CASE("a newer incarnation fences an older writer of changes out") {
  auto uut = change_file{};
  uut.open();
  uut.apply(one(1));
  uut.write(one(2).rows());
  // Where locks do nothing, as on some network disks.
  uut.exec("UPDATE sluice_sink_fence SET incarnation = incarnation + 1");
  auto result = uut.uut->commit({position(1, 2)}, {});
  REQUIRE(!result.has_value());
  CHECK(result.error().code == errc::sink_fenced);
  CHECK(uut.summary() == "c1");
  CHECK(uut.uut->write(one(3).rows()).error().code == errc::sink_unavailable);
}

TEST_CASE("a file of changes that was moved away takes no commit") {
  auto uut = change_file{};
  uut.open();
  uut.apply(one(1));
  uut.write(one(2).rows());
  fs::rename(uut.options.path, uut.place.file("old.jsonl"));
  SUBCASE("nothing is in its place") {
    // nop
  }
  SUBCASE("another file is in its place") {
    write_file(uut.options.path, "");
  }
  auto result = uut.uut->commit({}, {});
  REQUIRE(!result.has_value());
  CHECK(result.error().code == errc::sink_unavailable);
  fs::rename(uut.place.file("old.jsonl"), uut.options.path);
  CHECK(uut.open().positions.size() == 1);
  CHECK(uut.summary() == "c1");
}

TEST_CASE("a file of changes that somebody shortened or edited is refused") {
  auto uut = change_file{};
  uut.open();
  uut.apply(one(1));
  uut.uut.reset();
  auto good = uut.text();
  for (const auto& bad :
       {std::string{}, good.substr(1), good.substr(0, good.size() - 1) + ' '}) {
    write_file(uut.options.path, bad);
    auto problem = uut.refused();
    CHECK(problem.code == errc::sink_conflict);
    CHECK(problem.detail.find(std::to_string(good.size()))
          != std::string::npos);
    CHECK(problem.remedy.find("changes.jsonl.state") != std::string::npos);
    CHECK(uut.text() == bad);
  }
  fs::remove(uut.options.path);
  CHECK(uut.refused().code == errc::sink_conflict);
  fs::remove(uut.options.path);
  fs::remove(uut.options.path + ".state");
  uut.kill();
  CHECK(uut.open().positions.empty());
}

TEST_CASE("a file that is not one of this sink and feed is left alone") {
  auto uut = change_file{};
  auto state = uut.options.path + ".state";
  SUBCASE("lines without a state") {
    write_file(uut.options.path, "precious\n");
    CHECK(uut.refused().code == errc::invalid_option);
    CHECK(!fs::exists(state));
    write_file(state, ""); // an empty one says nothing
    CHECK(uut.refused().code == errc::invalid_option);
    CHECK(uut.text() == "precious\n");
  }
  SUBCASE("lines beside an empty database") {
    uut.exec("PRAGMA journal_mode = WAL");
    write_file(uut.options.path, "precious\n");
    CHECK(uut.refused().code == errc::invalid_option);
    CHECK(uut.text() == "precious\n");
    write_file(uut.options.path, "");
    uut.open(); // As after a kill while it was made.
  }
  SUBCASE("a state that is no database") {
    write_file(state, std::string(4'096, 'x'));
    CHECK(uut.refused().code == errc::invalid_option);
    CHECK(read_file(state) == std::string(4'096, 'x'));
  }
  SUBCASE("a state that is another database") {
    uut.exec("CREATE TABLE theirs (x)");
    auto before = read_file(state);
    auto problem = uut.refused();
    CHECK(problem.code == errc::invalid_option);
    CHECK(problem.detail.find("changes.jsonl.state") != std::string::npos);
    CHECK(read_file(state) == before);
  }
  SUBCASE("a state of a later version") {
    uut.open();
    uut.uut.reset();
    uut.exec("PRAGMA user_version = 2");
    CHECK(uut.refused().code == errc::log_format_newer);
  }
  SUBCASE("the file of another feed") {
    uut.open();
    uut.apply(one(1));
    uut.uut.reset();
    for (const auto& other : {feed(2, "shop"), feed(1, "else")}) {
      auto problem = uut.refused(other);
      CHECK(problem.code == errc::invalid_option);
      CHECK(problem.detail.find("1:shop") != std::string::npos);
    }
    CHECK(uut.summary() == "c1");
  }
}

TEST_CASE("a place where no file of changes can be says why") {
  auto uut = change_file{};
  auto open = [&](const std::string& path) {
    uut.options.path = path;
    return uut.refused();
  };
  CHECK(open("").code == errc::invalid_option);
  auto missing = open(uut.place.file("no/such/place.jsonl"));
  CHECK(missing.code == errc::sink_unavailable);
  CHECK(missing.detail.find("no/such/place.jsonl: open: No such file")
        != std::string::npos);
  CHECK(open(uut.place.path()).code == errc::sink_unavailable);
  REQUIRE(::mkfifo(uut.place.file("pipe").c_str(), 0600) == 0);
  CHECK(open(uut.place.file("pipe")).code == errc::invalid_option);
  uut.options.db = "\xFF";
  CHECK(open(uut.place.file("good.jsonl")).code == errc::invalid_option);
}

TEST_CASE("a full disk leaves the file of changes as the last commit did") {
  auto uut = change_file{};
  uut.open();
  uut.apply(one(1));
  auto large = std::string(1 << 20, 'x');
  auto rows = rows_builder{items()}.insert(2, {i(2), t(large), r(1)}).rows();
  {
    auto full = small_disk{1 << 19};
    auto result = uut.uut->write(rows);
    REQUIRE(!result.has_value());
    CHECK(result.error().code == errc::sink_unavailable);
    CHECK(result.error().detail
          == uut.options.path + ": write: File too large");
    CHECK(uut.uut->commit({}, {}).error().code == errc::sink_unavailable);
    CHECK(uut.text().size() == 1 << 19);
    uut.open();
    CHECK(uut.summary() == "c1");
  }
  uut.write(rows);
  uut.commit();
  CHECK(uut.summary() == "c1 c2");
}

TEST_CASE("a row without a key ends the session of a file of changes") {
  auto uut = change_file{};
  uut.options.sync = true;
  uut.kill();
  uut.open();
  uut.apply(one(1));
  auto bad = rows_builder{items()}
               .insert(2, {i(2), t("b"), r(1)})
               .insert(3, {null(), t("c"), r(1)});
  auto result = uut.uut->write(bad.rows());
  REQUIRE(!result.has_value());
  CHECK(result.error().code == errc::null_in_key);
  CHECK(uut.uut->commit({}, {}).error().code == errc::sink_unavailable);
  uut.open();
  uut.write(rows_builder{items()}.rows()); // nothing
  uut.commit();
  CHECK(uut.summary() == "c1");
}

TEST_CASE("a restored older file of changes with its state is believed") {
  auto uut = change_file{};
  uut.open();
  uut.apply(one(1));
  uut.uut.reset();
  auto file = uut.text();
  auto state = read_file(uut.options.path + ".state");
  uut.kill();
  uut.open();
  uut.apply(one(2));
  uut.uut.reset();
  write_file(uut.options.path + ".state", state);
  SUBCASE("both") {
    write_file(uut.options.path, file);
  }
  SUBCASE("the state alone, then the lines behind it go") {
    // nop
  }
  uut.kill();
  auto positions = uut.open().positions;
  REQUIRE(positions.size() == 1);
  CHECK(positions[0].cursor.commit_ts == timestamp{1});
  CHECK(uut.summary() == "c1");
}
