#include "tests/states/collector_fixture.hpp"
#include "tests/states/shard_fixture.hpp"

using namespace sluice;
using namespace sluice::test;

// REMOVE that answers "unknown" may get lost.

TEST_CASE_FIXTURE(collector_fixture, "unknown is answered each time") {
  start();
  auto old = registration;
  keep(uut.on_unknown({channel, old}, now));
  REQUIRE(look<remove_dispatchers>().size() == 1); // it gets lost
  keep(uut.on_unknown({channel, old}, now));
  REQUIRE(look<remove_dispatchers>().size() == 1);
  CHECK(look<remove_dispatchers>()[0].registrations.at(0) == old);
  CHECK(look<register_dispatchers>().empty());
}

// A stream that was refused in the middle of its life heard of it once; if that
// was lost, its feed waited for ever and nobody knew why.

TEST_CASE_FIXTURE(shard_fixture, "who was refused is told until it answers") {
  add(first, 20);
  reset(1, 20);
  look_up();
  keep(uut.on_progress({store, {}, {last}, {}}), true);
  auto request = take_one<scan_request>();
  auto answer = scan_answer{request.scan, request.store, {}};
  answer.results.push_back({request.entries.at(0), {}, request.to,
                            errc::out_of_range, {30}, {}});
  keep(uut.on_scan_answer(answer));
  REQUIRE(take_one<refused>().reason == errc::lost_by_retention); // lost
  beat(1, 20);
  CHECK(take_one<unknown_registration>().registration == first);
  keep(uut.on_remove({channel, {1}, {first}}));
  beat(1, 20);
  CHECK(take<unknown_registration>().empty());
}

// A REMOVE that comes twice took two of the places where removed ids are
// remembered, and so the id was forgotten too early.

TEST_CASE("a REMOVE that comes twice is remembered") {
  auto options = dispatcher_shard_options{};
  options.removed_remembered_max = 1;
  auto x = shard_fixture{options};
  for (int i = 0; i < 2; ++i)
    x.keep(x.uut.on_remove({x.channel, {1}, {x.first}}));
  CHECK_FALSE(x.add(x.first, 20));
}
