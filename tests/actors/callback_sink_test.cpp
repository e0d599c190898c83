#include "actors/sinks/callback_sink.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include <doctest/doctest.h>

#include "store/checkpoint_store.hpp"
#include "tests/actors/puppets.hpp"
#include "tests/support/deterministic.hpp"
#include "tests/support/sink_samples.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace sluice;
using namespace sluice::puppets;
using sluice::test::temporary_directory;
using namespace sluice::samples;
using namespace std::chrono_literals;

namespace {

using said =
  std::variant<sink_opened, sink_failed, rows_released, rows_durable>;

struct fixture : test::deterministic {
  caf::scoped_actor shard{system(), true};
  std::vector<std::vector<std::uint64_t>> batches; // commit_ts of the rows
  std::vector<acknowledger> acks;
  std::vector<sink_actor> spawned;
  feed_record feed{{1}, "f", {}};

  void stop_all() {
    for (const auto& x : spawned)
      shard->send_exit(x, caf::exit_reason::user_shutdown);
    deliver_all();
    spawned.clear();
  }
  sink_actor start(std::shared_ptr<position_keeper> positions) {
    auto callback = [this](const change_batch& batch, acknowledger ack) {
      auto commits = std::vector<std::uint64_t>{};
      for (const auto& x : batch)
        commits.push_back(x.commit_ts().value);
      batches.push_back(commits);
      acks.push_back(ack);
      if (commits.front() == 13)
        throw std::runtime_error{"thirteen"};
      return commits.front() == 14 ? status{fail(errc::malformed, "fourteen")}
                                   : status{};
    };
    spawned.push_back(spawn(callback_sink, callback_sink_options{}, positions,
                            change_callback{callback}));
    open();
    return spawned.back();
  }
  void open() {
    shard->send(spawned.back(), open_sink{feed});
    deliver_all();
  }
  void write(std::uint64_t writer, std::uint64_t batch,
             std::vector<write_item> items) {
    shard->send(spawned.back(), write_rows{{writer}, batch, std::move(items)});
    deliver_all();
  }
  void ack(std::size_t i) {
    acks.at(i).ack();
    deliver_all();
  }
  std::vector<said> answers() {
    return take<sink_opened, sink_failed, rows_released, rows_durable>(shard);
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "Scenario: rows stay until they are acknowledged") {
  start(keep_positions_in_memory());
  write(1, 1, {item(1, {11, 12})});
  write(1, 2, {item(1, {15})});
  CHECK(batches == std::vector<std::vector<std::uint64_t>>{{11, 12}, {15}});
  CHECK(answers() == std::vector<said>{sink_opened{{1}, {}, {}}});
  advance(10s);
  CHECK(answers().empty());
  std::thread{[this] { acks.at(1).ack(); }}.join();
  deliver_all();
  CHECK(answers()
        == std::vector<said>{rows_released{{1}, 2}, rows_durable{{1}, 2, {}}});
  ack(0); // Long done.
  CHECK(answers().empty());
}

TEST_CASE_FIXTURE(fixture, "Scenario: a new sink resumes where the old was") {
  auto positions = keep_positions_in_memory();
  start(positions);
  write(1, 1, {item(1, {11})});
  write(1, 2, {item(1, {12})});
  ack(0);
  stop_all();
  ack(1); // Nobody is there any more.
  REQUIRE(answers().size() == 3);
  start(positions);
  CHECK(answers()
        == std::vector<said>{sink_opened{{2}, {position(1, 11, 11)}, {}}});
  write(2, 1, {item(1, {11, 12})});
  CHECK(batches.back() == std::vector<std::uint64_t>{12});
}

TEST_CASE_FIXTURE(fixture, "Scenario: an acknowledgement just before the end") {
  auto positions = keep_positions_in_memory();
  start(positions);
  write(1, 1, {item(1, {11})});
  ack(0);
  write(1, 2, {item(1, {12})});
  ack(1); // Waits for its timer.
  CHECK(answers().back() == said{rows_released{{1}, 2}});
  stop_all();
  start(positions);
  CHECK(answers().back() == said{sink_opened{{2}, {position(1, 12, 12)}, {}}});
}

TEST_CASE_FIXTURE(fixture, "Scenario: a callback that refuses or throws") {
  start(keep_positions_in_memory());
  write(1, 1, {item(1, {11})});
  ack(0);
  REQUIRE(answers().size() == 3);
  write(1, 2, {item(1, {13})});
  write(1, 3, {item(1, {15})});
  auto thrown = error{errc::sink_unavailable, "the callback threw: thirteen"};
  CHECK(answers() == std::vector<said>{sink_failed{{1}, thrown, false}});
  CHECK(batches.size() == 2);
  ack(1); // Too late.
  CHECK(answers().empty());
  open();
  CHECK(answers()
        == std::vector<said>{sink_opened{{2}, {position(1, 11, 11)}, {}}});
  write(2, 1, {item(1, {14})});
  auto refused = error{errc::malformed, "fourteen"};
  CHECK(answers() == std::vector<said>{sink_failed{{2}, refused, false}});
}

TEST_CASE_FIXTURE(fixture, "Scenario: positions in a directory are durable") {
  auto directory = temporary_directory{};
  {
    auto store = checkpoint_store::open(directory.path());
    REQUIRE(store);
    auto created = store->create_feed("f", {});
    REQUIRE(created);
    feed = *created;
  }
  start(keep_positions_in(directory.path()));
  write(1, 1, {item(1, {11})});
  shard->send(spawned.back(), store_watermark{{1}, {10}});
  ack(0);
  CHECK(answers()
        == std::vector<said>{sink_opened{{1}, {}, {}}, rows_released{{1}, 1},
                             rows_durable{{1}, 1, {10}}});
  // A second sink of the feed takes over; the first one is fenced.
  auto first = spawned.back();
  start(keep_positions_in(directory.path()));
  CHECK(answers()
        == std::vector<said>{sink_opened{{2}, {position(1, 11, 11)}, {10}}});
  shard->send(first, store_watermark{{1}, {30}});
  advance(100ms);
  auto failed = answers();
  REQUIRE(failed.size() == 1);
  CHECK(std::get<sink_failed>(failed[0]).reason.code == errc::sink_fenced);
  CHECK(std::get<sink_failed>(failed[0]).final);
}

TEST_CASE("a change gives its values by the names of the columns") {
  auto schema = std::make_shared<table_schema>(*schema_of(1));
  schema->columns = {{"b", "integer", 2}, {"a", "text", 1}, {"c", "text", 0}};
  auto builder = row_block_builder{};
  auto header = row_header{{1}, {{7}, {6}, 5}, row_op::update, false, {1}, 0};
  auto before = std::vector<value_view>{value_view::of_integer(1),
                                        value_view::of_text("x"),
                                        value_view::unchanged()};
  auto after = std::vector<value_view>{value_view::of_integer(2),
                                       value_view::of_text("y"), value_view{}};
  builder.add(header, {true, true, false}, before, after);
  header.op = row_op::erase;
  builder.add(header, {true, true, false}, before, {});
  builder.end();
  auto items = std::vector<write_item>{checkpoint_item(1, 5, 6),
                                       {schema, builder.finish(), 0, 2, {}},
                                       checkpoint_item(1, 5, 6)};
  auto batch = std::make_unique<change_batch>(items);
  auto kept = *batch; // Holds the rows.
  batch.reset();
  items.clear();
  CHECK(kept.size() == 2);
  auto update = *kept.begin();
  CHECK(update.table() == "t1");
  CHECK(update.op() == row_op::update);
  CHECK(update.cursor() == row_cursor{{7}, {6}, 5});
  CHECK(update.value("b") == value_view::of_integer(2));
  CHECK(update.value("c") == value_view{});
  CHECK(update.old_value("a") == value_view::of_text("x"));
  CHECK(update.old_value("c") == value_view::unchanged());
  CHECK_FALSE(update.value("d"));
  CHECK(update.key()
        == std::vector{value_view::of_text("y"), value_view::of_integer(2)});
  CHECK(update.old_key()
        == std::vector{value_view::of_text("x"), value_view::of_integer(1)});
  auto erase = *std::next(kept.begin());
  CHECK_FALSE(erase.value("a"));
  CHECK(erase.key() == update.old_key());
  CHECK(std::next(kept.begin(), 2) == kept.end());
  CHECK(change_batch{std::vector<write_item>{}}.empty());
}
