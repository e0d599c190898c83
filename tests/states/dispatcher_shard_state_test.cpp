#include "shard_fixture.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

constexpr auto second = registration_id{1, 2};

} // namespace

// -- registration -------------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture, "READY is all that is sent before a reset") {
  add(first, 20);
  append(block_of({{7, 40}}), 50);
  CHECK(take<delivery>().empty());
  CHECK(take<handshake>().empty());
  CHECK(take<scan_request>().empty());
}

TEST_CASE_FIXTURE(shard_fixture, "READY is repeated until RESET comes") {
  add(first, 20);
  keep(uut.on_tick(999ms));
  CHECK(take<ready>().empty());
  keep(uut.on_tick(1'000ms));
  CHECK(take<ready>().size() == 1);
  keep(uut.on_tick(2'999ms)); // doubled
  CHECK(take<ready>().empty());
  keep(uut.on_tick(3'000ms));
  CHECK(take<ready>().size() == 1);
  reset(1, 20);
  keep(uut.on_tick(60'000ms));
  CHECK(take<ready>().empty());
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a registration that is repeated is answered") {
  auto at = add(first, 20);
  CHECK(add(first, 20) == at);
  reset(1, 20);
  look_up();
  CHECK_FALSE(add(first, 20)); // it streams
  CHECK(uut.size() == 1);
  CHECK(uut.resets().size() == 1);
}

TEST_CASE_FIXTURE(shard_fixture, "a lost handshake is sent again on a reset") {
  add(first, 20);
  reset(1, 20);
  look_up();
  CHECK(take_one<handshake>().stream_epoch == epoch{1}); // lost
  reset(2, 20); // the collector's timer
  look_up();
  auto hello = take_one<handshake>();
  CHECK(hello.stream_epoch == epoch{2});
  CHECK(hello.lower_bound == timestamp{20});
}

TEST_CASE_FIXTURE(shard_fixture, "two registrations of an id: the older ends") {
  join();
  beat(1, 20);
  auto at = add(second, 10);
  CHECK(at != slots[first]);
  CHECK(uut.find(first) == nullptr);
  CHECK(uut.checkpoint_of(second) == timestamp{10}); // believed
  reset(2, 20);
  CHECK(take_one<unknown_registration>().registration == first);
  CHECK(uut.size() == 1);
}

TEST_CASE_FIXTURE(shard_fixture, "a removed registration can't come back") {
  add(first, 20);
  keep(uut.on_remove({channel, {1}, {first}}));
  CHECK(uut.size() == 0);
  CHECK_FALSE(add(first, 20)); // overtaken by its remove
  CHECK(take_one<unknown_registration>().registration == first);
}

TEST_CASE_FIXTURE(shard_fixture, "a remove that comes first is remembered") {
  keep(uut.on_remove({channel, {1}, {first}}));
  CHECK_FALSE(add(first, 20));
  CHECK(uut.size() == 0);
}

TEST_CASE_FIXTURE(shard_fixture, "nothing is sent for what was removed") {
  join();
  keep(uut.on_remove({channel, {1}, {first}}));
  append(block_of({{7, 40}}), 50);
  CHECK(take<delivery>().empty());
  beat(1, 40); // to nobody
  keep(uut.on_tick(60'000ms));
  CHECK(take<ready>().empty());
}

TEST_CASE_FIXTURE(shard_fixture, "a new channel knows nothing of the old one") {
  join();
  keep(uut.on_register({{1, 2}, {1}, {}}, now));
  CHECK(uut.size() == 0);
  append(block_of({{7, 40}}), 50);
  CHECK(rows().empty());
  reset(2, 20); // of the old channel
  CHECK(take<unknown_registration>().empty());
  CHECK(add(first, 20) == slot{});
  CHECK(uut.channel() == channel_id{1, 2});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "who waits for a scan waits no longer than its channel") {
  constexpr auto next = channel_id{1, 2};
  add(first, 20);
  add(second, 20, 8);
  reset(1, 20);
  look_up();
  keep(uut.on_progress({store, {}, {last}, {}}), true);
  REQUIRE(take<scan_request>().size() == 1); // the other has to wait for it
  reset(1, 20, second);
  look_up();
  constexpr auto third = registration_id{1, 3};
  constexpr auto fourth = registration_id{1, 4};
  keep(uut.on_register(
    {next,
     {1},
     {{third, {5, 7}, feed, {7}, {20}}, {fourth, {5, 8}, feed, {8}, {20}}}},
    now));
  keep(uut.on_reset({next, {{fourth, {1}, {1}, {20}}}}));
  look_up();
  keep(uut.on_credit({next, {1}, {{feed, 1 << 24, 1 << 24}}}));
  auto wanted = take_one<scan_request>().entries;
  REQUIRE(wanted.size() == 1);
  CHECK(wanted[0].registration == fourth);
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a late message of an old channel opens none") {
  keep(uut.on_register({{1, 2}, {1}, {{first, {5, 7}, feed, {7}, {20}}}}, now));
  REQUIRE(uut.size() == 1);
  keep(uut.on_register({channel, {1}, {}}, now));
  keep(uut.on_remove({channel, {1}, {first}}));
  CHECK(uut.channel() == channel_id{1, 2});
  CHECK(uut.size() == 1);
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a remove that opens a channel forbids its register") {
  keep(uut.on_remove({{1, 2}, {1}, {first}}));
  keep(uut.on_register({{1, 2}, {1}, {{first, {5, 7}, feed, {7}, {20}}}}, now));
  CHECK(uut.size() == 0);
  CHECK(take_one<unknown_registration>().registration == first);
}

// -- reset --------------------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture,
                  "a reset of an unknown id is answered unknown") {
  reset(1, 20);
  CHECK(take_one<unknown_registration>().registration == first);
  CHECK(uut.size() == 0);
}

TEST_CASE_FIXTURE(shard_fixture, "reset, heartbeat, reset at resolved - 1") {
  join();
  append(block_of({{7, 40}, {7, 60}}), 100);
  keep(uut.on_schema_resolved({{100}}));
  beat(1, 100, first, 9);
  reset(2, 99);
  CHECK(sent.empty() == false);
  auto query = take_one<schema_query>();
  CHECK(query.at == timestamp{100}); // the schema of L, too
  answer(query);
  CHECK(take_one<handshake>().lower_bound == timestamp{100});
  auto request = take_one<scan_request>();
  REQUIRE(request.entries.size() == 1);
  CHECK(request.entries[0].after == row_cursor::end_of({100}));
  CHECK(request.entries[0].checkpoint == timestamp{100});
  CHECK(uut.resets().back().checkpoint_after == timestamp{100});
}

TEST_CASE_FIXTURE(shard_fixture, "a heartbeat during the look-up moves L") {
  join();
  append(block_of({{7, 40}, {7, 60}}), 100);
  keep(uut.on_schema_resolved({{100}}));
  reset(2, 30);
  auto query = take_one<schema_query>();
  beat(1, 60, first, 9);
  answer(query);
  CHECK(take<handshake>().empty());
  auto again = take_one<schema_query>();
  CHECK(again.at == timestamp{60});
  answer(again);
  CHECK(take_one<handshake>().lower_bound == timestamp{60});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a bulk heartbeat during the look-up moves L") {
  join();
  resolve(100);
  auto seen = take_one<watermark>().mark.seq;
  reset(2, 30);
  auto query = take_one<schema_query>();
  beat_all(seen.value, 90);
  answer(query);
  CHECK(take_one<schema_query>().at == timestamp{90});
}

TEST_CASE_FIXTURE(shard_fixture, "a second reset overtakes a slow look-up") {
  join();
  reset(2, 30);
  auto slow = take_one<schema_query>();
  reset(3, 25);
  auto newest = take_one<schema_query>();
  answer(slow);
  CHECK(sent.empty());
  answer(newest);
  auto hello = take_one<handshake>();
  CHECK(hello.stream_epoch == epoch{3});
  CHECK(hello.lower_bound == timestamp{25});
  CHECK(uut.resets().size() == 2);
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a look-up that fails is told with its reason") {
  add(first, 20);
  reset(1, 20);
  answer(take_one<schema_query>(), {}, errc::unknown_table);
  auto why = take_one<refused>();
  CHECK(why.reason == errc::unknown_table);
  CHECK(why.registration == first);
}

TEST_CASE_FIXTURE(shard_fixture,
                  "an answer for a removed dispatcher is dropped") {
  add(first, 20);
  reset(1, 20);
  auto query = take_one<schema_query>();
  keep(uut.on_remove({channel, {1}, {first}}));
  answer(query);
  CHECK(take<handshake>().empty());
}

TEST_CASE_FIXTURE(shard_fixture,
                  "an idle table gets its promise after a reset") {
  resolve(500);
  join(first, 20);
  auto mark = take_one<watermark>(); // no new notification came
  CHECK(mark.promise.resolved == timestamp{500});
  REQUIRE(mark.in_sync.size() == 1);
  CHECK(mark.in_sync[0] == cohort_change{slots[first], {1}, {2}});
}

TEST_CASE("only the last records of resets are kept") {
  auto options = dispatcher_shard_options{};
  options.reset_records_max = 2;
  auto all = shard_fixture{options};
  all.join();
  for (std::uint64_t i = 2; i <= 4; ++i) {
    all.reset(i, 20);
    all.look_up();
  }
  REQUIRE(all.uut.resets().size() == 2);
  CHECK(all.uut.resets()[0].new_epoch == epoch{3});
}

// -- heartbeat ----------------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture, "heartbeats of other epochs change nothing") {
  join();
  append(block_of({{7, 40}}), 50);
  resolve(50);
  reset(2, 20);
  look_up();
  scanned(block_of({{7, 40}}));
  REQUIRE(uut.find(first)->complete_to() == timestamp{50});
  beat(1, 40); // stale
  CHECK(uut.checkpoint_of(first) == timestamp{20});
  beat(3, 40); // future
  CHECK(uut.checkpoint_of(first) == timestamp{20});
  beat(2, 40);
  CHECK(uut.checkpoint_of(first) == timestamp{40});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a heartbeat before any reset changes nothing") {
  join(second, 20, 8);
  resolve(90);
  auto seen = take_one<watermark>().mark.seq.value;
  add(first, 20);
  beat(1, 90);
  beat(0, 90);
  beat_all(seen, 90); // of the other one
  CHECK(uut.checkpoint_of(first) == timestamp{20});
  CHECK(uut.checkpoint_of(second) == timestamp{90});
  reset(1, 20);
  CHECK(take_one<schema_query>().at == timestamp{20});
}

TEST_CASE_FIXTURE(shard_fixture, "a heartbeat can't report what was not sent") {
  join();
  append(block_of({{7, 40}}), 50);
  keep(uut.on_schema_resolved({{50}}));
  beat(1, 5'000);
  CHECK(uut.checkpoint_of(first) == timestamp{50});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "the bulk value is no more than acknowledged") {
  join();
  resolve(50);
  auto seen = take_one<watermark>().mark.seq;
  resolve(90); // its watermark is still under way
  beat_all(seen.value, 90);
  CHECK(uut.checkpoint_of(first) == timestamp{50});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a heartbeat for many: one of them is removed") {
  join();
  join(second, 20, 8);
  keep(uut.on_remove({channel, {1}, {first}}));
  append(block_of({{8, 40}}), 50);
  auto both = feed_checkpoint{
    feed, {}, {{slots[first], {1}, {30}}, {slots[second], {1}, {30}}}};
  keep(uut.on_heartbeat({channel, {++up}, {}, {both}, {}}));
  CHECK(uut.checkpoint_of(second) == timestamp{30});
  CHECK(uut.checkpoint_of(first) == timestamp{0}); // gone
  reset(2, 30, first);
  CHECK(take_one<unknown_registration>().registration == first);
}

TEST_CASE_FIXTURE(shard_fixture, "a silent collector loses its streams") {
  join();
  auto waits = registration_id{1, 2};
  add(waits, 20, 8); // never reset
  append(block_of({{7, 40}}), 50);
  keep(uut.on_tick(std::chrono::hours{1}));
  SUBCASE("after the time, and hears of it when it comes back") {
    keep(uut.on_tick(std::chrono::hours{2}));
    CHECK(uut.find(first) == nullptr);
    CHECK(uut.find(waits) != nullptr); // it has no handshake
    beat_all(0, 0);
    CHECK(take_one<unknown_registration>().registration == first);
    keep(uut.on_remove({channel, {1}, {first}}));
    beat_all(0, 0);
    CHECK(take<unknown_registration>().empty()); // it knows
  }
  SUBCASE("not while it says something") {
    beat_all(0, 0);
    keep(uut.on_tick(std::chrono::hours{2}));
    keep(uut.on_tick(std::chrono::hours{3} - std::chrono::milliseconds{1}));
    CHECK(uut.find(first) != nullptr);
    keep(uut.on_tick(std::chrono::hours{3}));
    CHECK(uut.find(first) == nullptr);
  }
  SUBCASE("not while it has nothing to say") {
    for (int hour = 2; hour < 9; ++hour) {
      for (const auto& x : take<watermark>())
        beat_all(x.mark.seq.value, 0);
      keep(uut.on_tick(std::chrono::hours{hour}));
    }
    CHECK(take<watermark>().empty()); // all is acknowledged
    CHECK(uut.find(first) != nullptr);
  }
}

TEST_CASE_FIXTURE(shard_fixture, "the floor of who was forgotten stays") {
  join();
  append(block_of({{7, 40}}), 50);
  beat(1, 30);
  CHECK(take<floor_report>().size() == 1);
  keep(uut.on_tick(std::chrono::hours{1}));
  keep(uut.on_tick(std::chrono::hours{2}));
  REQUIRE(uut.find(first) == nullptr);
  CHECK(take<floor_report>().empty());
}

TEST_CASE_FIXTURE(shard_fixture,
                  "a lost heartbeat with an exception is harmless") {
  join();
  append(block_of({{7, 40}}), 50);
  resolve(50);
  auto seen = take_one<watermark>().mark.seq.value;
  ++up; // {7: checkpoint 39, not durable}: lost
  auto part = feed_checkpoint{feed, {50}, {{slots[first], {1}, {39}}}};
  keep(uut.on_heartbeat({channel, {++up}, {seen}, {part}, {}}));
  CHECK(uut.checkpoint_of(first) == timestamp{39}); // complete, not a change
  beat_all(seen, 50);
  CHECK(uut.checkpoint_of(first) == timestamp{50});
}

TEST_CASE_FIXTURE(shard_fixture, "a heartbeat that comes again has no effect") {
  join();
  append(block_of({{7, 40}}), 50);
  beat(1, 30);
  auto part = feed_checkpoint{feed, {}, {{slots[first], {1}, {39}}}};
  keep(uut.on_heartbeat({channel, {up}, {}, {part}, {}}));
  CHECK(uut.checkpoint_of(first) == timestamp{30});
}

TEST_CASE_FIXTURE(shard_fixture,
                  "{RESET sent, a watermark from before it, heartbeat}") {
  join();
  resolve(1'000);
  auto seen = take_one<watermark>().mark.seq.value;
  reset(2, 20); // the collector is behind since it sent this
  look_up();
  beat(2, 20, first, seen);
  CHECK(uut.checkpoint_of(first) == timestamp{20});
  CHECK_FALSE(uut.find(first)->in_sync_since);
  beat_all(seen, 1'000); // of an acknowledgement before it is in sync anew
  CHECK(uut.checkpoint_of(first) == timestamp{20});
}

TEST_CASE_FIXTURE(shard_fixture, "{register at an old ts on a channel that is "
                                 "further}") {
  join();
  resolve(1'000);
  auto seen = take_one<watermark>().mark.seq.value;
  beat_all(seen, 1'000);
  add(second, 30, 8);
  reset(1, 30, second);
  look_up();
  CHECK(uut.checkpoint_of(second) == timestamp{30});
  auto request = take_one<scan_request>();
  CHECK(request.entries[0].after == row_cursor::end_of({30}));
  CHECK(request.entries[0].checkpoint == timestamp{30});
  scanned(request, nullptr);
  CHECK(uut.checkpoint_of(second) == timestamp{30}); // until acknowledged
}

TEST_CASE_FIXTURE(shard_fixture, "{DDL at 950 for an idle table, watermark "
                                 "1000}") {
  join();
  resolve(900);
  keep(uut.on_ddl({ddl(7, 2, 950)}));
  CHECK(take<schema_change>().empty()); // rows of version 1 may follow
  resolve(1'000);
  auto change = take_one<schema_change>();
  auto mark = take_one<watermark>();
  CHECK(change.event == ddl(7, 2, 950));
  CHECK(change.mark.seq.next() == mark.mark.seq); // before it
  CHECK(mark.promise.resolved == timestamp{1'000});
}

// -- floors -------------------------------------------------------------------

TEST_CASE_FIXTURE(shard_fixture, "of very many streams that are not covered "
                                 "the lowest speaks for all, now and then") {
  join(second, 20, 8);
  resolve(500);
  beat_all(take_one<watermark>().mark.seq.value, 500);
  REQUIRE(take_one<floor_report>().floor == timestamp{500});
  for (std::uint64_t i = 0; i < 1'001; ++i)
    add({1, 10 + i}, 20 + i, 100 + i);
  keep(uut.on_tick(1'000ms));
  auto report = take_one<floor_report>();
  CHECK(report.floor == timestamp{20});
  CHECK(report.exceptions.empty());
  add({1, 2'000}, 15, 2'000);
  keep(uut.on_tick(1'900ms));
  CHECK(take<floor_report>().empty());
  keep(uut.on_tick(2'000ms));
  CHECK(take_one<floor_report>().floor == timestamp{15});
  for (std::uint64_t i = 0; i < 2; ++i)
    keep(uut.on_remove({channel, {1}, {{1, 10 + i}}}));
  report = take_one<floor_report>(); // there are fewer
  CHECK(report.floor == timestamp{500});
  CHECK(report.exceptions.size() == 1'000);
}

TEST_CASE_FIXTURE(shard_fixture,
                  "floors follow the checkpoints, by exception") {
  join();
  join(second, 20, 8);
  append(block_of({{8, 40}}), 50);
  resolve(50);
  auto seen = take_one<watermark>().mark.seq.value;
  auto part = feed_checkpoint{feed, {50}, {{slots[second], {1}, {39}}}};
  keep(uut.on_heartbeat({channel, {++up}, {seen}, {part}, {}}));
  CHECK(take_one<floor_report>() == floor_report{feed, {50}, {{{8}, {39}}}});
  beat_all(seen, 50);
  CHECK(take_one<floor_report>() == floor_report{feed, {50}, {}});
  beat_all(seen, 50);
  CHECK(take<floor_report>().empty()); // nothing new
}
