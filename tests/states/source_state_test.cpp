#include "actors/source_state.hpp"

#include <set>

#include <doctest/doctest.h>

#include "messages/partitioning.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

using milliseconds = std::chrono::milliseconds;

/// The state under test, and what came out of it.
struct source_bench {
  explicit source_bench(source_options options = {}) : uut{options} {
    // nop
  }

  source_state uut;
  milliseconds now{0};
  std::vector<source_state::effect> sent;

  void run(source_state::effects effects) {
    for (auto& x : effects)
      sent.push_back(std::move(x));
  }
  template <class Effect>
  std::vector<Effect> take() {
    auto result = std::vector<Effect>{};
    for (auto& x : sent)
      if (auto* found = std::get_if<Effect>(&x))
        result.push_back(std::move(*found));
    std::erase_if(sent,
                  [](auto& x) { return std::holds_alternative<Effect>(x); });
    return result;
  }
  std::vector<append_rows> take_appends(std::size_t place = 0) {
    auto result = std::vector<append_rows>{};
    for (auto& x : take<to_partition<append_rows>>())
      if (x.place == place)
        result.push_back(x.message);
      else
        sent.emplace_back(x);
    return result;
  }
  void attached(std::uint64_t partition, std::uint64_t to) {
    run(uut.on_attached({{partition}, {{to}, {to}, 0}, {to}}));
  }
  /// Up to the first read, with one partition and no table.
  void start() {
    run(uut.on_start({}));
    attached(1, 20);
    run(uut.on_opened({}, {}, now));
    tick();
    sent.clear();
  }
  void tick() { run(uut.on_tick(now)); }
  void read(const block_ptr& rows, std::uint64_t resolved, bool more = true) {
    auto batch = source_read{};
    batch.rows = rows;
    batch.resolved = {resolved};
    batch.more = more;
    run(uut.on_read(std::move(batch), {}, now));
  }
  bool reads() {
    tick();
    return !take<call_read>().empty();
  }
};

source_options two_partitions() {
  auto result = source_options{};
  result.partitions = {{1}, {2}};
  return result;
}

// A table whose rows go to the partition in place `place` of two.
std::uint64_t table_in(std::size_t place) {
  std::uint64_t result = 1;
  while (partition_of({result}, 2) != place)
    ++result;
  return result;
}

} // namespace

// -- attach, open, declare ----------------------------------------------------

TEST_CASE("reading starts at the lowest partition") {
  auto bench = source_bench{two_partitions()};
  bench.run(bench.uut.on_start({}));
  CHECK(bench.take<to_partition<attach_source>>().size() == 2);
  bench.attached(2, 40);
  CHECK(bench.take<call_open>().empty());
  bench.attached(1, 20);
  auto opened = bench.take<call_open>();
  REQUIRE(opened.size() == 1);
  CHECK(opened[0].resume == row_cursor{{20}, {20}, 0});
}

TEST_CASE("reading starts no lower than what was confirmed upstream") {
  auto bench = source_bench{two_partitions()};
  bench.run(bench.uut.on_start({30}));
  bench.attached(1, 20);
  bench.attached(2, 40);
  auto opened = bench.take<call_open>();
  REQUIRE(opened.size() == 1);
  CHECK(opened[0].resume == row_cursor::end_of({30}));
}

TEST_CASE("a start knows the highest place of all partitions") {
  auto bench = source_bench{two_partitions()};
  bench.run(bench.uut.on_start({30}));
  bench.attached(1, 20);
  SUBCASE("with rows there") {
    bench.attached(2, 40);
    CHECK(bench.take<call_open>()[0].highest == timestamp{40});
  }
  SUBCASE("promised without rows") {
    bench.run(bench.uut.on_attached({{2}, {{25}, {25}, 0}, {50}}));
    CHECK(bench.take<call_open>()[0].highest == timestamp{50});
  }
  SUBCASE("confirmed, and lost by the log") {
    bench.attached(2, 25);
    CHECK(bench.take<call_open>()[0].highest == timestamp{30});
  }
}

TEST_CASE("a later start knows what was read and promised before") {
  auto bench = source_bench{};
  bench.start();
  bench.read(nullptr, 60);
  bench.run(bench.uut.on_append_failed(
    {{1}, 1, {errc::log_io, "the disk is away", {}}}, bench.now));
  bench.now += milliseconds{10'000};
  bench.tick();
  bench.attached(1, 20);
  CHECK(bench.take<call_open>()[0].highest == timestamp{60});
}

TEST_CASE("the status says how far a copy is, and its pace") {
  auto bench = source_bench{};
  bench.start();
  auto copied = [&](std::uint64_t rows, std::uint64_t all) {
    auto batch = source_read{};
    batch.copying = all > 0 ? "accounts" : "";
    batch.copied = rows;
    batch.copy_total = 100;
    batch.copied_all = all;
    batch.copy_all_total = 1'000;
    bench.run(bench.uut.on_read(std::move(batch), {}, bench.now));
    bench.tick();
  };
  copied(10, 100);
  bench.now += milliseconds{1'000};
  copied(20, 300);
  auto status = bench.uut.status();
  CHECK(status.copying == "accounts");
  CHECK(status.copied == 20);
  CHECK(status.copied_all == 300);
  CHECK(status.copy_all_total == 1'000);
  CHECK(status.copy_rate == 200);
  CHECK(status.copy_seconds_left == 4);
  copied(0, 0);
  CHECK(bench.uut.status().copy_rate == 0);
  CHECK(bench.uut.status().copying.empty());
}

TEST_CASE("nothing is read before all tables are declared") {
  auto bench = source_bench{};
  bench.run(bench.uut.on_start({}));
  bench.attached(1, 20);
  bench.run(bench.uut.on_opened({ddl(7, 1, 0), ddl(8, 1, 0)}, {}, bench.now));
  auto names = bench.take<to_partition<known_tables>>();
  REQUIRE(names.size() == 1);
  CHECK(names[0].message.tables.size() == 2);
  CHECK(bench.take<declare_schemas>()
        == std::vector{declaration_of({ddl(7, 1, 0), ddl(8, 1, 0)})});
  CHECK_FALSE(bench.reads());
  bench.run(bench.uut.on_declared({1, {}}, bench.now));
  CHECK(bench.reads());
}

TEST_CASE("many tables are declared in several messages, in their order") {
  auto options = two_partitions();
  options.declared_max = 2;
  auto bench = source_bench{options};
  bench.run(bench.uut.on_start({}));
  bench.attached(1, 20);
  bench.attached(2, 20);
  bench.sent.clear();
  auto schemas = std::vector<ddl_event>{};
  for (std::uint64_t table = 1; table <= 5; ++table)
    schemas.push_back(ddl(table, 1, 0));
  bench.run(bench.uut.on_opened(schemas, {}, bench.now));
  // First the names: nobody may ask a store for a table that it has not heard
  // of.
  REQUIRE(bench.sent.size() == 5);
  CHECK(std::holds_alternative<to_partition<known_tables>>(bench.sent[1]));
  auto sent = bench.take<declare_schemas>();
  REQUIRE(sent.size() == 3);
  auto declared = std::vector<ddl_event>{};
  for (const auto& message : sent) {
    CHECK(message.follows == !declared.empty());
    CHECK(message.schemas.size() <= 2);
    for (const auto& x : message.schemas) {
      CHECK(x.partition.value == partition_of(x.event.schema.table, 2) + 1);
      declared.push_back(x.event);
    }
  }
  CHECK(declared == schemas);
  // In any order: a table of the first may wait for a collector.
  bench.run(bench.uut.on_declared({3, {}}, bench.now));
  bench.run(bench.uut.on_declared({1, {}}, bench.now));
  CHECK_FALSE(bench.reads());
  bench.run(bench.uut.on_declared({2, {}}, bench.now));
  CHECK(bench.reads());
}

TEST_CASE("a declaration that failed is made again, all of it") {
  auto bench = source_bench{};
  bench.run(bench.uut.on_start({}));
  auto open = [&] {
    bench.attached(1, 20);
    bench.run(bench.uut.on_opened({ddl(7, 1, 0), ddl(8, 1, 0)}, {}, bench.now));
    return bench.take<declare_schemas>().at(0);
  };
  auto first = open();
  bench.run(
    bench.uut.on_declared({first.number, {errc::disk_full}}, bench.now));
  CHECK(bench.uut.status().failure.code == errc::disk_full);
  bench.now += milliseconds{10'000};
  bench.tick();
  auto again = open();
  CHECK(again.number != first.number);
  CHECK_FALSE(again.follows);
  CHECK(again.schemas == first.schemas);
  bench.run(bench.uut.on_declared({first.number, {}}, bench.now));
  CHECK_FALSE(bench.reads());
  bench.run(bench.uut.on_declared({again.number, {}}, bench.now));
  CHECK(bench.reads());
}

// -- read and append ----------------------------------------------------------

TEST_CASE("with one partition the block is passed through") {
  auto bench = source_bench{};
  bench.start();
  auto block = block_of({{7, 40}, end_mark});
  bench.read(block, 40);
  REQUIRE(bench.sent.size() >= 2);
  // The schema store hears of a resolved first.
  CHECK(std::holds_alternative<schema_resolved>(bench.sent[0]));
  auto appends = bench.take_appends();
  REQUIRE(appends.size() == 1);
  CHECK(appends[0].block == block);
  CHECK(appends[0].number == 1);
  CHECK(appends[0].resolved == timestamp{40});
}

TEST_CASE("an empty read is passed on only when the resolved rose") {
  auto bench = source_bench{};
  bench.start();
  bench.read(nullptr, 40, false);
  CHECK(bench.take_appends().size() == 1);
  bench.read(nullptr, 40, false);
  CHECK(bench.take_appends().empty());
  CHECK(bench.take<schema_resolved>().size() == 1);
}

TEST_CASE("rows wait until their schema is acknowledged") {
  auto bench = source_bench{};
  bench.start();
  auto batch = source_read{};
  batch.schemas = {ddl(7, 2, 20)};
  batch.rows = block_of({{7, 40}, end_mark});
  batch.resolved = {40};
  bench.run(bench.uut.on_read(std::move(batch), {}, bench.now));
  CHECK(bench.take_appends().empty());
  CHECK(bench.take<schema_resolved>().empty());
  CHECK_FALSE(bench.reads());
  bench.run(bench.uut.on_declared({1, {}}, bench.now));
  CHECK(bench.take_appends().size() == 1);
  CHECK(bench.reads());
}

TEST_CASE("an acknowledgement that nobody waits for counts for nothing") {
  auto bench = source_bench{};
  bench.start();
  auto batch = source_read{};
  batch.schemas = {ddl(7, 2, 20), ddl(8, 1, 20)};
  batch.rows = block_of({{7, 40}, end_mark});
  bench.run(bench.uut.on_read(std::move(batch), {}, bench.now));
  auto number = bench.take<declare_schemas>().at(0).number;
  // Of no message of this attempt.
  bench.run(bench.uut.on_declared({number + 1, {}}, bench.now));
  bench.run(bench.uut.on_declared({number + 2, {errc::log_io}}, bench.now));
  CHECK(bench.take_appends().empty());
  CHECK_FALSE(bench.uut.status().failure);
  bench.run(bench.uut.on_declared({number, {}}, bench.now));
  CHECK(bench.take_appends().size() == 1);
}

TEST_CASE("a full window stops reading until rows are appended") {
  auto options = source_options{};
  options.window_bytes = 1;
  auto bench = source_bench{options};
  bench.start();
  bench.read(block_of({{7, 40}, end_mark}), 40);
  CHECK(bench.take<wake_source>().empty());
  CHECK_FALSE(bench.reads());
  bench.run(bench.uut.on_rows_appended({{1}, 1}, bench.now));
  CHECK(bench.take<wake_source>().size() == 1);
  CHECK(bench.reads());
}

TEST_CASE("an idle source waits as long as its connector says") {
  auto bench = source_bench{};
  bench.start();
  bench.read(nullptr, 20, false);
  CHECK(bench.take<wait_idle>()[0].empty_reads == 1);
  CHECK(bench.uut.status().idle);
  CHECK(bench.reads());
  bench.read(nullptr, 20, false);
  CHECK(bench.take<wait_idle>()[0].empty_reads == 2);
  CHECK(bench.reads());
  bench.read(block_of({{7, 40}, end_mark}), 40, false);
  CHECK(bench.take<wait_idle>().empty());
  CHECK(bench.take<wake_source>()[0].delay == milliseconds{0});
}

// -- several partitions -------------------------------------------------------

TEST_CASE("a transaction ends with an end mark in every partition it touched") {
  auto a = table_in(0);
  auto b = table_in(1);
  auto bench = source_bench{two_partitions()};
  bench.run(bench.uut.on_start({}));
  bench.attached(1, 20);
  bench.attached(2, 20);
  bench.run(bench.uut.on_opened({}, {}, bench.now));
  // It goes on in a second batch that has nothing for the second partition.
  bench.read(block_of({{a, 40, 0}, {b, 40, 1}, {b, 40, 2}}), 39);
  auto first = bench.take_appends(0);
  auto second = bench.take_appends(1);
  REQUIRE(first.size() == 1);
  REQUIRE(second.size() == 1);
  CHECK(first[0].block == nullptr); // only the promise; its row is kept back
  CHECK(second[0].block->rows() == 1);
  CHECK_FALSE(second[0].block->closed());
  bench.read(block_of({{a, 40, 3}, end_mark}), 40);
  first = bench.take_appends(0);
  second = bench.take_appends(1);
  REQUIRE(first.size() == 1);
  CHECK(first[0].block->rows() == 2);
  CHECK(first[0].block->closed());
  REQUIRE(second.size() == 1);
  CHECK(second[0].block->rows() == 1);
  CHECK(second[0].block->row(0).cursor() == row_cursor{{40}, {40}, 2});
  CHECK(second[0].block->closed());
}

TEST_CASE("a torn transaction over two partitions starts at the lower one") {
  auto a = table_in(0);
  auto b = table_in(1);
  auto bench = source_bench{two_partitions()};
  bench.run(bench.uut.on_start({}));
  bench.attached(1, 20);
  bench.attached(2, 20);
  bench.run(bench.uut.on_opened({}, {}, bench.now));
  bench.read(block_of({{a, 40, 0}, {b, 40, 1}, end_mark}), 40);
  bench.sent.clear();
  // The first partition has it, the second one failed.
  bench.run(bench.uut.on_rows_appended({{1}, 1}, bench.now));
  bench.run(
    bench.uut.on_append_failed({{2}, 1, {errc::log_io, "EIO"}}, bench.now));
  bench.now += milliseconds{100};
  bench.tick();
  CHECK(bench.take<to_partition<attach_source>>().size() == 2);
  bench.attached(1, 40);
  bench.attached(2, 20);
  CHECK(bench.take<call_open>()[0].resume == row_cursor{{20}, {20}, 0});
  bench.run(bench.uut.on_opened({}, {}, bench.now));
  // Both get it again, numbered from the start; the first one drops it.
  bench.read(block_of({{a, 40, 0}, {b, 40, 1}, end_mark}), 40);
  CHECK(bench.take_appends(0).at(0).number == 1);
  CHECK(bench.take_appends(1).at(0).number == 1);
}

TEST_CASE("a promise that the log did not take is not repeated after it") {
  auto bench = source_bench{};
  bench.start();
  bench.read(block_of({{7, 80}, end_mark}), 80);
  bench.run(
    bench.uut.on_append_failed({{1}, 1, {errc::disk_full, ""}}, bench.now));
  bench.now += milliseconds{100};
  bench.tick();
  bench.attached(1, 20);
  bench.run(bench.uut.on_opened({}, {}, bench.now));
  bench.sent.clear();
  bench.read(block_of({{7, 40}, end_mark}), 40);
  // With 80 the rows up to 80 that follow would be dropped by the log.
  CHECK(bench.take_appends().at(0).resolved == timestamp{40});
}

// -- failures -----------------------------------------------------------------

TEST_CASE("a retry comes up to a quarter later, each source at its own time") {
  auto delays = std::set<milliseconds>{};
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    auto options = source_options{};
    options.jitter_seed = seed * 0x9E3779B97F4A7C15;
    auto bench = source_bench{options};
    bench.start();
    bench.run(
      bench.uut.on_read({}, {errc::source_unavailable, "away"}, bench.now));
    auto delay = bench.take<wake_source>().at(0).delay;
    CHECK(delay >= options.retry_min);
    CHECK(delay < options.retry_min * 5 / 4);
    delays.insert(delay);
  }
  CHECK(delays.size() > 10);
}

TEST_CASE("a source that does not answer is tried again ever more slowly") {
  auto bench = source_bench{};
  bench.run(bench.uut.on_start({}));
  auto delays = std::vector<std::int64_t>{};
  for (int i = 0; i < 8; ++i) {
    bench.attached(1, 20);
    bench.sent.clear();
    bench.run(
      bench.uut.on_opened({}, {errc::source_unavailable, "down"}, bench.now));
    auto woken = bench.take<wake_source>();
    REQUIRE(woken.size() == 1);
    delays.push_back(woken[0].delay.count());
    bench.now += woken[0].delay;
    bench.tick();
  }
  CHECK(
    delays
    == std::vector<std::int64_t>{100, 200, 400, 800, 1600, 3200, 5000, 5000});
  CHECK_FALSE(bench.uut.status().failure); // it is being tried again
}

TEST_CASE("answers of an attempt that is over change nothing") {
  auto bench = source_bench{};
  bench.start();
  bench.read(block_of({{7, 40}, end_mark}), 40);
  bench.read(block_of({{7, 60}, end_mark}), 60);
  auto full = error{errc::disk_full, "no space"};
  bench.run(bench.uut.on_append_failed({{1}, 1, full}, bench.now));
  bench.run(bench.uut.on_append_failed(
    {{1}, 2, {errc::append_out_of_order, "append 2 after 0"}}, bench.now));
  CHECK(bench.uut.status().failure == full);
  bench.now += milliseconds{100};
  bench.tick();
  bench.run(bench.uut.on_append_failed({{1}, 2, full}, bench.now));
  bench.sent.clear();
  bench.attached(1, 20);
  CHECK(bench.take<call_open>().size() == 1);
}

TEST_CASE("a newer writer stops this one for good") {
  auto bench = source_bench{};
  bench.start();
  bench.read(block_of({{7, 40}, end_mark}), 40);
  bench.sent.clear();
  bench.run(
    bench.uut.on_append_failed({{1}, 1, {errc::stale_source, ""}}, bench.now));
  CHECK(bench.uut.status().failure.code == errc::stale_source);
  CHECK(bench.sent.empty());
  CHECK_FALSE(bench.reads());
}

TEST_CASE("an error of the source that needs somebody stops it") {
  auto bench = source_bench{};
  bench.start();
  bench.run(
    bench.uut.on_read({}, {errc::source_replaced, "other file"}, bench.now));
  CHECK(bench.uut.status().failure.code == errc::source_replaced);
  CHECK_FALSE(bench.reads());
}

// -- confirm and stop ---------------------------------------------------------

TEST_CASE("only what all partitions have is confirmed upstream") {
  auto bench = source_bench{two_partitions()};
  bench.run(bench.uut.on_start({}));
  bench.attached(1, 20);
  bench.attached(2, 20);
  bench.run(bench.uut.on_opened({}, {}, bench.now));
  bench.run(bench.uut.on_source_confirmed({{1}, {60}, {}}, bench.now));
  CHECK(bench.take<call_confirm>().empty());
  bench.run(bench.uut.on_source_confirmed({{2}, {40}, {}}, bench.now));
  auto calls = bench.take<call_confirm>();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].ts == timestamp{40});
  CHECK(calls[0].note); // an idle partition stands lower at a restart
  bench.uut.on_confirmed(false, {});
  CHECK(bench.uut.status().confirmed == timestamp{40});
}

TEST_CASE("the feed that holds the lowest partition back is in the status") {
  auto bench = source_bench{two_partitions()};
  bench.run(bench.uut.on_start({}));
  auto hears = [&](std::uint64_t partition, std::uint64_t ts,
                   std::uint64_t held_by) {
    bench.run(
      bench.uut.on_source_confirmed({{partition}, {ts}, {held_by}}, bench.now));
    return bench.uut.status().held_by;
  };
  CHECK(hears(1, 40, 3) == feed_id{}); // partition 2 has not said anything
  CHECK(hears(2, 60, 0) == feed_id{3});
  CHECK(hears(1, 50, 0) == feed_id{});
  CHECK(hears(2, 60, 4) == feed_id{}); // 1 is lower, and goes on by itself
  CHECK(hears(1, 60, 0) == feed_id{4});
  bench.run(
    bench.uut.on_append_failed({{1}, 0, {errc::log_io, "EIO"}}, bench.now));
  bench.now += milliseconds{100};
  bench.tick(); // attaches again
  CHECK(bench.uut.status().held_by == feed_id{});
}

TEST_CASE("confirming is repeated while there is work but not too often") {
  auto bench = source_bench{};
  bench.start();
  bench.run(bench.uut.on_source_confirmed({{1}, {40}, {}}, bench.now));
  CHECK(bench.take<call_confirm>().size() == 1);
  bench.uut.on_confirmed(true, {});
  bench.tick();
  CHECK(bench.take<call_confirm>().empty());
  bench.now += milliseconds{50};
  bench.tick();
  CHECK(bench.take<call_confirm>().size() == 1);
  bench.uut.on_confirmed(false, {});
  bench.now += milliseconds{50};
  bench.tick();
  CHECK(bench.take<call_confirm>().empty());
}

TEST_CASE("a stop waits for the rows that are on their way") {
  auto bench = source_bench{};
  bench.start();
  bench.read(block_of({{7, 40}, end_mark}), 40);
  bench.run(bench.uut.on_stop());
  CHECK(bench.take<source_stopped>().empty());
  CHECK_FALSE(bench.reads());
  bench.run(bench.uut.on_rows_appended({{1}, 1}, bench.now));
  CHECK(bench.take<source_stopped>().size() == 1);
}

TEST_CASE("a source that never started is stopped at once") {
  auto bench = source_bench{};
  bench.run(bench.uut.on_stop());
  CHECK(bench.take<source_stopped>().size() == 1);
}

// Else a stop between the restart and the first read waits for its deadline.
TEST_CASE("what the log resolved before resolves the schemas again") {
  auto bench = source_bench{};
  bench.run(bench.uut.on_start({}));
  bench.attached(1, 20);
  bench.run(bench.uut.on_opened({}, {}, bench.now));
  auto told = bench.take<schema_resolved>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].resolved == timestamp{20});
}
