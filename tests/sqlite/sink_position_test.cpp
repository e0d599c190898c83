#include "tests/sqlite/sink_fixture.hpp"

using namespace sink_test;

namespace fs = std::filesystem;

TEST_CASE("each open of a replica is a newer incarnation") {
  auto uut = replica{};
  auto first = uut.open();
  CHECK(first.positions.empty());
  CHECK(first.low_watermark == timestamp{});
  CHECK(first.writer == incarnation{1});
  CHECK(uut.open().writer == incarnation{2});
  CHECK(make_sqlite_sink(uut.options)->open(feed())->writer == incarnation{3});
  CHECK(uut.uut->describe() == "sqlite " + uut.options.path);
}

TEST_CASE("positions and watermark come back from open") {
  auto uut = replica{};
  uut.open();
  uut.write(rows_builder{items()}.insert(5, {i(1), t("a"), r(1)}).rows());
  auto moved = position(1, 5);
  moved.checkpoint = {4};
  auto far = table_position{{2}, row_cursor::end_of({9}), timestamp::max()};
  uut.commit({moved, far}, timestamp{3});
  auto again = uut.open();
  CHECK(again.low_watermark == timestamp{3});
  REQUIRE(again.positions.size() == 2);
  CHECK(again.positions[0] == moved);
  CHECK(again.positions[1] == far);
  uut.commit({}, timestamp{7});
  CHECK(uut.open().low_watermark == timestamp{7});
}

TEST_CASE("a table that was written but not named keeps its cursor") {
  auto uut = replica{};
  uut.open();
  uut.commit({table_position{{1}, {{2}, {2}, 0}, {2}}});
  uut.write(rows_builder{items()}.insert(5, {i(1), t("a"), r(1)}).rows());
  uut.commit({position(8, 1)});
  auto positions = uut.open().positions;
  REQUIRE(positions.size() == 2);
  CHECK(positions[0] == table_position{{1}, {{5}, {5}, 0}, {2}});
}

TEST_CASE("rows at or below the table's cursor are dropped") {
  auto uut = replica{};
  uut.open();
  auto rows = rows_builder{items()}
                .insert(1, {i(1), t("a"), r(1)})
                .erase(2, {i(1), t("a"), r(1)})
                .insert(3, {i(2), t("b"), r(1)})
                .rows();
  uut.write(rows);
  uut.exec("PRAGMA user_version"); // Others may read meanwhile.
  uut.write(rows);                 // The barrier moves with the writes.
  uut.commit({position(1, 3)});
  uut.open();
  uut.exec("UPDATE items SET name = 'mine'");
  uut.write(rows);
  uut.apply(rows_builder{items()}
              .insert(3, {i(2), t("again"), r(1)})
              .insert(4, {i(3), t("c"), r(1)}));
  CHECK(uut.items() == lines{"2|'mine'|1.0", "3|'c'|1.0"});
}

TEST_CASE("what was not committed is rolled back, and so is the barrier") {
  auto uut = replica{};
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
  auto rows = rows_builder{items()}.insert(2, {i(2), t("b"), r(1)}).rows();
  uut.write(rows);
  auto positions = uut.open().positions;
  REQUIRE(positions.size() == 1);
  CHECK(positions[0].cursor == row_cursor{{1}, {1}, 0});
  CHECK(uut.items() == lines{"1|'a'|1.0"});
  uut.write(rows);
  uut.commit();
  CHECK(uut.items() == lines{"1|'a'|1.0", "2|'b'|1.0"});
}

TEST_CASE("after an error nothing goes on before the next open") {
  auto uut = replica{};
  uut.open();
  uut.write(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}).rows());
  CHECK(
    uut.refused(rows_builder{items()}.insert(2, {null(), t("b"), r(1)})).code
    == errc::null_in_key);
  CHECK(uut.refused(rows_builder{items()}.insert(3, {i(3), t("c"), r(1)})).code
        == errc::sink_unavailable);
  CHECK(uut.uut->commit({}, {}).error().code == errc::sink_unavailable);
  CHECK(uut.open().positions.empty());
  CHECK(uut.query("SELECT name FROM sqlite_schema WHERE name = 'items'")
        == lines{});
}

TEST_CASE("a newer incarnation fences the older one out") {
  auto uut = replica{};
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
  auto newer = make_sqlite_sink(uut.options);
  auto position_there = newer->open(feed());
  REQUIRE(position_there.has_value());
  CHECK(position_there->positions.size() == 1);

  uut.write(rows_builder{items()}.insert(2, {i(2), t("old"), r(1)}).rows());
  auto result = uut.uut->commit({position(1, 2)}, {});
  REQUIRE(!result.has_value());
  CHECK(result.error().code == errc::sink_fenced);
  CHECK(uut.items() == lines{"1|'a'|1.0"});

  auto rows = rows_builder{items()}.insert(2, {i(2), t("new"), r(1)}).rows();
  REQUIRE(newer->write(rows).has_value());
  REQUIRE(newer->commit({position(1, 2)}, {}).has_value());
  CHECK(uut.items() == lines{"1|'a'|1.0", "2|'new'|1.0"});
}

TEST_CASE("feeds do not meet, not even those of the same name") {
  auto uut = replica{};
  uut.open();
  uut.commit({position(1, 5)}, timestamp{5});
  for (const auto& other : {feed(2, "shop"), feed(1, "else")}) {
    auto sink = make_sqlite_sink(uut.options);
    auto result = sink->open(other);
    REQUIRE(result.has_value());
    CHECK(result->positions.empty());
    CHECK(result->writer == incarnation{1});
  }
  uut.commit({position(1, 6)}); // Not fenced.
}

TEST_CASE("a restored older copy is believed") {
  auto uut = replica{};
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
  uut.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  fs::copy_file(uut.options.path, uut.place.file("backup"));
  uut.apply(rows_builder{items()}.insert(2, {i(2), t("b"), r(1)}));

  fs::rename(uut.place.file("backup"), uut.options.path);
  uut.write(rows_builder{items()}.insert(3, {i(3), t("c"), r(1)}).rows());
  auto result = uut.uut->commit({}, {});
  REQUIRE(!result.has_value()); // Into a file that nobody will see.
  CHECK(result.error().code == errc::sink_unavailable);
  fs::remove(uut.options.path + "-wal");
  fs::remove(uut.options.path + "-shm");

  auto positions = uut.open().positions;
  REQUIRE(positions.size() == 1);
  CHECK(positions[0].cursor.commit_ts == timestamp{1});
  CHECK(uut.items() == lines{"1|'a'|1.0"});
}

TEST_CASE("a locked replica is unavailable") {
  auto uut = replica{};
  uut.open();
  auto other = uut.connect();
  REQUIRE(other->exec("BEGIN IMMEDIATE").has_value());
  CHECK(uut.refused(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)})).code
        == errc::sink_unavailable);
  CHECK(uut.uut->open(feed()).error().code == errc::sink_unavailable);
  REQUIRE(other->exec("ROLLBACK").has_value());
  uut.open();
  uut.apply(rows_builder{items()}.insert(1, {i(1), t("a"), r(1)}));
  CHECK(uut.items().size() == 1);
}

TEST_CASE("a replica that cannot be opened says why") {
  auto uut = replica{};
  auto open = [&](const std::string& path) {
    uut.options.path = path;
    auto result = make_sqlite_sink(uut.options)->open(feed());
    REQUIRE(!result.has_value());
    return result.error();
  };
  CHECK(open("").code == errc::invalid_option);
  CHECK(open(":memory:").code == errc::invalid_option);
  auto missing = open(uut.place.file("no/such/place.db"));
  CHECK(missing.code == errc::sink_unavailable);
  CHECK(missing.detail.find("no/such/place.db") != std::string::npos);
  auto path = uut.place.file("text.db");
  auto* text = std::fopen(path.c_str(), "w");
  REQUIRE(text != nullptr);
  for (auto line = 0; line < 100; ++line)
    std::fputs("this is no database, but it is long enough\n", text);
  std::fclose(text);
  CHECK(open(path).code == errc::sink_conflict);
}
