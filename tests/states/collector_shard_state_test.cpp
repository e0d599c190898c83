#include "collector_fixture.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

// -- registration -------------------------------------------------------------

TEST_CASE("a stream is registered where its target is") {
  auto all = collector_fixture{};
  CHECK(all.look<register_dispatchers>().empty()); // the sink is not open
  all.open({all.position(40, 39)}, 20);
  auto who = all.look_one<register_dispatchers>().entries.at(0);
  CHECK(who.start_ts == timestamp{39});
  CHECK(who.table == table_id{7});
}

TEST_CASE("the higher of position, low watermark and creation counts") {
  auto all = collector_fixture{};
  all.open({all.position(40, 39)}, 60);
  CHECK(all.look_one<register_dispatchers>().entries.at(0).start_ts
        == timestamp{60});
  all.keep(all.uut.on_tables({all.feed, {all.info(8, 90)}}, all.now));
  CHECK(all.look_one<register_dispatchers>().entries.at(0).start_ts
        == timestamp{90});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "READY is answered by RESET, with epoch 1") {
  open({position(20, 20)}, 20);
  make_ready();
  CHECK(asked == reset_entry{registration, {0}, {1}, {20}});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "READY again asks again with a new epoch") {
  open({position(20, 20)}, 20);
  make_ready();
  make_ready(); // the handshake is outstanding
  CHECK(asked.stream_epoch == epoch{2});
  shake(20);
  make_ready();
  CHECK(look<reset_streams>().empty());
}

TEST_CASE_FIXTURE(collector_fixture,
                  "READY of what was removed: its REMOVE goes once more") {
  open({position(20, 20)}, 20);
  keep(uut.on_unsubscribe({feed}));
  CHECK(look_one<remove_dispatchers>().registrations
        == std::vector{registration});
  make_ready();
  CHECK(look_one<remove_dispatchers>().registrations
        == std::vector{registration});
  shake(20);
  CHECK(sent.empty());
}

TEST_CASE_FIXTURE(collector_fixture, "READY of another channel is ignored") {
  open({position(20, 20)}, 20);
  keep(uut.on_ready({{7, 7}, registration, {0}, {}}, now));
  CHECK(sent.empty());
}

TEST_CASE_FIXTURE(collector_fixture, "a REGISTER without answer is repeated") {
  open({position(20, 20)}, 20);
  advance(999ms);
  CHECK(look<register_dispatchers>().empty());
  advance(1ms);
  CHECK(look_one<register_dispatchers>().entries.at(0).id == registration);
  advance(1'999ms); // doubled
  CHECK(look<register_dispatchers>().empty());
  advance(1ms);
  CHECK(look<register_dispatchers>().size() == 1);
}

TEST_CASE_FIXTURE(collector_fixture,
                  "answers that are due by the thousand are awaited longer") {
  auto many = add_tables{feed, {}};
  for (std::uint64_t table = 8; table < 1'008; ++table)
    many.tables.push_back(info(table));
  open({position(20, 20)}, 20);
  keep(uut.on_tables(many, now));
  auto repeated = [&] {
    auto result = std::size_t{0};
    for (const auto& x : look<register_dispatchers>())
      result += x.entries.size();
    return result;
  };
  advance(1'000ms);
  CHECK(repeated() == 50);
  advance(10ms);
  CHECK(repeated() == 500);
  advance(10ms);
  CHECK(repeated() == 451); // the last of 1,001
}

TEST_CASE_FIXTURE(collector_fixture, "a lost handshake: RESET comes again") {
  open({position(20, 20)}, 20);
  make_ready();
  advance(1'000ms);
  auto again = look_one<reset_streams>().entries.at(0);
  CHECK(again.stream_epoch == epoch{2}); // the old one may still come
  CHECK(again.reset_ts == timestamp{20});
  shake(20); // of epoch 1
  CHECK(uut.find(feed, {7})->handshake_outstanding());
}

TEST_CASE_FIXTURE(collector_fixture, "unknown is answered by a registration") {
  start();
  auto old = registration;
  keep(uut.on_unknown({channel, old}, now));
  note();
  CHECK(registration != old);
  CHECK(look_one<remove_dispatchers>().registrations == std::vector{old});
  auto who = look_one<register_dispatchers>().entries.at(0);
  CHECK(who.start_ts == timestamp{20});
  keep(uut.on_unknown({channel, old}, now)); // late
  CHECK(look<register_dispatchers>().empty());
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a feed that lost its rows stops and says so") {
  start();
  keep(uut.on_refused(
    {channel, registration, errc::lost_by_retention, {20}, {70}}, now));
  CHECK(uut.status(feed).failure.code == errc::lost_by_retention);
  CHECK(look_one<remove_dispatchers>().registrations
        == std::vector{registration});
  send(3, block_of({{7, 40}}), 39);
  CHECK(written().empty());
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a feed that needs a damaged block stops and says where") {
  start();
  keep(uut.on_refused({channel,
                       registration,
                       errc::log_corrupt,
                       {20},
                       {},
                       "1.seg: byte 4096: block 3 is damaged"},
                      now));
  CHECK(uut.status(feed).stopped);
  auto why = uut.status(feed).failure;
  CHECK(why.code == errc::log_corrupt);
  CHECK(why.detail.find("1.seg: byte 4096") != std::string::npos);
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a broker that is away does not stop a feed") {
  open({position(20, 20)}, 20);
  keep(uut.on_refused({channel, registration, errc::stopped, {}, {}}, now));
  CHECK_FALSE(uut.status(feed).failure);
  advance(1'000ms);
  CHECK(look<register_dispatchers>().size() == 1);
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a feed that ends takes no other with it") {
  start();
  auto more = feed_id{6};
  keep(uut.on_subscribe({{more, "g", {}}}));
  keep(uut.on_tables({more, {info(7)}}, now));
  keep(uut.on_sink_opened(more, {{4}, {}, {20}}, now));
  CHECK(look<register_dispatchers>().size() == 1);
  keep(uut.on_unsubscribe({more}));
  send(3, block_of({{7, 40}}), 39);
  CHECK(written() == rows_at{40});
  CHECK(uut.status(more).failure.code == errc::unknown_feed);
}

// -- the channel --------------------------------------------------------------

TEST_CASE_FIXTURE(collector_fixture,
                  "rows of an item that has a gap reach nobody") {
  start();
  send(4, block_of({{7, 60}}), 59);
  CHECK(written().empty());
  CHECK(effective() == 20);
  restarted();
  CHECK(asked.stream_epoch == epoch{2});
  CHECK(asked.reset_ts == timestamp{20});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "of stale and valid items only the valid count") {
  start();
  keep(uut.on_delivery(
    {mark(),
     feed,
     10,
     {{asked.stream, {7}, {3}, block_of({{7, 90}}), 0, 1, {89}},
      {asked.stream, {1}, {3}, block_of({{7, 40}}), 0, 1, {39}}}},
    now));
  CHECK(written() == rows_at{40});
}

TEST_CASE_FIXTURE(collector_fixture, "a lost last row is seen by the channel") {
  start();
  ++seq; // {7, 40} and its promise, the last thing before silence
  auto resolved = uut.effective_resolved(feed, {7});
  watermark_of(50);
  CHECK(uut.effective_resolved(feed, {7}) == resolved); // not applied
  CHECK(look_one<digest_request>().channel == channel);
  keep(uut.on_digest(
    {mark(), {{registration, {0}, {1}, {3}, false, {50}}}, true}, now));
  restarted();
  CHECK(asked.reset_ts == timestamp{20});
  CHECK(effective() == 20);
}

TEST_CASE_FIXTURE(collector_fixture, "the digest is asked for until it comes") {
  start();
  ++seq;
  watermark_of(50);
  advance(200ms);
  CHECK(look<digest_request>().size() == 1);
  advance(200ms);
  CHECK(look<digest_request>().size() == 1);
  keep(uut.on_digest(
    {mark(), {{registration, {0}, {1}, {2}, false, {20}}}, true}, now));
  CHECK(look<reset_streams>().empty()); // nothing of it was lost
  advance(200ms);
  CHECK(look<digest_request>().empty());
  watermark_of(60);
  CHECK(effective() == 60);
}

TEST_CASE_FIXTURE(collector_fixture,
                  "what a digest does not know is registered") {
  start();
  ++seq;
  watermark_of(50);
  auto old = registration;
  keep(uut.on_digest({mark(), {{{8, 8}, {4}, {1}, {1}, true, {}}}, true}, now));
  note();
  CHECK(registration != old);
  auto gone = look<remove_dispatchers>();
  REQUIRE(gone.size() == 2);
  CHECK(gone[0].registrations == std::vector{registration_id{8, 8}});
  CHECK(gone[1].registrations == std::vector{old});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a watermark of another epoch has no effect") {
  start();
  watermark_of(30, {}, {{asked.stream, {7}, {3}}});
  CHECK(effective() == 30); // not behind
  watermark_of(40, {{asked.stream, {7}, {3}}}, {});
  CHECK(look<reset_streams>().empty());
  CHECK(effective() == 40);
}

TEST_CASE_FIXTURE(collector_fixture, "{becoming behind lowers the effective "
                                     "resolved}") {
  start();
  watermark_of(90);
  CHECK(effective() == 90);
  watermark_of(200, {}, {{asked.stream, asked.stream_epoch, {3}}});
  CHECK(effective() == 90);
  send(4, block_of({{7, 95}}), 94);
  CHECK(effective() == 94);
}

TEST_CASE_FIXTURE(collector_fixture,
                  "RESET sent and a watermark from before it: "
                  "the stream stays behind") {
  start();
  send(4, block_of({{7, 60}}), 59); // a gap
  restarted();
  watermark_of(1'000, {{{0}, {1}, {3}}}); // sent before RESET came
  CHECK(effective() == 20);
  advance(200ms);
  auto beat = look_one<heartbeat>();
  REQUIRE(beat.feeds.size() == 1);
  CHECK(beat.feeds[0].exceptions
        == std::vector<stream_checkpoint>{{{0}, {2}, {20}}});
}

TEST_CASE_FIXTURE(collector_fixture,
                  "a lost DDL holds the watermark behind it") {
  start();
  ++seq; // DDL at 950
  watermark_of(1'000);
  CHECK(effective() == 20);
}
