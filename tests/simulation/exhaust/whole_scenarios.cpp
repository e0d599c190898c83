#include "tests/simulation/exhaust/scenarios.hpp"
#include "tests/simulation/exhaust/script.hpp"

/// Both shards, STORE, SCHEMAS and a sink.
namespace sluice::exploration {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

facts one_table() {
  auto result = facts{};
  result.add_table(1);
  result.add_block({{1, 20}, {1, 40}}, 50);
  result.add_block({{1, 60}}, 70);
  result.add_block({{1, 80}}, 90);
  result.add_block({{1, 100}}, 110);
  return result;
}

// In sync, rows 20 and 40 durable.
void start(world& w) {
  w.resolve_schemas(2'000);
  w.append();
  w.subscribe();
  w.add_table(1);
  w.drain();
  w.commit();
  w.drain();
}

scenario base(std::string name, facts truth) {
  auto result = scenario{};
  result.name = std::move(name);
  result.truth = std::move(truth);
  result.prepare = start;
  return result;
}

scenario late_and_back() {
  auto result = base("late_and_back", one_table());
  result.credit_bytes = 100;
  result.sink_commits = false;
  result.chains = {{append(), append()},
                   {commit(), commit()},
                   {tick_collector(milliseconds{200})}};
  result.holds = {rule::i5, rule::i7, rule::i9, rule::i16, rule::i18};
  result.reaches = {probe::feed_late};
  return result;
}

scenario late_and_reading() {
  auto result = late_and_back();
  result.name = "late_and_reading";
  result.window_bytes = 1;
  result.reaches = {probe::feed_late, probe::blocks_read};
  return result;
}

scenario gap_and_reset() {
  auto result = base("gap_and_reset", one_table());
  result.sink_commits = false;
  result.chains = {
    {append(), append()},
    {commit()},
    {lose_any(lane::shard_to_collector), lose_any(lane::shard_to_collector)},
    {lose_any(lane::collector_to_shard)}};
  result.holds = {rule::i9, rule::i12, rule::i14, rule::i27, rule::i31};
  result.reaches = {probe::gap_seen, probe::rows_known, probe::delivery_stale};
  return result;
}

// The window moves on while a scan is read: what is complete is only promised.
scenario small_window() {
  auto truth = facts{};
  truth.add_table(1);
  truth.add_table(2);
  truth.add_block({{1, 20}, {1, 40}}, 50);
  truth.add_block({{1, 60}}, 70);
  truth.add_block({{2, 80}}, 90);
  truth.add_block({{2, 100}}, 110);
  auto result = base("small_window", truth);
  result.prepare = [](world& w) {
    start(w);
    w.add_table(2);
  };
  result.window_bytes = 1;
  result.chains = {
    {append(), append(), append()},
    {lose<delivery>(lane::shard_to_collector, "link loses a delivery")}};
  result.holds = {rule::i5, rule::i7, rule::i9, rule::i31};
  result.reaches = {probe::gap_seen, probe::progress_in_scan, probe::joined};
  return result;
}

scenario sink_failure() {
  auto result = base("sink_failure", one_table());
  result.sink_commits = false;
  result.chains = {{append(), append()},
                   {commit(), fail_sink()},
                   {tick_collector(milliseconds{200})}};
  result.holds = {rule::i9, rule::i12, rule::i13, rule::i14, rule::i31};
  result.reaches = {probe::rows_taken_again, probe::delivery_stale};
  return result;
}

// The target is an older copy of itself: its position wins.
scenario restored_sink() {
  auto result = base("restored_sink", one_table());
  result.chains = {
    {append()},
    {restore_sink()},
    {tick_collector(milliseconds{200}), tick_collector(milliseconds{200})}};
  result.holds = {rule::i1, rule::i9, rule::i13, rule::i24, rule::i30};
  result.reaches = {probe::rows_taken_again};
  return result;
}

scenario lost_heartbeat() {
  auto result = base("lost_heartbeat", one_table());
  result.sink_commits = false;
  result.chains = {
    {append()},
    {tick_collector(milliseconds{200}), tick_collector(milliseconds{200})},
    {commit(), fail_sink()},
    {lose<heartbeat>(lane::collector_to_shard, "link loses a heartbeat")}};
  result.holds = {rule::i12, rule::i13, rule::i31};
  result.reaches = {probe::exception_lost};
  return result;
}

// A collector that was silent for too long registers anew.
scenario sweep() {
  auto result = base("sweep", one_table());
  result.prepare = [](world& w) {
    start(w);
    w.tick_collector(milliseconds{200});
    w.drain();
    w.tick_shard(hours{1});
  };
  result.chains = {
    {append()},
    {tick_shard(hours{1}), tick_shard(hours{2})},
    {tick_collector(milliseconds{200})},
    {lose<unknown_registration>(lane::shard_to_collector, "link loses it")}};
  result.holds = {rule::i9, rule::i24, rule::i30, rule::i31};
  result.reaches = {probe::swept};
  return result;
}

scenario late_table() {
  auto truth = facts{};
  truth.add_table(1);
  truth.add_table(2);
  truth.add_block({{1, 20}, {2, 30}, {2, 40}}, 50);
  truth.add_block({{2, 60}}, 70);
  auto result = base("late_table", truth);
  result.chains = {{add_table(2), tick_collector(milliseconds{200})},
                   {append()},
                   {commit()},
                   {tick_shard(milliseconds{500})}};
  result.sink_commits = false;
  result.holds = {rule::i5, rule::i9, rule::i12};
  result.reaches = {probe::joined};
  return result;
}

} // namespace

void add_whole(std::vector<scenario>& to) {
  for (auto make :
       {late_and_back, late_and_reading, gap_and_reset, small_window,
        sink_failure, restored_sink, lost_heartbeat, sweep, late_table})
    to.push_back(make());
}

} // namespace sluice::exploration
