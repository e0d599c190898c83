#include "collector_fixture.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

// The link to the dispatcher shard is cut, or the shard is gone.

namespace {

struct link_fixture : collector_fixture {
  channel_id old;

  link_fixture() {
    open({}, 10);
    make_ready();
    shake(10);
    send(2, block_of({{7, 20}, {7, 30}}), 29);
    old = channel;
  }
  void lose() {
    keep(uut.on_channel_lost(channel, now));
    note();
    seq = 0;
  }
};

} // namespace

TEST_CASE_FIXTURE(link_fixture, "streams of a lost channel register anew") {
  auto before = registration;
  lose();
  CHECK(channel > old);
  REQUIRE(look<register_dispatchers>().size() == 1);
  auto entry = look<register_dispatchers>()[0].entries.at(0);
  CHECK(entry.id != before);
  CHECK(entry.start_ts == timestamp{10}); // what the target has
}

TEST_CASE_FIXTURE(link_fixture, "a lost channel that was left is no news") {
  lose();
  keep(uut.on_channel_lost(old, now));
  CHECK(sent.empty());
}

TEST_CASE_FIXTURE(link_fixture, "rows at the sink are not written again") {
  lose();
  make_ready();
  shake(10);
  send(2, block_of({{7, 20}, {7, 30}, {7, 40}}), 39);
  auto batches = look<write_rows>();
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].items.at(0).count == 1);
}

TEST_CASE_FIXTURE(link_fixture, "what was under way to the sink still counts") {
  lose();
  durable(1, 10);
  CHECK(uut.status(feed).rows_durable == 2);
  CHECK(uut.status(feed).unflushed.at(0).rows_in_flight == 0);
}

TEST_CASE_FIXTURE(link_fixture, "what of the old channel comes has no effect") {
  auto late = mark();
  lose();
  keep(uut.on_watermark({late, {{90}, {}}, {}, {}}, now));
  CHECK(sent.empty());
  CHECK(uut.effective_resolved(feed, {7}) == timestamp{10});
}

TEST_CASE_FIXTURE(link_fixture, "a stranger whose REMOVE was lost: digest") {
  keep(uut.on_unknown({channel, registration}, now)); // REMOVE, REGISTER
  note();
  make_ready(1);
  shake(10);
  advance(1'000ms);
  auto beats = look<heartbeat>();
  REQUIRE(beats.size() == 1);
  auto x = watermark{mark(), {{60}, {}}, {}, {}, 2}; // it may not have arrived
  keep(uut.on_watermark(x, now));
  CHECK(look<digest_request>().empty());
  // The shard has seen what we sent after the REMOVE, and has two streams.
  x.mark = mark();
  x.mark.acked_up = beats[0].up_seq;
  x.promise.resolved = {70};
  keep(uut.on_watermark(x, now));
  CHECK(look<digest_request>().size() == 1);
  advance(200ms);
  CHECK(look<heartbeat>()[0].acked == x.mark.seq.previous());
}

TEST_CASE_FIXTURE(link_fixture, "the status does not fall with the channel") {
  lose();
  CHECK(uut.status(feed).resolved == timestamp{10});
}
