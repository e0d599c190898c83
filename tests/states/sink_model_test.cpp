#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <utility>

#include <doctest/doctest.h>

#include "actors/sinks/callback_sink_state.hpp"
#include "actors/sinks/connector_sink_state.hpp"
#include "messages/control.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/sink_samples.hpp"

/// Both sinks under random schedules, with failures: nothing is stored that a
/// crash would not find, and everything gets there in the end.
using namespace sluice;
using namespace sluice::samples;
using namespace std::chrono_literals;

namespace {

using duration = std::chrono::nanoseconds;
using row = std::pair<table_id, std::uint64_t>; // and its commit_ts

template <class... Ts>
struct overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
overloaded(Ts...) -> overloaded<Ts...>;

// The sink's mailbox and clock, and a collector shard that sends the rows
// 1, 2, 3, ... of two tables and starts over from what the target says.
struct world {
  using message =
    std::variant<open_sink, write_rows, store_watermark, acknowledge, tick>;
  static constexpr std::uint64_t rows_max = 60;

  std::mt19937 random;
  duration now{1s};
  std::deque<message> mailbox;
  std::multimap<duration, tick> timers;
  // -- the sender
  incarnation writer;
  std::uint64_t batch = 0;
  std::uint64_t sent = 0; // all rows <= it, of both tables
  std::map<table_id, std::uint64_t> known;
  std::map<table_id, std::uint64_t> barrier;
  std::vector<schema_ptr> schemas; // that the sink was not told
  // -- the target
  incarnation newest;
  std::map<table_id, table_position> positions;
  timestamp low;

  explicit world(unsigned seed) : random{seed} {
    mailbox.emplace_back(open_sink{});
  }

  static table_id table_of(std::uint64_t ts) { return {1 + ts % 3 / 2}; }
  bool chance(unsigned percent) { return random() % 100 < percent; }
  status maybe(unsigned percent) {
    return chance(percent) ? status{fail(errc::sink_unavailable, "away")}
                           : status{};
  }
  void arm(duration delay) {
    if (delay == 0s)
      mailbox.emplace_back(tick{});
    else
      timers.emplace(now + delay, tick{});
  }
  expected<sink_opened> opened() {
    newest = newest.next();
    auto result = sink_opened{newest, {}, low};
    // What the low watermark covers may be left out.
    for (const auto& [table, x] : positions)
      if (x.cursor.commit_ts > low || x.checkpoint > low || chance(50))
        result.positions.push_back(x);
    if (auto ok = maybe(10); !ok)
      return tl::unexpected{ok.error()};
    return result;
  }
  void on_opened(const sink_opened& x) {
    writer = x.writer;
    batch = 0;
    sent = rows_max;
    schemas = {schema_of(1), schema_of(2)};
    for (auto id : {table_id{1}, table_id{2}}) {
      known[id] = barrier[id] = x.low_watermark.value;
      for (const auto& position : x.positions)
        if (position.table == id) {
          known[id] = std::max(known[id], position.checkpoint.value);
          barrier[id] = std::max(
            {barrier[id], known[id], position.cursor.commit_ts.value});
        }
      sent = std::min(sent, known[id]);
    }
  }
  void on_failed() {
    writer = {};
    mailbox.emplace_back(open_sink{});
  }
  // Rows of both tables; those that the target has are left out, and of a
  // cohort's those, too, that are at or below its cursor.
  void send_rows() {
    auto items = std::vector<write_item>{};
    auto of_cohort = std::vector<row>{};
    auto together = chance(50);
    for (auto n = 1 + random() % 5; n > 0 && sent < rows_max; --n) {
      auto table = table_of(++sent);
      if (together && sent > barrier[table])
        of_cohort.emplace_back(table, sent);
      else if (!together && sent > known[table])
        items.push_back(item(table.value, {sent}));
    }
    auto rows = write_rows{writer, batch + 1, std::move(items)};
    if (!of_cohort.empty())
      rows.cohort.push_back(cohort_of(of_cohort));
    if (!rows.items.empty() || !rows.cohort.empty()) {
      rows.schemas = std::exchange(schemas, {});
      ++batch;
      mailbox.emplace_back(std::move(rows));
    }
    if (chance(30))
      mailbox.emplace_back(store_watermark{writer, {sent}});
  }
  void step_time() {
    if (timers.empty() || !chance(30))
      return;
    now = std::max(now, timers.begin()->first);
    mailbox.emplace_back(timers.begin()->second);
    timers.erase(timers.begin());
  }
  // A start from what the target says would not bring it again.
  [[nodiscard]] bool promised(const row& x) const {
    auto at = positions.find(x.first);
    return x.second <= low.value
           || (at != positions.end()
               && x.second <= at->second.checkpoint.value);
  }
  // What the target says is done must be among `rows`.
  void check_promises(const std::set<row>& rows) const {
    for (std::uint64_t ts = 1; ts <= rows_max; ++ts)
      if (auto x = row{table_of(ts), ts}; promised(x))
        REQUIRE(rows.count(x) == 1);
  }
  void store(const std::vector<table_position>& with,
             std::optional<timestamp> watermark) {
    for (const auto& x : with)
      positions[x.table] = x;
    REQUIRE(watermark.value_or(low) >= low);
    low = watermark.value_or(low);
  }
  // The rows of a batch that are new to the target.
  template <class Rows>
  std::vector<row> fresh(const Rows& rows) const {
    auto result = std::vector<row>{};
    test::each_row(rows, [&](row_view x) {
      auto at = positions.find(x.table());
      auto ts = x.commit_ts().value;
      if (at == positions.end() || ts > at->second.cursor.commit_ts.value)
        result.emplace_back(x.table(), ts);
    });
    return result;
  }
};

struct connector_world : world {
  connector_sink_state uut{connector_sink_options{8, 100ms}};
  std::vector<row> open;
  std::set<row> rows;
  std::uint64_t durable = 0;

  using world::world;

  void perform(connector_sink_state::effects effects) {
    for (auto& effect : effects)
      std::visit(overloaded{
                   [&](connector_sink_state::connect&) {
                     open.clear();
                     perform(uut.on_connected(opened()));
                   },
                   [&](connector_sink_state::write_target& x) {
                     for (auto& y : fresh(held_changes{
                            x.items, {}, nullptr, {}, {}, 0, false}))
                       open.push_back(y);
                     perform(uut.on_written(maybe(3), now));
                   },
                   [&](connector_sink_state::commit_target& x) {
                     auto ok = maybe(3);
                     if (ok) {
                       for (auto& y : std::exchange(open, {}))
                         REQUIRE(rows.insert(y).second); // exactly once
                       store(x.positions, x.low_watermark);
                       check_promises(rows);
                     }
                     perform(uut.on_committed(ok, now));
                   },
                   [&](connector_sink_state::tick_after& x) { arm(x.delay); },
                   [&](sink_opened& x) { on_opened(x); },
                   [&](sink_failed&) { on_failed(); },
                   [&](rows_released& x) { REQUIRE(x.batch <= batch); },
                   [&](rows_durable& x) {
                     durable = x.batch;
                     REQUIRE(x.low_watermark == low);
                   },
                 },
                 effect);
  }
  void handle_one() {
    auto x = std::move(mailbox.front());
    mailbox.pop_front();
    std::visit(
      overloaded{
        [&](open_sink& y) { perform(uut.on_open_sink(y)); },
        [&](write_rows& y) { perform(uut.on_write_rows(std::move(y))); },
        [&](store_watermark& y) { perform(uut.on_store_watermark(y, now)); },
        [&](acknowledge&) { /* nop */ },
        [&](tick&) { perform(uut.on_tick(now)); },
      },
      x);
  }
};

struct callback_world : world {
  callback_sink_state uut{options()};
  std::map<std::uint64_t, std::vector<row>> handed; // by batch
  std::map<std::uint64_t, std::vector<row>> given;  // the same, until durable
  std::set<row> rows;                               // acknowledged
  std::uint64_t durable = 0;                        // of this writer
  std::uint64_t acked = 0;                          // as the sink heard it

  using world::world;

  static callback_sink_options options() { return {50ms, 20ms}; }

  // The consumer acknowledges some batch that it has, and all before.
  void acknowledge_some() {
    if (handed.empty())
      return;
    auto at = handed.begin();
    std::advance(at, random() % handed.size());
    mailbox.emplace_back(acknowledge{writer, at->first});
    for (auto i = handed.begin(); i != std::next(at); ++i)
      rows.insert(i->second.begin(), i->second.end());
    handed.erase(handed.begin(), std::next(at));
  }
  // The process ends: what was not stored is gone.
  void kill() {
    uut = callback_sink_state{options()};
    handed.clear();
    mailbox.clear();
    timers.clear();
    on_failed();
  }
  // It ends in good order: what was acknowledged does not come again.
  void stop() {
    auto refused = false;
    for (auto& x : uut.on_stop())
      refused = !stored(std::get<callback_sink_state::store_positions>(x));
    if (!refused && writer)
      check_durable(acked);
    kill();
  }
  void check_durable(std::uint64_t to) {
    while (!given.empty() && given.begin()->first <= to) {
      for (const auto& x : given.begin()->second)
        REQUIRE(promised(x));
      given.erase(given.begin());
    }
  }
  status stored(const callback_sink_state::store_positions& x) {
    now += std::chrono::milliseconds{random() % 5};
    auto ok = maybe(3);
    if (ok) {
      store(x.positions, x.low_watermark);
      check_promises(rows);
    }
    return ok;
  }
  void perform(callback_sink_state::effects effects) {
    for (auto& effect : effects)
      std::visit(overloaded{
                   [&](callback_sink_state::load_positions&) {
                     handed.clear();
                     perform(uut.on_loaded(opened()));
                   },
                   [&](callback_sink_state::call& x) {
                     auto got = fresh(x.rows);
                     auto all = std::size_t{0};
                     test::each_row(x.rows, [&](row_view) { ++all; });
                     REQUIRE(got.size() == all); // none comes again
                     given.emplace(x.answer.batch, got);
                     handed.emplace(x.answer.batch, std::move(got));
                     perform(uut.on_returned(x.answer, maybe(3)));
                   },
                   [&](callback_sink_state::store_positions& x) {
                     perform(uut.on_stored(x.writer, stored(x), now));
                   },
                   [&](callback_sink_state::tick_after& x) { arm(x.delay); },
                   [&](sink_opened& x) {
                     given.clear();
                     durable = acked = 0;
                     on_opened(x);
                   },
                   [&](sink_failed&) {
                     handed.clear();
                     on_failed();
                   },
                   [&](rows_released& x) { REQUIRE(x.batch <= batch); },
                   [&](rows_durable& x) {
                     REQUIRE(x.batch >= durable);
                     REQUIRE(x.low_watermark == low);
                     durable = x.batch;
                     check_durable(durable);
                   },
                 },
                 effect);
  }
  void handle_one() {
    auto x = std::move(mailbox.front());
    mailbox.pop_front();
    std::visit(
      overloaded{
        [&](open_sink& y) { perform(uut.on_open_sink(y)); },
        [&](write_rows& y) { perform(uut.on_write_rows(std::move(y), now)); },
        [&](store_watermark& y) { perform(uut.on_store_watermark(y, now)); },
        [&](acknowledge& y) {
          if (y.writer == writer)
            acked = std::max(acked, y.batch);
          perform(uut.on_acknowledge(y, now));
        },
        [&](tick&) { perform(uut.on_tick(now)); },
      },
      x);
  }
  // What befalls a consumer.
  void step() {
    if (chance(20))
      acknowledge_some();
    if (chance(1))
      chance(50) ? kill() : stop();
  }
};

// Runs until everything is durable; too many steps mean that nothing moves.
template <class World>
void run(World& x) {
  auto end = timestamp{World::rows_max};
  for (auto steps = 0; x.low != end; ++steps) {
    REQUIRE(steps < 20'000);
    if (x.writer && x.sent < World::rows_max && x.chance(20))
      x.send_rows();
    else if (x.writer && x.sent == World::rows_max && x.chance(10))
      x.mailbox.emplace_back(store_watermark{x.writer, end});
    if constexpr (std::is_same_v<World, callback_world>)
      x.step();
    if (!x.mailbox.empty())
      x.handle_one();
    x.step_time();
  }
  CHECK(x.rows.size() == World::rows_max);
}

} // namespace

TEST_CASE("a connector sink stores only what is there, in every schedule") {
  for (auto seed = 1U; seed <= 400; ++seed) {
    INFO("seed " << seed);
    auto x = connector_world{seed};
    run(x);
  }
}

TEST_CASE("a callback sink stores only what is acknowledged, in any schedule") {
  for (auto seed = 1U; seed <= 400; ++seed) {
    INFO("seed " << seed);
    auto x = callback_world{seed};
    run(x);
  }
}
