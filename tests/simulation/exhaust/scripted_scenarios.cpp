#include "tests/simulation/exhaust/scenarios.hpp"
#include "tests/simulation/exhaust/script.hpp"

/// SHARD, STORE and SCHEMAS under a collector that says what the script says,
/// also what ours never would.
namespace sluice::exploration {

namespace {

using std::chrono::hours;

// Rows at 20 and 40, then 60, then 80.
facts one_table() {
  auto result = facts{};
  result.add_table(1);
  result.add_block({{1, 20}, {1, 40}}, 50);
  result.add_block({{1, 60}}, 70);
  result.add_block({{1, 80}}, 90);
  return result;
}

void start(world& w) {
  w.resolve_schemas(2'000);
  w.append();
  w.drain();
  join(w, 1, 1, 0);
}

scenario base(std::string name, facts truth) {
  auto result = scenario{};
  result.name = std::move(name);
  result.truth = std::move(truth);
  result.scripted = true;
  result.prepare = start;
  return result;
}

// pingcap/ticdc#4492: two resets, and what came between them.
scenario two_resets() {
  auto result = base("two_resets", one_table());
  result.chains = {{beat(1, 1, 20), reset(1, 2, 0), beat(1, 2, 40),
                    reset(1, 3, 19), beat(1, 3, 60)},
                   {append(), append(), release()}};
  result.holds = {rule::i1, rule::i2, rule::i3,  rule::i4,  rule::i5,
                  rule::i6, rule::i8, rule::i11, rule::i15, rule::i18};
  result.reaches = {probe::look_up_overtaken, probe::scan_overtaken,
                    probe::progress_in_scan, probe::report_before_scan};
  return result;
}

scenario slow_look_up() {
  auto truth = facts{};
  truth.add_table(1);
  truth.add_ddl(1, 30);
  truth.add_block({{1, 20}, {1, 40, 0, 2}}, 50);
  truth.add_block({{1, 60, 0, 2}}, 70);
  auto result = base("slow_look_up", truth);
  result.prepare = [](world& w) {
    w.declare({1});
    start(w);
  };
  result.chains = {{reset(1, 2, 10), beat(1, 2, 48), beat(1, 1, 20),
                    beat_all(45), reset(1, 3, 10)},
                   {append()},
                   {release()}};
  result.holds = {rule::i1, rule::i2, rule::i4, rule::i10, rule::i15};
  result.reaches = {probe::heartbeat_in_look_up, probe::look_up_repeated,
                    probe::heartbeat_of_old_epoch,
                    probe::heartbeat_of_next_epoch};
  return result;
}

// What is not true must not be believed.
scenario false_heartbeats() {
  auto result = base("false_heartbeats", one_table());
  result.chains = {{beat(1, 1, 1'000), beat(1, 1, 20), reset(1, 2, 10),
                    beat(1, 1, 60), beat(1, 2, 1'000), reset(1, 3, 10)},
                   {append(), append()}};
  result.holds = {rule::i1, rule::i2, rule::i10};
  result.reaches = {probe::heartbeat_of_old_epoch,
                    probe::heartbeat_of_next_epoch};
  return result;
}

scenario registrations() {
  auto result = base("registrations", one_table());
  result.prepare = [](world& w) {
    start(w);
    w.append(); // not acknowledged
    w.drain();
    w.tick_shard(hours{1});
  };
  result.chains = {{enter(1, 1, 0), enter(2, 1, 20), enter(3, 1, 20)},
                   {leave(2), reset(1, 2, 20), reset(3, 1, 20)},
                   {tick_shard(hours{2})},
                   {append()}};
  result.holds = {rule::i24, rule::i25, rule::i30};
  result.reaches = {probe::remove_before_register, probe::register_repeated,
                    probe::taken_over, probe::swept};
  return result;
}

scenario little_credit() {
  auto result = base("little_credit", one_table());
  result.prepare = [](world& w) {
    w.resolve_schemas(2'000);
    w.append();
    w.drain();
    grant(60).act(w);
    enter(1, 1, 0).act(w);
    reset(1, 1, 0).act(w);
  };
  result.chains = {{grant(120), reset(1, 2, 0), grant(180), grant(400)},
                   {append(), append()},
                   {release()}};
  result.holds = {rule::i7, rule::i8, rule::i18, rule::i23};
  result.reaches = {probe::starved, probe::credit_in_scan,
                    probe::scan_overtaken};
  return result;
}

scenario old_watermark() {
  auto result = base("old_watermark", one_table());
  result.chains = {
    {reset(1, 2, 10), beat_all(50), reset(1, 3, 10), beat_all(50)},
    {append(), append()}};
  result.holds = {rule::i1, rule::i2, rule::i4};
  result.reaches = {probe::old_ack_in_new_epoch};
  return result;
}

scenario idle_ddl() {
  auto truth = facts{};
  truth.add_table(1);
  truth.add_ddl(1, 950);
  truth.add_block({{1, 20}, {1, 40}}, 900);
  truth.add_block({}, 1'000);
  truth.add_block({{1, 1'100, 0, 2}}, 1'200);
  auto result = base("idle_ddl", truth);
  result.prepare = [](world& w) {
    w.resolve_schemas(900);
    w.append();
    w.drain();
    join(w, 1, 1, 0);
  };
  result.chains = {{declare(1), resolve_schemas(1'000)},
                   {append(), append()},
                   {reset(1, 2, 40)}};
  // Rows of a new version come after the acknowledgement.
  result.chains[1][1].touches |= only(role::schemas);
  result.chains[1][1].when = [](const world& w) { return w.declared({1}); };
  result.holds = {rule::i5, rule::i16, rule::i17};
  result.reaches = {probe::ddl_while_idle};
  return result;
}

// A reset behind the end of a table: it has no schema any more.
scenario dropped_table() {
  auto truth = facts{};
  truth.add_table(1);
  truth.add_ddl(1, 60, true);
  truth.add_block({{1, 20}, {1, 40}}, 50);
  truth.add_block({}, 70);
  truth.add_block({}, 90);
  auto result = base("dropped_table", truth);
  result.prepare = [](world& w) {
    w.resolve_schemas(50);
    w.append();
    w.drain();
    join(w, 1, 1, 0);
  };
  result.chains = {{declare(1), resolve_schemas(70)},
                   {append(), append()},
                   {reset(1, 2, 65), beat(1, 1, 70)}};
  result.holds = {rule::i4, rule::i5, rule::i16, rule::i17, rule::i24};
  result.reaches = {probe::ddl_while_idle, probe::heartbeat_in_look_up};
  return result;
}

scenario late_dispatcher() {
  auto truth = facts{};
  truth.add_table(1);
  truth.add_table(2);
  truth.add_block({{1, 20}, {2, 30}, {2, 40}}, 50);
  truth.add_block({{2, 60}}, 70);
  truth.add_block({{1, 80}, {2, 81}}, 90);
  auto result = base("late_dispatcher", truth);
  result.chains = {{enter(2, 2, 30), beat_all(50), reset(2, 1, 30),
                    beat_all(50), reset(2, 2, 30)},
                   {append(), append()}};
  result.holds = {rule::i1, rule::i2, rule::i5, rule::i8};
  result.reaches = {probe::heartbeat_before_epoch, probe::joined};
  return result;
}

// The collector starts again while it has streams that wait for a scan.
scenario new_channel() {
  auto truth = facts{};
  truth.add_table(1);
  truth.add_table(2);
  truth.add_block({{1, 20}, {2, 30}}, 50);
  truth.add_block({{1, 60}, {2, 61}}, 70);
  auto result = base("new_channel", truth);
  result.prepare = [](world& w) {
    start(w);
    join(w, 2, 2, 0);
  };
  result.chains = {{reset(1, 2, 0), reset(2, 2, 0), reconnect(), enter(4, 1, 0),
                    enter(3, 2, 0), reset(3, 1, 0), reset(4, 1, 0),
                    grant(1U << 30U)},
                   {append()}};
  result.holds = {rule::i3,  rule::i4,  rule::i5,  rule::i8, rule::i23,
                  rule::i24, rule::i25, rule::i30, rule::i32};
  result.reaches = {probe::channel_ends_in_scan, probe::joined};
  return result;
}

// A scan ends, and the fast path begins, between rows of one commit_ts.
scenario hand_over() {
  auto truth = facts{};
  truth.add_table(1);
  truth.add_block({{1, 20}, {1, 60, 1}}, 59);
  truth.add_block({{1, 60, 2}}, 59);
  truth.add_block({{1, 60, 3}, {1, 61}}, 70);
  truth.add_block({{1, 80}}, 90);
  auto result = base("hand_over", truth);
  result.chains = {{reset(1, 2, 20), beat(1, 2, 59), reset(1, 3, 20)},
                   {append(), append(), append()}};
  result.holds = {rule::i5, rule::i7, rule::i8};
  result.reaches = {probe::joined_in_commit, probe::progress_in_scan};
  return result;
}

} // namespace

void add_scripted(std::vector<scenario>& to) {
  for (auto make : {two_resets, slow_look_up, false_heartbeats, registrations,
                    little_credit, old_watermark, idle_ddl, dropped_table,
                    late_dispatcher, new_channel, hand_over})
    to.push_back(make());
}

} // namespace sluice::exploration
