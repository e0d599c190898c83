#include <algorithm>
#include <array>

#include "tests/scenarios/whole_path.hpp"
#include "tests/support/mailbox_bytes.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::uint64_t kib = 1024;

/// Rows without end, 16 a transaction and a block, of about 8 KiB together.
struct endless_source : source_connector {
  std::uint64_t next = 1;
  std::uint64_t last = 0; // none beyond it

  std::string describe() const override { return "endless"; }
  expected<std::vector<ddl_event>> open(const source_position& from,
                                        source_journal&) override {
    next = from.resume.commit_ts.value + 1;
    return std::vector<ddl_event>{ddl(7, 1, 0)};
  }
  expected<source_batch> read(std::size_t) override {
    auto result = source_batch{};
    auto rows = row_block_builder{};
    for (; next <= last && rows.rows() < 16; ++next) {
      auto values = std::array{
        value_view::of_integer(static_cast<std::int64_t>(next)),
        value_view::of_text(text)};
      auto header = row_header{};
      header.table = {7};
      header.cursor = {{next}, {next}, 0};
      header.schema = {1};
      rows.add(header, {true, false}, {}, values);
      result.resolved = {next};
    }
    rows.end();
    result.more = next <= last;
    if (!rows.empty())
      result.rows = rows.finish();
    return result;
  }
  expected<bool> confirm(timestamp) override { return false; }
  std::chrono::milliseconds idle_wait(std::uint32_t) const override {
    return std::chrono::milliseconds{10};
  }

  std::string text = std::string(440, 'x');
};

/// One source and three feeds. The sink of the first can be stopped: then it
/// takes nothing out of its mailbox, like a thread that hangs.
struct three_sinks : deterministic {
  static constexpr auto feeds = std::uint64_t{3};
  // The windows, as a service divides a budget.
  static constexpr auto source_window = 64 * kib;
  static constexpr auto store_window = 128 * kib;
  static constexpr auto credit = 64 * kib;
  static constexpr auto scan_window = 64 * kib;
  // A window is left with the block that fills it.
  static constexpr auto block_size = 12 * kib;
  static constexpr auto windows = source_window + store_window + scan_window
                                  + feeds * credit + 4 * block_size;

  three_sinks() {
    auto shard = collector_shard_options{};
    shard.credit_bytes = credit;
    parts.start_node(shard);
    parts.start_schemas(table_history::in_memory());
    auto store = event_store_options{};
    store.window_bytes = store_window;
    auto serving = dispatcher_shard_options{};
    serving.window_bytes = store_window;
    serving.scan_bytes_per_request = scan_window;
    parts.start_partition(store, serving, make_memory_log(), "");
    auto known = feeds_loaded{};
    for (std::uint64_t i = 1; i <= feeds; ++i)
      known.feeds.push_back({{i}, "f" + std::to_string(i), per_table()});
    parts.tell_stores(known);
    auto how = source_options{};
    how.window_bytes = source_window;
    parts.start_source(how, upstream, make_memory_journal());
    for (std::uint64_t i = 0; i < feeds; ++i) {
      targets.push_back(std::make_shared<memory_sink>());
      parts.start_sink(known.feeds[i], connector_sink_options{}, targets[i]);
    }
    run_for(std::chrono::milliseconds{1'000});
  }
  ~three_sinks() {
    stopped = false;
    parts.stop();
    deliver_all();
  }
  three_sinks(const three_sinks&) = delete;
  three_sinks& operator=(const three_sinks&) = delete;

  /// Step by step; after each it is known what the mailboxes hold.
  void run_for(std::chrono::milliseconds time) {
    for (; time.count() > 0; time -= std::chrono::milliseconds{10}) {
      while (run_one())
        most = std::max(most, mailbox_bytes(parts.actors()));
      scheduler().advance_time(std::chrono::milliseconds{10});
    }
  }
  bool run_one() {
    auto& jobs = scheduler().jobs;
    auto held = std::find_if(jobs.begin(), jobs.end(), [&](auto* x) {
      return !(stopped && x == first_sink());
    });
    if (held == jobs.end())
      return false;
    std::rotate(jobs.begin(), held, held + 1);
    scheduler().run_once();
    return true;
  }
  caf::resumable* first_sink() {
    return dynamic_cast<caf::resumable*>(
      caf::actor_cast<caf::abstract_actor*>(parts.actors().sinks.at({1})));
  }
  std::size_t rows(std::size_t i) { return targets[i]->durable.rows[7].size(); }

  bool stopped = false;
  std::uint64_t most = 0;
  std::shared_ptr<endless_source> upstream = std::make_shared<endless_source>();
  std::vector<std::shared_ptr<memory_sink>> targets;
  wiring parts{system(), wiring::blocking::scheduled};
};

} // namespace

TEST_CASE_FIXTURE(three_sinks,
                  "Scenario: a stopped sink fills no mailbox beyond a window") {
  GIVEN("three feeds that have all there is") {
    upstream->last = 100;
    run_for(std::chrono::milliseconds{1'000});
    REQUIRE(rows(0) == 100);
    REQUIRE(rows(1) == 100);
    WHEN("the sink of one hangs while eight times the windows come") {
      stopped = true;
      auto more = 8 * windows / 512;
      upstream->last += more;
      run_for(std::chrono::milliseconds{2'000});
      THEN("its mailbox holds a credit, and all of them no more than windows") {
        CHECK(mailbox_bytes(parts.actors()) > credit / 2);
        CHECK(most <= windows);
      }
      THEN("the others have every row, and it has none of them") {
        CHECK(rows(0) == 100);
        CHECK(rows(1) == 100 + more);
        CHECK(rows(2) == 100 + more);
      }
      THEN("it gets every row in order when it goes on") {
        stopped = false;
        run_for(std::chrono::milliseconds{2'000});
        REQUIRE(rows(0) == 100 + more);
        const auto& all = targets[0]->durable.rows[7];
        CHECK(std::is_sorted(all.begin(), all.end()));
        CHECK(all == targets[1]->durable.rows[7]);
        CHECK(most <= windows);
      }
    }
  }
}
