#include "actors/sinks/connector_sink.hpp"

#include <stdexcept>

#include <doctest/doctest.h>

#include "tests/actors/puppets.hpp"
#include "tests/support/deterministic.hpp"
#include "tests/support/sink_samples.hpp"

using namespace sluice;
using namespace sluice::puppets;
using namespace sluice::samples;
using namespace std::chrono_literals;

namespace {

// A target in memory that keeps what is committed, and fails when told to.
struct target : sink_connector {
  incarnation writer;
  std::vector<std::uint64_t> open_rows;
  std::vector<std::uint64_t> rows; // commit_ts of what is committed
  std::map<table_id, table_position> positions;
  timestamp low_watermark;
  int commits = 0;
  error next_failure;

  status answer() {
    if (!next_failure)
      return {};
    open_rows.clear();
    return tl::unexpected{std::exchange(next_failure, {})};
  }
  std::string describe() const override { return "memory"; }
  expected<sink_position> open(const feed_record&) override {
    if (auto ok = answer(); !ok)
      return tl::unexpected{ok.error()};
    open_rows.clear();
    writer = writer.next();
    auto result = sink_position{writer, {}, low_watermark};
    for (const auto& [table, position] : positions)
      result.positions.push_back(position);
    return result;
  }
  status write(const sink_rows& x) override {
    if (x.schema->name == "t13")
      throw std::runtime_error{"thirteen"};
    for (auto i = x.first; i < x.first + x.count; ++i)
      open_rows.push_back(x.block->grouped(i).commit_ts().value);
    return answer();
  }
  status commit(const std::vector<table_position>& with,
                std::optional<timestamp> low) override {
    if (auto ok = answer(); !ok)
      return ok;
    ++commits;
    rows.insert(rows.end(), open_rows.begin(), open_rows.end());
    open_rows.clear();
    for (const auto& x : with)
      positions[x.table] = x;
    low_watermark = low.value_or(low_watermark);
    return {};
  }
};

using said =
  std::variant<sink_opened, sink_failed, rows_released, rows_durable>;

struct fixture : test::deterministic {
  caf::scoped_actor shard{system(), true};
  std::shared_ptr<target> memory = std::make_shared<target>();
  sink_actor uut = spawn(connector_sink, connector_sink_options{}, memory);

  fixture() { open(); }

  void open() {
    shard->send(uut, open_sink{});
    deliver_all();
  }
  std::vector<said> answers() {
    return take<sink_opened, sink_failed, rows_released, rows_durable>(shard);
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "Scenario: one commit takes all that waits") {
  CHECK(answers() == std::vector<said>{sink_opened{{1}, {}, {}}});
  shard->send(uut, write_rows{{1}, 1, {item(1, {11})}});
  shard->send(uut, write_rows{{1}, 2, {item(2, {12}), item(1, {13})}});
  shard->send(uut, store_watermark{{1}, {13}});
  deliver_all();
  CHECK(memory->commits == 1);
  CHECK(memory->rows == std::vector<std::uint64_t>{11, 12, 13});
  CHECK(memory->positions[{1}] == position(1, 13, 13));
  CHECK(memory->low_watermark == timestamp{13});
  CHECK(answers()
        == std::vector<said>{rows_released{{1}, 1}, rows_released{{1}, 2},
                             rows_durable{{1}, 2, {13}}});
}

TEST_CASE_FIXTURE(fixture, "Scenario: a lone watermark waits for its timer") {
  shard->send(uut, store_watermark{{1}, {20}});
  deliver_all();
  CHECK(memory->low_watermark == timestamp{20});
  shard->send(uut, store_watermark{{1}, {21}});
  deliver_all();
  shard->send(uut, store_watermark{{1}, {22}});
  deliver_all();
  CHECK(memory->commits == 1);
  advance(100ms);
  CHECK(memory->low_watermark == timestamp{22});
  CHECK(memory->commits == 2);
  CHECK(answers().back() == said{rows_durable{{1}, 0, {22}}});
}

TEST_CASE_FIXTURE(fixture, "Scenario: a target that was away goes on") {
  shard->send(uut, write_rows{{1}, 1, {item(1, {11})}});
  deliver_all();
  REQUIRE(answers().size() == 3);
  memory->next_failure = {errc::sink_unavailable, "away"};
  shard->send(uut, write_rows{{1}, 2, {item(1, {12})}});
  shard->send(uut, write_rows{{1}, 3, {item(1, {13})}});
  deliver_all();
  CHECK(answers()
        == std::vector<said>{
          sink_failed{{1}, {errc::sink_unavailable, "away"}, false}});
  CHECK(memory->open_rows.empty());
  open();
  CHECK(answers()
        == std::vector<said>{sink_opened{{2}, {position(1, 11, 11)}, {}}});
}

TEST_CASE_FIXTURE(fixture, "Scenario: a target that can not be opened") {
  memory->next_failure = {errc::sink_conflict, "two keys"};
  REQUIRE(answers().size() == 1);
  open();
  CHECK(answers()
        == std::vector<said>{
          sink_failed{{}, {errc::sink_conflict, "two keys"}, true}});
}

TEST_CASE_FIXTURE(fixture, "Scenario: a connector that throws") {
  REQUIRE(answers().size() == 1);
  shard->send(uut, write_rows{{1}, 1, {item(13, {11})}});
  shard->send(uut, acknowledge{{1}, 1}); // Not its business.
  deliver_all();
  auto failure = error{errc::sink_unavailable, "memory: thirteen"};
  CHECK(answers() == std::vector<said>{sink_failed{{1}, failure, false}});
}
