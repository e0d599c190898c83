#include <doctest/doctest.h>

#include "actors/downlink_state.hpp"
#include "actors/uplink_state.hpp"

using namespace sluice;

// Both ends of a channel: downlink_state at DISPATCHER_SHARD, uplink_state at
// COLLECTOR_SHARD, and what a feed's heartbeats say in bulk.

namespace {

using arrival = uplink_state::arrival;

constexpr auto channel = channel_id{1, 1};
constexpr auto feed = feed_id{1};

struct both {
  downlink_state down{channel};
  uplink_state up{channel, {1}, 100};

  channel_mark mark(std::uint64_t seq) { return {channel, {seq}, {}, {}}; }
  arrival arrive(std::uint64_t seq) { return up.on_mark(mark(seq)); }
  // A watermark goes down; its channel_seq.
  channel_seq promise(std::uint64_t resolved) {
    auto seq = down.next().seq;
    down.promised({{resolved}, {}});
    return seq;
  }
};

std::vector<feed_checkpoint> part(std::uint64_t checkpoint) {
  return {{feed, {checkpoint}, {}}};
}

} // namespace

// -- down ---------------------------------------------------------------------

TEST_CASE_FIXTURE(both, "messages down a channel are numbered without gap") {
  CHECK(down.open());
  CHECK(down.next().seq == channel_seq{1});
  CHECK(down.next().seq == channel_seq{2});
  CHECK(down.last() == channel_seq{2});
  CHECK_FALSE(downlink_state{}.open());
}

TEST_CASE_FIXTURE(both, "a message that is not above the highest is dropped") {
  CHECK(arrive(1) == arrival::in_order);
  CHECK(arrive(1) == arrival::old);
  CHECK(arrive(2) == arrival::in_order);
  CHECK(arrive(1) == arrival::old);
  CHECK(up.acknowledged() == channel_seq{2});
}

TEST_CASE_FIXTURE(both, "an old mark returns no credit") {
  up.credit.add(feed);
  arrive(1);
  CHECK(up.on_mark({channel, {1}, {}, {{feed, 50}}}) == arrival::old);
  CHECK(up.credit.granted()[0].total == 100);
}

TEST_CASE_FIXTURE(both, "a mark of another channel is dropped") {
  CHECK(up.on_mark({{1, 2}, {1}, {}, {}}) == arrival::old);
}

TEST_CASE_FIXTURE(both, "a gap stops the acknowledgements until a digest") {
  arrive(1);
  CHECK(arrive(3) == arrival::gap);
  CHECK(up.in_doubt());
  CHECK(up.acknowledged() == channel_seq{1});
  CHECK(arrive(4) == arrival::in_order);
  CHECK(up.acknowledged() == channel_seq{1});
  CHECK(arrive(5) == arrival::in_order); // the digest
  up.on_digest(mark(5));
  CHECK_FALSE(up.in_doubt());
  CHECK(up.acknowledged() == channel_seq{5});
  CHECK(arrive(6) == arrival::in_order);
  CHECK(up.acknowledged() == channel_seq{6});
}

TEST_CASE_FIXTURE(both, "a channel's resolved only rises") {
  up.on_promise({{50}, {}});
  up.on_promise({{40}, {}});
  CHECK(up.resolved(feed) == timestamp{50});
}

TEST_CASE_FIXTURE(both, "a late feed stays where it is, and then goes on") {
  up.on_promise({{50}, {}});
  up.on_promise({{70}, {{feed, {60}}}});
  CHECK(up.resolved(feed) == timestamp{60});
  CHECK(up.resolved({99}) == timestamp{70});
  up.on_promise({{80}, {{feed, {55}}}});
  CHECK(up.resolved(feed) == timestamp{60});
  up.on_promise({{90}, {}});
  CHECK(up.resolved(feed) == timestamp{90});
}

TEST_CASE_FIXTURE(both,
                  "the shard knows what was resolved where acknowledged") {
  promise(40);                    // 1
  static_cast<void>(down.next()); // 2
  promise(60);                    // 3
  CHECK(down.resolved() == timestamp{60});
  CHECK(down.acknowledged_resolved(feed) == timestamp{0});
  down.on_acknowledged({2});
  CHECK(down.acknowledged_resolved(feed) == timestamp{40});
  down.on_acknowledged({1}); // late
  CHECK(down.acknowledged() == channel_seq{2});
  down.on_acknowledged({3});
  CHECK(down.acknowledged_resolved(feed) == timestamp{60});
  CHECK(down.resolved() == timestamp{60});
}

TEST_CASE_FIXTURE(both, "what a silent collector was promised is bounded") {
  for (std::uint64_t ts = 1; ts <= 3'000; ++ts)
    promise(ts);
  CHECK(down.resolved(feed) == timestamp{3'000});
  down.on_acknowledged({500});
  CHECK(down.acknowledged_resolved(feed) == timestamp{500});
  down.on_acknowledged({2'000}); // of these the last one speaks
  CHECK(down.acknowledged_resolved(feed) == timestamp{1'023});
  down.on_acknowledged({3'000});
  CHECK(down.acknowledged_resolved(feed) == timestamp{3'000});
}

TEST_CASE_FIXTURE(both, "more than was sent can't be acknowledged") {
  promise(40);
  down.on_acknowledged({9});
  CHECK(down.acknowledged() == channel_seq{1});
}

TEST_CASE_FIXTURE(both, "what is not acknowledged is repeated") {
  CHECK_FALSE(down.unacknowledged());
  promise(40);
  CHECK(down.unacknowledged());
  down.on_acknowledged({1});
  CHECK_FALSE(down.unacknowledged());
}

// -- up -----------------------------------------------------------------------

TEST_CASE_FIXTURE(both, "a message up that came before is dropped") {
  CHECK(down.on_up({1}));
  CHECK_FALSE(down.on_up({1}));
  CHECK(down.on_up({3})); // one was lost: the next one says it all
  CHECK_FALSE(down.on_up({2}));
}

TEST_CASE_FIXTURE(both, "a message up is acknowledged by the next one down") {
  down.on_up({1});
  CHECK_FALSE(down.unacknowledged()); // it was only an acknowledgement
  down.owe_acknowledgement();
  CHECK(down.unacknowledged());
  CHECK(down.next().acked_up == channel_seq{1});
  down.on_acknowledged({1});
  CHECK_FALSE(down.unacknowledged());
}

TEST_CASE_FIXTURE(both, "a heartbeat that says nothing new is not sent") {
  up.credit.add(feed);
  CHECK(up.worth_sending(part(0), false));
  auto beat = up.make_heartbeat(part(0));
  CHECK(beat.up_seq == channel_seq{1});
  CHECK(beat.granted == std::vector<feed_grant>{{feed, 100, 100}});
  CHECK_FALSE(up.worth_sending(part(0), false));
  CHECK(up.worth_sending(part(40), false));
}

TEST_CASE_FIXTURE(both, "an acknowledgement alone is worth a heartbeat") {
  static_cast<void>(up.make_heartbeat(part(0)));
  arrive(1);
  CHECK(up.worth_sending(part(0), false));
  CHECK(up.make_heartbeat(part(0)).acked == channel_seq{1});
  CHECK_FALSE(up.worth_sending(part(0), false));
}

TEST_CASE_FIXTURE(both, "a heartbeat is repeated until the shard has seen it") {
  static_cast<void>(up.make_heartbeat(part(40)));
  CHECK_FALSE(up.worth_sending(part(40), false));
  CHECK(up.worth_sending(part(40), true));
  CHECK(up.on_mark({channel, {1}, {1}, {}}) == arrival::in_order);
  static_cast<void>(up.make_heartbeat(part(40))); // acknowledges 1
  CHECK_FALSE(up.worth_sending(part(40), true));
}

TEST_CASE_FIXTURE(both, "a credit message counts as news until it is seen") {
  up.credit.add(feed);
  static_cast<void>(up.make_heartbeat({}));
  auto grant = up.make_credit();
  CHECK(grant.up_seq == channel_seq{2});
  CHECK(up.on_mark({channel, {1}, {1}, {}}) == arrival::in_order);
  static_cast<void>(up.make_heartbeat({}));
  CHECK(up.worth_sending({}, true));
  CHECK(up.on_mark({channel, {2}, {2}, {}}) == arrival::in_order);
  static_cast<void>(up.make_heartbeat({}));
  CHECK_FALSE(up.worth_sending({}, true));
}

// -- in bulk ------------------------------------------------------------------

TEST_CASE("the bulk value speaks for streams in sync since before the ack") {
  auto uut = bulk_checkpoint{};
  CHECK(uut.on_heartbeat({9}, {60}, {}));
  CHECK(uut.covers({0}, {9}));
  CHECK_FALSE(uut.covers({0}, {10})); // caught up after it
  CHECK_FALSE(uut.covers({0}, {}));   // behind
}

TEST_CASE("the bulk value does not speak for its exceptions") {
  auto uut = bulk_checkpoint{};
  CHECK(uut.on_heartbeat({9}, {60}, {{{1}, {1}, {40}}}));
  CHECK(uut.covers({0}, {5}));
  CHECK_FALSE(uut.covers({1}, {5}));
  CHECK(uut.exceptions().size() == 1);
  CHECK(uut.on_heartbeat({9}, {60}, {})); // complete, not a difference
  CHECK(uut.covers({1}, {5}));
}

TEST_CASE("a lower bulk value is believed: the sink is an older copy") {
  auto uut = bulk_checkpoint{};
  CHECK(uut.on_heartbeat({9}, {60}, {}));
  CHECK_FALSE(uut.on_heartbeat({7}, {60}, {}));
  CHECK(uut.on_heartbeat({9}, {40}, {}));
  CHECK(uut.value() == timestamp{40});
  CHECK(uut.covers({0}, {9}));
}
