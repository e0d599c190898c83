#include "actors/event_store_state.hpp"
#include "tests/states/event_store_bench.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

feed_record feed(std::uint64_t id, confirm_level level) {
  auto result = feed_record{{id}, "f" + std::to_string(id), {}};
  result.rules.confirm = level;
  return result;
}

// All up to 40 is durable in the log, and the sink of feed 1 has nothing.
struct bench_with_sink : event_store_bench {
  bench_with_sink() {
    attach_source();
    load_feeds({feed(1, confirm_level::sinks)});
    append(block_of({{7, 20}, end_mark, {7, 40}, end_mark}), 40);
    advance(50);
    finish_sync();
    run(uut.on_tick(now));
  }
  void report(std::uint64_t id, std::uint64_t floor) {
    run(uut.on_floor_report({{id}, {floor}, {}}, now));
  }
  std::vector<source_confirmed> confirmed() {
    advance(50);
    return take<source_confirmed>();
  }
  // Until nothing more comes of it.
  void rest() {
    for (auto i = 0; i < 4; ++i)
      advance(1000);
    sent.clear();
  }
};

using confirmations = std::vector<source_confirmed>;

source_confirmed up_to(std::uint64_t ts, std::uint64_t held_by = 0) {
  return {{1}, {ts}, {held_by}};
}

} // namespace

TEST_CASE("nothing is confirmed before the feeds are loaded") {
  auto bench = event_store_bench{};
  bench.attach_source();
  bench.resolve(20);
  bench.advance(50);
  CHECK(bench.take<source_confirmed>().empty());
  bench.load_feeds();
  bench.advance(50);
  CHECK(bench.take<source_confirmed>() == confirmations{up_to(20)});
}

TEST_CASE("what a sink has not got is not confirmed and the source hears why") {
  auto bench = bench_with_sink{};
  CHECK(bench.take<source_confirmed>() == confirmations{up_to(0, 1)});
  bench.report(1, 20); // no new row
  CHECK(bench.confirmed() == confirmations{up_to(20, 1)});
  bench.report(1, 40);
  CHECK(bench.confirmed() == confirmations{up_to(40)});
  bench.report(1, 60); // more than the log
  CHECK(bench.confirmed().empty());
}

TEST_CASE("a store that may not confirm more arms no timer") {
  auto bench = bench_with_sink{};
  bench.rest();
  bench.advance(1000);
  CHECK(bench.sent.empty());
  bench.report(1, 20);
  CHECK(bench.take<wake_store>().size() > 0);
  bench.rest();
  bench.advance(1000);
  CHECK(bench.sent.empty());
}

TEST_CASE("a feed that is removed holds nothing back any more") {
  auto bench = bench_with_sink{};
  bench.take<source_confirmed>();
  bench.run(bench.uut.on_feed_removed({1}, bench.now));
  CHECK(bench.confirmed() == confirmations{up_to(40)});
}

TEST_CASE("a feed with the other value holds back or lets go from then on") {
  auto bench = bench_with_sink{};
  bench.take<source_confirmed>();
  bench.load_feeds({feed(1, confirm_level::log)});
  CHECK(bench.confirmed() == confirmations{up_to(40)});
  bench.load_feeds({feed(1, confirm_level::sinks)});
  CHECK(bench.confirmed() == confirmations{up_to(40, 1)}); // it never goes back
  bench.resolve(60);
  CHECK(bench.confirmed().empty());
  bench.report(1, 50);
  CHECK(bench.confirmed() == confirmations{up_to(50, 1)});
}

TEST_CASE("of two feeds the one that has less holds back") {
  auto bench = bench_with_sink{};
  bench.load_feeds({feed(2, confirm_level::sinks)});
  bench.report(1, 40);
  bench.report(2, 20);
  bench.take<source_confirmed>();
  CHECK(bench.confirmed() == confirmations{up_to(20, 2)});
  bench.report(2, 40);
  CHECK(bench.confirmed() == confirmations{up_to(40)});
}

TEST_CASE("a source that attaches hears anew who holds it back") {
  auto bench = bench_with_sink{};
  bench.report(1, 20);
  CHECK(bench.confirmed().size() == 2);
  bench.attach_source(2);
  CHECK(bench.confirmed() == confirmations{up_to(20, 1)});
}
