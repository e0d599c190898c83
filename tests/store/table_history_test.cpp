#include "store/table_history.hpp"

#include <functional>

#include "store/meta_db.hpp"
#include "tests/store/log_fixture.hpp"

using namespace log_test;

namespace {

ddl_event version(std::uint64_t table, std::uint64_t number, std::uint64_t ts,
                  std::vector<column> columns = {{"id", "INTEGER", 1}}) {
  auto name = "t" + std::to_string(table);
  return {{{table}, name, {number}, {ts}, std::move(columns)}, {ts}, false};
}

ddl_event dropped(ddl_event last, std::uint64_t ts) {
  last.ts = {ts};
  last.dropped = true;
  return last;
}

table_history open(const temporary_directory& directory,
                   const std::string& source = "s") {
  auto result = table_history::open(directory.file("meta"), source);
  INFO((result ? "" : to_string(result.error())));
  REQUIRE(result.has_value());
  return std::move(*result);
}

errc code_at(const table_history& uut, std::uint64_t table, std::uint64_t ts) {
  auto result = uut.at({table}, {ts});
  return result ? errc::none : result.error().code;
}

std::uint64_t version_at(const table_history& uut, std::uint64_t table,
                         std::uint64_t ts) {
  auto result = uut.at({table}, {ts});
  return result ? (*result)->version.value : 0;
}

// The test sees it as it was written and as it is read back.
void with_each_history(const std::function<void(table_history&)>& write,
                       const std::function<void(table_history&)>& look) {
  auto memory = table_history::in_memory();
  write(memory);
  look(memory);
  auto directory = temporary_directory{};
  auto file = open(directory);
  write(file);
  look(file);
  file = open(directory);
  look(file);
}

} // namespace

TEST_CASE("a table has the greatest version that is valid by then") {
  with_each_history(
    [](table_history& uut) {
      REQUIRE(uut.add({version(1, 1, 10)}).has_value());
      REQUIRE(uut.add({version(1, 2, 20)}).has_value());
      REQUIRE(uut.add({version(1, 3, 20)}).has_value());
      REQUIRE(uut.add({version(2, 1, 15)}).has_value());
    },
    [](table_history& uut) {
      CHECK(code_at(uut, 1, 9) == errc::unknown_table);
      CHECK(code_at(uut, 9, 9) == errc::unknown_table);
      CHECK(version_at(uut, 1, 10) == 1);
      CHECK(version_at(uut, 1, 19) == 1);
      CHECK(version_at(uut, 1, 20) == 3);
      CHECK(version_at(uut, 1, 1000) == 3);
      CHECK(uut.version({1}, {2}).has_value());
      CHECK(uut.version({1}, {4}).error().code == errc::unknown_table);
      CHECK(uut.tables().size() == 2);
    });
}

TEST_CASE("a dropped table is deleted from its ts on") {
  with_each_history(
    [](table_history& uut) {
      REQUIRE(uut.add({version(1, 1, 10)}).has_value());
      REQUIRE(uut.add({dropped(version(1, 1, 10), 30)}).has_value());
    },
    [](table_history& uut) {
      CHECK(version_at(uut, 1, 29) == 1);
      CHECK(code_at(uut, 1, 30) == errc::table_deleted);
      CHECK(uut.version({1}, {1}).has_value());
      CHECK(uut.tables().empty());
    });
}

TEST_CASE("columns are read back as they were declared") {
  auto columns = std::vector<column>{
    {"id", "INTEGER", 1}, {"", "", 0}, {"n\"a'me", "VARCHAR(10)", 2}};
  with_each_history(
    [&](table_history& uut) {
      REQUIRE(uut.add({version(1, 1, 10, columns)}).has_value());
    },
    [&](table_history& uut) {
      REQUIRE(uut.at({1}, {10}).has_value());
      CHECK(**uut.at({1}, {10}) == version(1, 1, 10, columns).schema);
    });
}

TEST_CASE("the same event again changes nothing") {
  with_each_history(
    [](table_history& uut) {
      for (int i = 0; i < 3; ++i) {
        REQUIRE(uut.add({version(1, 1, 10)}).has_value());
        REQUIRE(uut.add({version(1, 2, 20)}).has_value());
      }
    },
    [](table_history& uut) { CHECK(uut.between({0}, {99}).size() == 2); });
}

TEST_CASE("an event before the last one of its table is refused") {
  auto uut = table_history::in_memory();
  REQUIRE(uut.add({version(1, 2, 20)}).has_value());
  for (const auto& event :
       {version(1, 1, 10), version(1, 3, 10), version(1, 2, 30),
        version(1, 2, 20, {}), dropped(version(1, 2, 20), 19)})
    CHECK(uut.add({event}).error().code == errc::append_out_of_order);
  REQUIRE(uut.add({dropped(version(1, 2, 20), 25)}).has_value());
  CHECK(uut.add({dropped(version(1, 2, 20), 26)}).error().code
        == errc::append_out_of_order);
  CHECK(uut.between({0}, {99}).size() == 2);
}

TEST_CASE("of several events all are recorded, in their order") {
  with_each_history(
    [](table_history& uut) {
      REQUIRE(uut.add({version(1, 1, 10)}).has_value());
      REQUIRE(uut
                .add({version(2, 1, 10), version(1, 1, 10), version(1, 2, 20),
                      version(1, 2, 20), dropped(version(1, 2, 20), 30)})
                .has_value());
    },
    [](table_history& uut) {
      CHECK(uut.all().size() == 4);
      CHECK(version_at(uut, 1, 29) == 2);
      CHECK(code_at(uut, 1, 30) == errc::table_deleted);
      CHECK(version_at(uut, 2, 10) == 1);
    });
}

TEST_CASE("of several events with one that is refused none is recorded") {
  with_each_history(
    [](table_history& uut) {
      REQUIRE(uut.add({version(1, 2, 20)}).has_value());
      auto result = uut.add({version(2, 1, 10), version(1, 3, 30),
                             version(1, 3, 40), version(3, 1, 10)});
      CHECK(result.error().code == errc::append_out_of_order);
    },
    [](table_history& uut) {
      CHECK(uut.all() == std::vector{version(1, 2, 20)});
      CHECK(uut.tables().size() == 1);
    });
}

TEST_CASE("events that the disk refuses are recorded by a later try") {
  auto directory = temporary_directory{};
  auto uut = open(directory);
  auto other = open_meta_db(directory.file("meta")).value();
  REQUIRE(other->exec("ALTER TABLE schema_columns RENAME TO away"));
  CHECK_FALSE(uut.add({version(1, 1, 10), version(2, 1, 10)}).has_value());
  CHECK(uut.all().empty());
  REQUIRE(other->exec("ALTER TABLE away RENAME TO schema_columns"));
  REQUIRE(uut.add({version(1, 1, 10), version(2, 1, 10)}).has_value());
  CHECK(open(directory).all().size() == 2);
}

TEST_CASE("events between two ts come once each and in order") {
  with_each_history(
    [](table_history& uut) {
      REQUIRE(uut.add({version(2, 1, 10)}).has_value());
      REQUIRE(uut.add({version(1, 1, 10)}).has_value());
      REQUIRE(uut.add({version(1, 2, 20)}).has_value());
      REQUIRE(uut.add({version(3, 1, 15)}).has_value());
      REQUIRE(uut.add({dropped(version(2, 1, 10), 20)}).has_value());
    },
    [](table_history& uut) {
      auto all = uut.between({0}, {20});
      REQUIRE(all.size() == 5);
      CHECK(all[0] == version(1, 1, 10));
      CHECK(all[1] == version(2, 1, 10));
      CHECK(all[2] == version(3, 1, 15));
      CHECK(all[3] == version(1, 2, 20));
      CHECK(all[4] == dropped(version(2, 1, 10), 20));
      // (a, c] is (a, b] and (b, c].
      for (std::uint64_t b = 0; b <= 20; ++b) {
        auto both = uut.between({0}, {b});
        auto rest = uut.between({b}, {20});
        both.insert(both.end(), rest.begin(), rest.end());
        CHECK(both == all);
      }
      CHECK(uut.between({20}, {10}).empty());
    });
}

TEST_CASE("sources share a file and not their tables") {
  auto directory = temporary_directory{};
  auto a = open(directory, "a");
  auto b = open(directory, "b");
  REQUIRE(a.add({version(1, 1, 10)}).has_value());
  REQUIRE(b.add({version(2, 1, 10)}).has_value());
  a = open(directory, "a");
  CHECK(a.tables().size() == 1);
  CHECK(code_at(a, 2, 10) == errc::unknown_table);
}
