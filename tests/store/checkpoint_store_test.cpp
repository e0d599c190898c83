#include "store/checkpoint_store.hpp"

#include <thread>

#include "store/sqlite_db.hpp"
#include "tests/store/log_fixture.hpp"

using namespace log_test;

namespace {

checkpoint_store open(const temporary_directory& directory) {
  auto result = checkpoint_store::open(directory.file("meta"));
  INFO((result ? "" : to_string(result.error())));
  REQUIRE(result.has_value());
  return std::move(*result);
}

table_position at(std::uint64_t table, std::uint64_t ts) {
  return {{table}, cursor(ts), {ts}};
}

constexpr auto huge = timestamp::max();

} // namespace

TEST_CASE("a feed lives until it is removed by name") {
  auto directory = temporary_directory{};
  auto rules = feed_rules{{"a.*", "b?"}, {"a.secret"}};
  auto id = feed_id{};
  {
    auto uut = open(directory);
    auto feed = uut.create_feed("f", rules);
    REQUIRE(feed.has_value());
    id = feed->id;
    CHECK(uut.create_feed("f", rules)->id == id);
    auto other = uut.create_feed("f", {});
    REQUIRE_FALSE(other.has_value());
    CHECK(other.error().code == errc::duplicate_name);
    CHECK(uut.create_feed("g", {})->id > id);
  }
  auto uut = open(directory);
  auto feeds = uut.feeds();
  REQUIRE(feeds.has_value());
  REQUIRE(feeds->size() == 2);
  CHECK(feeds->front() == feed_record{id, "f", rules});
  REQUIRE(uut.remove_feed("f").has_value());
  CHECK(uut.remove_feed("f").error().code == errc::unknown_feed);
  CHECK(uut.feeds()->size() == 1);
}

TEST_CASE("ids of feeds and tables are never used again") {
  auto directory = temporary_directory{};
  auto uut = open(directory);
  auto first = uut.create_feed("f", {})->id;
  REQUIRE(uut.remove_feed("f").has_value());
  uut = open(directory);
  CHECK(uut.create_feed("f", {})->id > first);
  auto table = uut.tables_of("s", {"t"});
  REQUIRE(table.has_value());
  REQUIRE(table->size() == 1);
  CHECK(uut.tables_of("s", {"t"}) == table);
  CHECK(uut.tables_of("s2", {"t"})->front() > table->front());
  CHECK(uut.tables()->size() == 2);
  CHECK(uut.tables()->front().name == "t");
  CHECK(uut.tables()->front().source == "s");
}

TEST_CASE("tables get their ids together, in the order of their names") {
  auto directory = temporary_directory{};
  auto uut = open(directory);
  auto known = uut.tables_of("s", {"b"}).value().front();
  auto ids = uut.tables_of("s", {"a", "b", "c", "a"}).value();
  REQUIRE(ids.size() == 4);
  CHECK(ids[1] == known);
  CHECK(ids[0] > known);
  CHECK(ids[2] > ids[0]);
  CHECK(ids[3] == ids[0]);
  CHECK(open(directory).tables_of("s", {"c", "a"}).value()
        == std::vector{ids[2], ids[0]});
  CHECK(uut.tables()->size() == 3);
  CHECK(uut.tables_of("s", {})->empty());
}

TEST_CASE("generations and incarnations count for ever") {
  auto directory = temporary_directory{};
  for (std::uint64_t i = 1; i <= 3; ++i) {
    auto uut = open(directory);
    CHECK(uut.next_generation("s").value() == generation{i});
    CHECK(uut.next_incarnation("s").value() == incarnation{2 * i - 1});
    CHECK(uut.next_incarnation("s").value() == incarnation{2 * i});
    CHECK(uut.next_incarnation("s" + std::to_string(i)).value().value == 1);
  }
}

TEST_CASE("threads that open at once never get the same number") {
  auto directory = temporary_directory{};
  auto numbers = std::vector<std::uint64_t>(4 * 20);
  auto threads = std::vector<std::thread>{};
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      auto uut = checkpoint_store::open(directory.file("meta"));
      for (std::size_t i = 0; uut && i < 20; ++i)
        if (auto x = uut->next_incarnation("n"))
          numbers[t * 20 + i] = x->value;
    });
  for (auto& thread : threads)
    thread.join();
  std::sort(numbers.begin(), numbers.end());
  for (std::size_t i = 0; i < numbers.size(); ++i)
    CHECK(numbers[i] == i + 1);
}

TEST_CASE("a note is read back as it was set") {
  auto directory = temporary_directory{};
  auto value = std::string{"a\0b", 3};
  auto uut = open(directory);
  CHECK_FALSE(uut.note("s", "k")->has_value());
  REQUIRE(uut.set_note("s", "k", value).has_value());
  CHECK(uut.note("s", "k")->value() == value);
  REQUIRE(uut.set_note("s", "k", "").has_value());
  CHECK(open(directory).note("s", "k")->value().empty());
}

TEST_CASE("a floor goes back only for a table that is named") {
  auto directory = temporary_directory{};
  auto uut = open(directory);
  auto id = uut.create_feed("f", {})->id;
  auto floor_of = [&](std::uint64_t table) {
    auto floors = uut.floors();
    REQUIRE(floors.has_value());
    REQUIRE(floors->size() == 1);
    for (const auto& x : floors->front().exceptions)
      if (x.table.value == table)
        return x.checkpoint.value;
    return floors->front().floor.value;
  };
  REQUIRE(uut.store_floor({id, {100}, {at(1, 50)}}).has_value());
  CHECK(floor_of(1) == 50);
  CHECK(floor_of(2) == 100);
  SUBCASE("a lower floor") {
    REQUIRE(uut.store_floor({id, {80}, {}}).has_value());
    CHECK(floor_of(1) == 80);
    CHECK(floor_of(2) == 100);
  }
  SUBCASE("a new exception below") {
    REQUIRE(uut.store_floor({id, {120}, {at(2, 90)}}).has_value());
    CHECK(floor_of(1) == 120);
    CHECK(floor_of(2) == 90);
    CHECK(floor_of(3) == 120);
  }
  SUBCASE("an exception that rises") {
    REQUIRE(uut.store_floor({id, {100}, {at(1, 70), at(2, 100)}}).has_value());
    CHECK(floor_of(1) == 70);
    CHECK(uut.floors()->front().exceptions.size() == 1);
  }
  SUBCASE("removed with the feed, and not brought back by a late report") {
    REQUIRE(uut.remove_feed("f").has_value());
    auto late = uut.store_floor({id, {200}, {}});
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == errc::unknown_feed);
    CHECK(uut.floors()->empty());
  }
  SUBCASE("the highest there is") {
    REQUIRE(uut.store_floor({id, huge, {}}).has_value());
    REQUIRE(uut.store_floor({id, {5}, {}}).has_value());
    CHECK(floor_of(1) == huge.value);
  }
}

TEST_CASE("only the newest writer may store positions") {
  auto directory = temporary_directory{};
  auto uut = open(directory);
  auto feed = uut.create_feed("f", {}).value();
  auto old = uut.next_incarnation("sink:f").value();
  REQUIRE(uut.store_positions(feed, old, {at(1, 10)}, {5}).has_value());
  auto now = uut.next_incarnation("sink:f").value();
  auto late = uut.store_positions(feed, old, {at(1, 20)}, {20});
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code == errc::sink_fenced);
  CHECK(uut.positions(feed.id)->positions == std::vector{at(1, 10)});
  CHECK(uut.positions(feed.id)->low_watermark == timestamp{5});
  REQUIRE(uut.store_positions(feed, now, {at(2, 30)}, {25}).has_value());
  uut = open(directory);
  CHECK(uut.positions(feed.id)->positions == std::vector{at(2, 30)});
  CHECK(uut.positions(feed.id)->low_watermark == timestamp{25});
}

TEST_CASE("a position at or below the low watermark says nothing") {
  auto directory = temporary_directory{};
  auto uut = open(directory);
  auto feed = uut.create_feed("f", {}).value();
  auto writer = uut.next_incarnation("sink:f").value();
  // Its rows up to 30 came already: without it they would come again.
  auto ahead = table_position{{3}, cursor(30), {10}};
  auto complete = table_position{{4}, cursor(10), {30}};
  auto top = table_position{{5}, row_cursor::end_of(huge), huge};
  auto all = std::vector{at(1, 10), at(2, 20), ahead, complete, top};
  REQUIRE(uut.store_positions(feed, writer, all, {9}).has_value());
  CHECK(uut.positions(feed.id)->positions == all);
  REQUIRE(uut.store_positions(feed, writer, {}, {20}).has_value());
  uut = open(directory);
  CHECK(uut.positions(feed.id)->low_watermark == timestamp{20});
  CHECK(uut.positions(feed.id)->positions == std::vector{ahead, complete, top});
}

TEST_CASE("positions do not go back and go with their feed") {
  auto directory = temporary_directory{};
  auto uut = open(directory);
  auto feed = uut.create_feed("f", {}).value();
  auto writer = uut.next_incarnation("sink:f").value();
  auto top = table_position{{1}, row_cursor::end_of(huge), huge};
  REQUIRE(uut.store_positions(feed, writer, {top}, {5}).has_value());
  REQUIRE(uut.store_positions(feed, writer, {at(1, 10)}, {4}).has_value());
  CHECK(uut.positions(feed.id)->positions == std::vector{top});
  CHECK(uut.positions(feed.id)->low_watermark == timestamp{5});
  REQUIRE(uut.remove_feed("f").has_value());
  CHECK(uut.positions(feed.id)->positions.empty());
  CHECK(uut.store_positions(feed, writer, {top}, {5}).error().code
        == errc::unknown_feed);
  // A feed of the same name does not accept the writer of the old one.
  feed = uut.create_feed("f", {}).value();
  CHECK(uut.next_incarnation("sink:f").value() > writer);
  CHECK(uut.store_positions(feed, writer, {}, {}).error().code
        == errc::sink_fenced);
}

TEST_CASE("a feed keeps the order it was made with") {
  auto directory = temporary_directory{};
  {
    auto uut = open(directory);
    REQUIRE(uut.create_feed("a", {}).has_value());
    auto by_table = feed_rules{{"*"}, {}, feed_order::table};
    REQUIRE(uut.create_feed("b", by_table).has_value());
    CHECK_FALSE(uut.create_feed("a", by_table).has_value());
  }
  auto uut = open(directory);
  CHECK(uut.feeds()->at(0).rules.order == feed_order::transaction);
  CHECK(uut.feeds()->at(1).rules.order == feed_order::table);
}

TEST_CASE("a meta.db of format 1 has feeds in the order of tables") {
  auto directory = temporary_directory{};
  {
    auto uut = open(directory);
    REQUIRE(uut.create_feed("a", {}).has_value());
  }
  {
    auto db = sqlite_db::open(directory.file("meta/meta.db"));
    REQUIRE(db.has_value());
    REQUIRE((*db)
              ->exec("ALTER TABLE feeds DROP COLUMN ordering;"
                     "ALTER TABLE feeds DROP COLUMN confirm;"
                     "PRAGMA user_version = 1")
              .has_value());
  }
  auto uut = open(directory);
  REQUIRE(uut.feeds().has_value());
  CHECK(uut.feeds()->at(0).rules.order == feed_order::table);
  CHECK(uut.feeds()->at(0).rules.confirm == confirm_level::log);
}

TEST_CASE("a meta.db of format 2 has feeds that confirm what is in the log") {
  auto directory = temporary_directory{};
  {
    auto uut = open(directory);
    REQUIRE(uut.create_feed("a", {}).has_value());
  }
  {
    auto db = sqlite_db::open(directory.file("meta/meta.db"));
    REQUIRE(db.has_value());
    REQUIRE((*db)
              ->exec("ALTER TABLE feeds DROP COLUMN confirm;"
                     "PRAGMA user_version = 2")
              .has_value());
  }
  auto uut = open(directory);
  REQUIRE(uut.feeds().has_value());
  CHECK(uut.feeds()->at(0).rules == feed_rules{});
}

TEST_CASE("a feed's level of confirming changes, and its tables do not") {
  auto directory = temporary_directory{};
  auto rules = feed_rules{};
  rules.confirm = confirm_level::sinks;
  auto id = open(directory).create_feed("a", {})->id;
  REQUIRE(open(directory).create_feed("a", rules).has_value());
  auto uut = open(directory);
  REQUIRE(uut.feeds()->size() == 1);
  CHECK(uut.feeds()->at(0) == feed_record{id, "a", rules});
  rules.include = {"t*"};
  CHECK(uut.create_feed("a", rules).error().code == errc::duplicate_name);
  CHECK(uut.create_feed("a", {})->id == id);
  CHECK(uut.feeds()->at(0).rules.confirm == confirm_level::log);
}

TEST_CASE("a newer meta.db is refused and not touched") {
  auto directory = temporary_directory{};
  (void) open(directory);
  {
    auto db = sqlite_db::open(directory.file("meta/meta.db"));
    REQUIRE(db.has_value());
    REQUIRE((*db)->exec("PRAGMA user_version = 4").has_value());
  }
  auto result = checkpoint_store::open(directory.file("meta"));
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == errc::log_format_newer);
}

TEST_CASE("a file that is not a database is log_io") {
  auto directory = temporary_directory{};
  fs::create_directories(directory.file("meta/meta.db"));
  auto result = checkpoint_store::open(directory.file("meta"));
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == errc::log_io);
}
