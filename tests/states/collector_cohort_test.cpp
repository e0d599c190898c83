#include "collector_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// Rows for all streams of a feed that are in sync: when they count, and what
// who leaves takes along.

namespace {

row_cursor place(std::uint64_t ts) {
  return {{ts}, {ts}, 0};
}

struct fixture : collector_fixture {
  // Rows up to there, for the cohort of table 7 alone.
  void send_up_to(std::uint64_t ts) {
    send_cohort(block_of({{7, ts}}), place(ts));
  }
  void digest_of(std::uint64_t last_seq, std::uint64_t cohort_to) {
    auto cohorts = std::vector<cohort_place>{};
    if (cohort_to > 0)
      cohorts.push_back({feed, place(cohort_to)});
    keep(uut.on_digest({mark(),
                        {{registration,
                          asked.stream,
                          asked.stream_epoch,
                          {last_seq},
                          false,
                          {20}}},
                        true,
                        std::move(cohorts)},
                       now));
  }
  // The link was cut and is there again.
  void next_channel() {
    keep(uut.on_channel_lost(channel, now));
    note();
    seq = 0;
    make_ready();
  }
  // Rows 40 and 60 come for the stream alone, the first for the second time.
  bool has_up_to_40(std::uint64_t first_seq) {
    send(first_seq, block_of({{7, 40}, {7, 60}}), 59);
    return written() == rows_at{60};
  }
  row_cursor barrier() const { return uut.find(feed, {7})->barrier(); }
};

} // namespace

// -- when they count ----------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "rows of a cohort count in their place") {
  start();
  send_up_to(40);
  CHECK(written() == rows_at{40});
  send_up_to(60);
  CHECK(written() == rows_at{60});
}

TEST_CASE_FIXTURE(fixture,
                  "rows of a cohort do not count while anything is in doubt") {
  start();
  ++seq; // rows up to 40
  send_up_to(60);
  CHECK(written().empty());
  CHECK(look<digest_request>().size() == 1);
  send_up_to(80);
  CHECK(written().empty());
}

TEST_CASE_FIXTURE(fixture, "rows of a cohort do not count for who was reset") {
  start();
  auto seven = asked;
  keep(uut.on_tables({feed, {info(8)}}, now));
  note();
  make_ready(1);
  shake(20);
  catch_up(20, 2);
  send_cohort(block_of({{7, 40}, {8, 41}}), place(41));
  REQUIRE(written() == rows_at{40, 41});
  asked = seven;
  send(9, block_of({{7, 50}}), 49); // a gap: it is reset
  restarted();
  send_cohort(block_of({{7, 60}, {8, 61}}), place(61));
  CHECK(written() == rows_at{61});
}

// -- what got lost ------------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "rows of a cohort that got lost come again") {
  start();
  send_up_to(40);
  ++seq; // rows up to 60
  watermark_of(70);
  digest_of(2, 60);
  restarted();
  CHECK(asked.reset_ts == timestamp{20});
  CHECK(barrier() == place(40));
  shake(20);
  CHECK(has_up_to_40(2));
}

TEST_CASE_FIXTURE(fixture, "a cohort that lost no rows is not reset") {
  start();
  send_up_to(40);
  ++seq; // a watermark
  watermark_of(70);
  digest_of(2, 40);
  CHECK(look<reset_streams>().empty());
  send_up_to(60);
  CHECK(written() == rows_at{60});
}

TEST_CASE_FIXTURE(fixture,
                  "rows that a sink which is away does not get are not lost") {
  start();
  fail();
  send_up_to(40);
  CHECK(written().empty());
  open({position(20, 20)}, 20, {4});
  restarted();
  shake(20);
  catch_up(20, 2);
  digest_of(2, 40);
  CHECK(look<reset_streams>().empty());
}

// -- who leaves ---------------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "who leaves a cohort gets nothing of it twice") {
  start();
  send_up_to(40);
  watermark_of(30, {}, {{asked.stream, asked.stream_epoch, {3}}});
  CHECK(barrier() == place(40));
  CHECK(has_up_to_40(4));
}

TEST_CASE_FIXTURE(fixture, "who is reset gets nothing of its cohort twice") {
  start();
  send_up_to(40);
  send(9, block_of({{7, 50}}), 49); // a gap
  restarted();
  CHECK(asked.reset_ts == timestamp{20});
  shake(20);
  CHECK(has_up_to_40(2));
}

TEST_CASE_FIXTURE(fixture,
                  "who is registered anew gets nothing of its cohort twice") {
  start();
  send_up_to(40);
  register_anew();
  CHECK(has_up_to_40(2));
}

TEST_CASE_FIXTURE(fixture, "a new channel brings nothing of a cohort twice") {
  start();
  send_up_to(40);
  next_channel();
  shake(20);
  CHECK(has_up_to_40(2));
}

TEST_CASE_FIXTURE(fixture, "a place of a former channel does not count") {
  start();
  send_up_to(40);
  durable(1, 20);
  next_channel();
  shake(20);
  catch_up(20, 2);
  digest_of(2, 0); // nothing was sent on this one
  CHECK(look<reset_streams>().empty());
}

// -- what the sink has --------------------------------------------------------

// Its consumer was with another process, whose shard had heard more of the log
// than ours has. Or the log is in memory, begins anew, and is filled again.
TEST_CASE_FIXTURE(fixture, "rows that a sink has do not come with its cohort") {
  open({position(60, 20)}, 20);
  make_ready();
  shake(20);
  catch_up(20, 2); // our shard has nothing above 20 yet
  send_up_to(40);
  CHECK(written().empty());
  send_cohort(block_of({{7, 60}, {7, 80}}), place(80));
  CHECK(written() == rows_at{80});
}

// -- schemas ------------------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "a sink is told a schema once") {
  start();
  send_up_to(40);
  REQUIRE(look_one<write_rows>().schemas.size() == 1);
  for (std::uint64_t i = 0; i < 3; ++i) { // or it would pile up
    send(90, block_of({{7, 50}}), 49);    // a gap
    restarted();
    shake(20);
    catch_up(20, 2);
  }
  send_up_to(60);
  CHECK(look_one<write_rows>().schemas.empty());
}

TEST_CASE_FIXTURE(fixture, "a sink that opens anew is told all schemas anew") {
  start(); // told with the first rows, which do not come before it fails
  fail();
  open({position(20, 20)}, 20, {4});
  restarted();
  shake(20);
  catch_up(20, 2);
  send_up_to(40);
  CHECK(look_one<write_rows>().schemas.size() == 1);
  fail();
  advance(std::chrono::milliseconds{100});
  keep(
    uut.on_sink_failed(feed, {{4}, {errc::sink_unavailable, ""}, false}, now));
  open({position(20, 20)}, 20, {5});
  restarted();
  shake(20);
  catch_up(20, 2);
  send_up_to(60);
  CHECK(look_one<write_rows>().schemas.size() == 1);
}

// -- the status ---------------------------------------------------------------

TEST_CASE_FIXTURE(fixture, "the status has rows that are under way to a sink") {
  start();
  send(3, block_of({{7, 30}}), 29);
  send_up_to(40);
  auto undone = uut.status(feed).unflushed;
  REQUIRE(undone.size() == 2);
  CHECK(undone[0].table == table_id{7});
  CHECK(undone[0].rows_in_flight == 1);
  CHECK(undone[1].table == all_tables); // of whichever tables
  CHECK(undone[1].rows_in_flight == 1);
  durable(1, 20);
  REQUIRE(uut.status(feed).unflushed.size() == 1);
  CHECK(uut.status(feed).unflushed[0].table == all_tables);
  durable(2, 20);
  CHECK(uut.status(feed).unflushed.empty());
}
