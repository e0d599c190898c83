#include "tests/states/event_store_bench.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

// Rows of table 7 at 20, 40 and 60, all announced; a feed that needs none.
struct filled : event_store_bench {
  explicit filled(event_store_options options = {})
    : event_store_bench{options} {
    attach_source();
    for (auto ts : {20u, 40u, 60u})
      append(block_of({{7, ts}, end_mark}), ts);
    load_feed(0);
  }
  void raise_floor(std::uint64_t ts) {
    run(uut.on_floor_report({{1}, {ts}, {}}, now));
    advance(1000);
  }
};

} // namespace

TEST_CASE("a release leaves what the budget retains") {
  auto options = event_store_options{};
  options.retention = {24h, 1 << 20};
  auto bench = filled{options};
  bench.retained = {{20}, {}};
  bench.raise_floor(60);
  CHECK(bench.budget == options.retention);
  CHECK(bench.released_up_to == std::vector<timestamp>{{20}});
  CHECK(bench.uut.needed_floor_of({7}) == timestamp{60});
}

TEST_CASE("what is retained goes by time alone") {
  auto bench = filled{};
  bench.retained = {{20}, 300s};
  bench.raise_floor(60);
  bench.retained = {{60}, {}};
  bench.advance(299'000);
  CHECK(bench.released_up_to.size() == 1);
  bench.advance(1'000); // it may go now, and goes with the next release
  bench.advance(1'000);
  CHECK(bench.released_up_to == std::vector<timestamp>{{20}, {60}});
}

TEST_CASE("what nobody was told of is retained") {
  auto bench = filled{};
  // A feed that has no table here, and rows that are not announced yet.
  bench.append(block_of({{7, 80}}), 60);
  bench.raise_floor(60);
  CHECK(bench.uut.floor_of({7}) == timestamp{60});
  CHECK(bench.released_up_to == std::vector<timestamp>{{60}});
}
