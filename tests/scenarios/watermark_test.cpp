#include "serving_side.hpp"

using namespace sluice;
using namespace sluice::test;

// Schedules that a wrong version of the watermarks gets wrong, on the real
// actors of the serving side.

namespace {

struct fixture : serving_side {
  /// The last watermark; its channel_seq is what a collector acknowledges.
  watermark last_watermark() {
    auto all = collector.take<watermark>();
    REQUIRE_FALSE(all.empty());
    return all.back();
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "a lost handshake comes with the next reset") {
  append({20, 40}, 50);
  add(0);
  reset(1, 0);
  REQUIRE(take_handshake()); // lost, with all behind it
  collector.take<delivery>();
  reset(2, 0); // the collector's timer
  auto hello = take_handshake();
  REQUIRE(hello);
  CHECK(hello->stream_epoch == epoch{2});
  CHECK(hello->lower_bound == timestamp{0});
  CHECK(rows(2) == rows_at{20, 40});
}

TEST_CASE_FIXTURE(fixture,
                  "a watermark from before a reset gives no checkpoint") {
  append({20, 40}, 50);
  add(0);
  reset(1, 0);
  append({}, 1'000);
  auto before = last_watermark();
  REQUIRE(before.promise.resolved == timestamp{1'000});
  reset(2, 10); // sent before that watermark arrived
  beat_all(before.mark.seq.value, 1'000);
  reset(3, 10);
  CHECK(resets().back().lower_bound == timestamp{10});
  CHECK(rows(3) == rows_at{20, 40});
}

TEST_CASE_FIXTURE(fixture, "a lost heartbeat with an exception loses no row") {
  append({20, 40}, 50);
  add(0);
  reset(1, 0);
  auto acked = last_watermark().mark.seq.value;
  ++up; // {all: 50, except table 7: 20}, lost
  auto part = feed_checkpoint{feed, {50}, {{slots[first], {1}, {20}}}};
  tell(collector, shard, heartbeat{channel, {++up}, {acked}, {part}, {}});
  reset(2, 0);
  CHECK(resets().back().lower_bound == timestamp{20});
  CHECK(rows(2) == rows_at{40});
}

TEST_CASE_FIXTURE(fixture, "an idle table's DDL goes before the watermark") {
  append({20}, 900);
  add(0);
  reset(1, 0);
  collector.take<watermark>();
  tell(source, schemas, declaration_of({ddl(7, 2, 950)}));
  CHECK(collector.take<schema_change>().empty());
  append({}, 1'000);
  auto change = collector.take<schema_change>();
  REQUIRE(change.size() == 1);
  auto mark = last_watermark();
  CHECK(mark.promise.resolved == timestamp{1'000});
  CHECK(change[0].mark.seq < mark.mark.seq);
}

TEST_CASE_FIXTURE(fixture,
                  "a late dispatcher does not take the channel's word") {
  append({20, 40}, 1'000);
  add(500);
  reset(1, 500);
  auto acked = last_watermark().mark.seq.value;
  beat_all(acked, 1'000);
  auto second = registration_id{1, 2};
  add(30, second, 2); // the same table, at an old ts
  collector.take<watermark>();
  reset(1, 30, second);
  beat_all(acked, 1'000); // acknowledges nothing of the second one
  reset(2, 30, second);
  CHECK(resets().back().lower_bound == timestamp{30});
  CHECK(rows(2) == rows_at{40});
}

TEST_CASE_FIXTURE(fixture, "a watermark that is not acknowledged is repeated") {
  append({20}, 50);
  add(0);
  reset(1, 0);
  auto mark = last_watermark();
  pass_time();
  auto again = last_watermark();
  CHECK(again.promise.resolved == mark.promise.resolved);
  CHECK(again.mark.seq > mark.mark.seq);
  beat_all(again.mark.seq.value, 50);
  pass_time();
  for (const auto& x : collector.take<watermark>())
    beat_all(x.mark.seq.value, 50);
  pass_time();
  CHECK(collector.take<watermark>().empty()); // quiet
}
