#include "collector_fixture.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

// A collector shard and its sinks: what is durable, what is reported, and
// what happens when a sink fails or comes back.

// -- heartbeat ----------------------------------------------------------------

TEST_CASE_FIXTURE(collector_fixture,
                  "a partition without tables of a feed holds it up no more") {
  start();
  auto other = info(8);
  other.partition = {2};
  keep(uut.on_tables({feed, {other}}, now));
  auto ask = look_one<register_dispatchers>();
  keep(uut.on_ready({ask.channel, ask.entries[0].id, {0}, {}}, now));
  keep(uut.on_refused(
    {ask.channel, ask.entries[0].id, errc::table_deleted, {20}, {}}, now));
  keep(uut.on_channel_lost(ask.channel, now));
  watermark_of(90);
  advance(200ms);
  CHECK(look_one<store_watermark>().ts == timestamp{90});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "rows under way are above the bulk value") {
  start();
  send(3, block_of({{7, 40}}), 39);
  CHECK(written() == rows_at{40});
  advance(200ms);
  auto part = look_one<heartbeat>().feeds.at(0);
  CHECK(part.checkpoint == timestamp{20});
  CHECK(part.exceptions.empty());
}

TEST_CASE_FIXTURE(
  collector_fixture,
  "a stream is an exception until its shard knows of the reset") {
  start();
  send(9, block_of({{7, 60}}), 59); // a gap
  restarted();
  advance(200ms);
  auto part = look_one<heartbeat>().feeds.at(0);
  CHECK(part.exceptions
        == std::vector<stream_checkpoint>{{asked.stream, {2}, {20}}});
  shake(20);
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).exceptions.empty());
}

TEST_CASE_FIXTURE(collector_fixture,
                  "of who is behind is said what is durable of its epoch") {
  start();
  watermark_of(50, {}, {{asked.stream, asked.stream_epoch, {3}}});
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).exceptions.empty());
  send(4, block_of({{7, 60}}), 59);
  durable(1, 20);
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).exceptions
        == std::vector<stream_checkpoint>{{asked.stream, {1}, {59}}});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "the bulk value is stored at the target first") {
  start();
  watermark_of(90);
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).checkpoint == timestamp{20});
  CHECK(look_one<store_watermark>().ts == timestamp{90});
  durable(0, 90);
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).checkpoint == timestamp{90});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a low watermark goes to the sink behind its rows") {
  start();
  send(3, block_of({{7, 40}}), 39);
  watermark_of(90);
  CHECK(look<store_watermark>().empty());
  advance(200ms);
  CHECK(look_one<store_watermark>().ts == timestamp{90});
  CHECK(look_one<heartbeat>().feeds.at(0).checkpoint == timestamp{20});
  durable(1, 90);
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).checkpoint == timestamp{90});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a late feed has a low watermark of its own") {
  start();
  keep(uut.on_watermark({mark(), {{90}, {{feed, {50}}}}, {}, {}}, now));
  advance(200ms);
  CHECK(look_one<store_watermark>().ts == timestamp{50});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "who registers below a low watermark holds the bulk value") {
  start();
  watermark_of(90);
  advance(200ms);
  REQUIRE(look_one<store_watermark>().ts == timestamp{90});
  keep(uut.on_unknown({channel, registration}, now));
  CHECK(look_one<register_dispatchers>().entries.at(0).start_ts
        == timestamp{20});
  durable(0, 90); // it was asked for before
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).checkpoint == timestamp{20});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "no low watermark above what a stream has that is behind") {
  start();
  send(3, block_of({{7, 40}}), 39);
  watermark_of(50, {}, {{asked.stream, asked.stream_epoch, {4}}});
  advance(200ms);
  for (const auto& x : look<store_watermark>())
    CHECK(x.ts < timestamp{40});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "no promise counts for rows that a sink has lost") {
  start();
  send(3, block_of({{7, 40}}), 40);
  watermark_of(60);
  fail();
  watermark_of(90);
  CHECK(uut.effective_resolved(feed, {7}) < timestamp{40});
}

TEST_CASE_FIXTURE(collector_fixture, "who has no broker is in no heartbeat") {
  open({position(20, 20)}, 20);
  advance(200ms);
  CHECK(look<heartbeat>().empty());
}

TEST_CASE("many rows durable are a heartbeat before its time") {
  auto all = collector_fixture{};
  auto options = collector_shard_options{};
  options.heartbeat_rows = 2;
  all.uut = collector_shard_state{options};
  all.keep(all.uut.on_subscribe({{all.feed, "f", per_table()}}));
  all.keep(all.uut.on_tables({all.feed, {all.info(7)}}, all.now));
  all.start();
  all.send(3, block_of({{7, 40}, {7, 60}}), 59);
  all.durable(1, 20);
  CHECK(all.look<heartbeat>().size() == 1);
}

TEST_CASE_FIXTURE(collector_fixture,
                  "an acknowledgement is repeated until seen") {
  start();
  advance(200ms);
  CHECK(look<heartbeat>().size() == 1);
  advance(200ms);
  CHECK(look<heartbeat>().size() == 1); // the shard has not seen it
  auto answer = watermark{mark(), {{20}, {}}, {}, {}, 1};
  answer.mark.acked_up = {9};
  keep(uut.on_watermark(answer, now));
  advance(200ms);
  CHECK(look<heartbeat>().size() == 1); // acknowledges that watermark
  advance(200ms);
  CHECK(look<heartbeat>().empty());
}

// -- a sink fails -------------------------------------------------------------

TEST_CASE_FIXTURE(collector_fixture,
                  "accepted rows that were lost come again") {
  start();
  send(3, block_of({{7, 40}, {7, 60}}), 60);
  watermark_of(60);
  fail();                               // before anything was durable
  CHECK(look<reset_streams>().empty()); // nobody could take the rows
  send(5, block_of({{7, 80}}), 80, {1});
  CHECK(written().empty());
  advance(100ms);
  CHECK(look<open_sink>().size() == 1);
  open({position(20, 20)}, 20, {4});
  restarted();
  CHECK(asked.reset_ts == timestamp{20});
  shake(20);
  send(2, block_of({{7, 40}, {7, 60}, {7, 80}}), 80);
  CHECK(written() == rows_at{40, 60, 80}); // the barrier went back
}

TEST_CASE_FIXTURE(collector_fixture,
                  "what an older life of a sink says is ignored") {
  start();
  send(3, block_of({{7, 40}}), 40);
  fail();
  open({position(20, 20)}, 20, {4});
  durable(1, 40); // of writer 3
  CHECK(uut.status(feed).checkpoint == timestamp{20});
  CHECK(uut.status(feed).rows_durable == 0);
  keep(uut.on_sink_failed(feed, {writer, {errc::sink_unavailable, ""}, false},
                          now));
  CHECK(sent.empty());
}

TEST_CASE_FIXTURE(collector_fixture, "a sink that is further is believed") {
  start();
  send(3, block_of({{7, 40}, {7, 60}}), 60);
  fail(); // it had committed, the answer got lost
  open({position(60, 60)}, 60, {4});
  restarted();
  CHECK(asked.reset_ts >= timestamp{20});
  shake(asked.reset_ts.value);
  send(2, block_of({{7, 40}, {7, 60}, {7, 80}}), 80);
  CHECK(written() == rows_at{80});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "an older copy of a sink is a registration") {
  start();
  send(3, block_of({{7, 40}}), 40);
  durable(1, 40);
  watermark_of(40);
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).exceptions.empty());
  fail();
  auto old = registration;
  open({position(10, 10)}, 10, {4}); // restored from a backup
  CHECK(registration != old);
  auto who = look_one<register_dispatchers>().entries.at(0);
  CHECK(who.start_ts == timestamp{10});
  CHECK(look_one<remove_dispatchers>().registrations == std::vector{old});
  make_ready(1);
  CHECK(asked == reset_entry{registration, {1}, {1}, {10}});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "after a gap no more than accepted is reported") {
  start();
  send(3, block_of({{7, 40}, {7, 60}}), 60);
  send(10, block_of({{7, 90}}), 90); // a gap: epoch 2 after 20
  restarted();
  CHECK(asked.reset_ts == timestamp{20});
  durable(1, 20); // rows of epoch 1 become durable meanwhile
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).exceptions.at(0).checkpoint
        == timestamp{20});
  shake(20);
  send(2, block_of({{7, 40}, {7, 60}}), 60);
  CHECK(written().empty()); // they are there
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).exceptions.at(0).checkpoint
        == timestamp{60});
}

TEST_CASE_FIXTURE(collector_fixture, "a refusal that is final stops the feed") {
  start();
  fail(true);
  CHECK(uut.status(feed).failure.code == errc::sink_unavailable);
  advance(60'000ms);
  CHECK(look<open_sink>().empty());
  CHECK(look<register_dispatchers>().empty());
}

// -- credit -------------------------------------------------------------------

TEST_CASE_FIXTURE(collector_fixture, "rows are pinned until the sink lets go") {
  start();
  send(3, block_of({{7, 40}}), 39);
  CHECK(uut.pinned_bytes() == 10);
  keep(uut.on_released(feed, {writer, 1}));
  CHECK(uut.pinned_bytes() == 0);
  CHECK(uut.status(feed).rows_durable == 0); // the checkpoint waits
  durable(1, 20);
  CHECK(uut.pinned_bytes() == 0);
}

TEST_CASE_FIXTURE(collector_fixture,
                  "the last little credit is told, too, or a large row waits") {
  start();
  send(3, block_of({{7, 40}}), 39);
  auto told = heartbeat{};
  auto answer = [&] { // until nobody has anything to say
    for (advance(200ms); !look<heartbeat>().empty(); advance(200ms)) {
      told = look_one<heartbeat>();
      auto next = mark();
      next.acked_up = told.up_seq;
      keep(uut.on_watermark({next, {{20}, {}}, {}, {}}, now));
    }
  };
  answer();
  auto held = told.granted.at(0).total;
  keep(uut.on_released(feed, {writer, 1}));
  CHECK(look<credit>().empty()); // not worth a message at once
  answer();
  CHECK(told.granted.at(0).total == held + 10);
}

TEST_CASE("feeds share the memory that there is for all of them") {
  auto options = collector_shard_options{};
  options.credit_bytes = 600;
  options.credit_bytes_all = 1'000;
  options.credit_bytes_min = 400;
  auto uut = collector_shard_state{options};
  auto limits = std::vector<std::uint64_t>{};
  auto take = [&](const std::vector<feed_grant>& granted) {
    limits.clear();
    for (const auto& grant : granted)
      limits.push_back(grant.limit);
  };
  auto note = [&](const collector_shard_state::effects& effects) {
    for (const auto& x : effects)
      if (const auto* told = std::get_if<credit>(&x))
        take(told->granted);
      else if (const auto* beat = std::get_if<heartbeat>(&x))
        take(beat->granted);
  };
  auto subscribe = [&](std::uint32_t number) {
    auto feed = feed_id{number};
    note(uut.on_subscribe({{feed, "f", per_table()}}));
    note(uut.on_tables({feed, {collector_fixture::info(7)}}, {}));
    auto effects = uut.on_sink_opened(feed, {{1}, {}, {}}, {});
    note(effects);
    for (const auto& x : effects)
      if (const auto* asked = std::get_if<register_dispatchers>(&x))
        note(uut.on_ready({asked->channel, asked->entries[0].id, {number}, {}},
                          {}));
  };
  using all = std::vector<std::uint64_t>;
  subscribe(1);
  CHECK(limits == all{600}); // no feed gets more
  subscribe(2);
  CHECK(limits == all{500, 500});
  subscribe(3);
  CHECK(limits == all{400, 400, 400}); // no feed gets less
  note(uut.on_unsubscribe({{1}}));
  note(uut.on_tick({})); // not worth a message of its own
  CHECK(limits == all{500, 500});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "whatever became of a delivery, it is let go") {
  start();
  send(3, block_of({{7, 40}}), 39, {7}); // another epoch
  CHECK(uut.pinned_bytes() == 0);
  send(3, nullptr, 60); // no rows
  CHECK(uut.pinned_bytes() == 0);
  send(3, block_of({{7, 10}}), 60); // below the barrier
  CHECK(uut.pinned_bytes() == 0);
  send(4, block_of({{7, 80}}), 79);
  fail();
  CHECK(uut.pinned_bytes() == 10); // held back: nobody takes rows now
  open({position(20, 20)}, 20, {4});
  CHECK(uut.pinned_bytes() == 0);
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a transaction of four times the credit keeps "
                  "its checkpoint below") {
  start();
  send(3, block_of({{7, 40, 0}}), 39);
  send(4, block_of({{7, 40, 1}}), 39);
  durable(2, 20);
  send(5, block_of({{7, 40, 2}}), 39);
  watermark_of(30, {}, {{asked.stream, asked.stream_epoch, {6}}});
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).exceptions.at(0).checkpoint
        <= timestamp{39});
  send(7, block_of({{7, 40, 3}}), 40);
  durable(4, 20);
  advance(200ms);
  CHECK(look_one<heartbeat>().feeds.at(0).exceptions.at(0).checkpoint
        == timestamp{40});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a sink that opens and fails again is opened ever later") {
  start();
  auto waits = std::vector<std::int64_t>{};
  for (int i = 0; i < 8; ++i) {
    fail();
    auto from = now;
    while (look<open_sink>().empty())
      advance(std::chrono::milliseconds{10});
    waits.push_back((now - from).count());
    open({position(20, 20)}, 20);
  }
  CHECK(waits.front() <= 110);
  CHECK(waits.back() >= 5'000);
  durable(1, 20); // It works again.
  fail();
  advance(std::chrono::milliseconds{100});
  CHECK(look<open_sink>().size() == 1);
}

TEST_CASE_FIXTURE(collector_fixture, "the status says what is tried again") {
  start();
  fail();
  CHECK(uut.status(feed).failure.code == errc::sink_unavailable);
  CHECK_FALSE(uut.status(feed).stopped);
  open({position(20, 20)}, 20);
  CHECK_FALSE(uut.status(feed).failure);
  fail(true);
  CHECK(uut.status(feed).stopped);
}
