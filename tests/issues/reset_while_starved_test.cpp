#include "tests/states/shard_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// A RESET queued its stream for a scan once more when it was queued already,
// waiting for credit. Then one request read everything of it twice, or thrice.

namespace {

struct fixture : shard_fixture {
  fixture() : shard_fixture{{}, block()->grouped(0).size_bytes()} {
    join();
    append(block(40), 40); // the whole credit
    append(block(60), 60);
    REQUIRE(take<scan_request>().empty());
  }
  static block_ptr block(std::uint64_t ts = 40) { return block_of({{7, ts}}); }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "a reset of who waits for credit scans once") {
  reset(2, 20);
  look_up();
  grant(16 << 20);
  CHECK(take_one<scan_request>().entries.size() == 1);
}

TEST_CASE_FIXTURE(fixture, "two resets of who waits for credit scan once") {
  reset(2, 20);
  look_up();
  reset(3, 20);
  look_up();
  grant(16 << 20);
  auto request = take_one<scan_request>();
  REQUIRE(request.entries.size() == 1);
  CHECK(request.entries[0].stream_epoch == epoch{3});
}

// And the second answer began below what the first one had sent: its first
// block, older than the cut of an open transaction, was taken for its end, and
// a target committed a part of the transaction. Found by the simulation, too.
TEST_CASE_FIXTURE(shard_fixture, "an older block does not end a transaction") {
  auto rules = feed_rules{};
  auto whole = registration{first, {5, 0}, feed, all_tables, {20}};
  keep(uut.on_register({channel, {1}, {whole}, {{feed, rules}}}, now));
  slots[first] = take_one<ready>().stream;
  reset(1, 20);
  auto query = take_one<schema_query>();
  keep(uut.on_schema_answer({query, {ddl(7, 1, 0).schema}, {}, errc::none}));
  keep(uut.on_progress({store, {}, {last}, {}}), true);
  auto request = take_one<scan_request>();
  auto closed = block_of({{7, 30}, end_mark});
  auto open = block_of({{7, 40}});
  auto answer = scan_answer{request.scan, request.store, {}};
  auto result = scan_result{request.entries[0], {}, request.to, errc::none,
                            {}, {}};
  for (const auto& block : {closed, open, closed})
    result.rows.push_back({block, 0, 1});
  answer.results.push_back(result);
  keep(uut.on_scan_answer(answer));
  auto parcels = take<delivery>();
  REQUIRE(parcels.size() == 1);
  CHECK(parcels[0].items.back().end == item_end::cut);
}
