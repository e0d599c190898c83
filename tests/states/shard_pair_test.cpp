#include "shard_pair.hpp"

#include <cstdlib>

using namespace sluice;
using namespace sluice::test;

namespace {

struct schedule {
  std::uint64_t tables = 3;
  std::uint64_t credit = 4'096;
  std::uint64_t window = 2'048;
  int loss_percent = 0;
  bool sink_fails = false;
  bool restores = false; // the sink, from older copies of itself
  feed_order order = feed_order::table;
};

std::size_t run(std::uint64_t seed, const schedule& how) {
  CAPTURE(seed);
  auto pair = shard_pair{seed, how.tables, how.credit, how.window, how.order};
  auto luck = dice{seed ^ 0xABCDEF};
  pair.loss_percent = how.loss_percent;
  pair.keeps_all = how.restores;
  for (int i = 0; i < 300; ++i) {
    switch (luck.roll(12)) {
      case 0:
      case 1:
        pair.append(1 + luck.roll(20));
        break;
      case 2:
      case 3:
        pair.progress_now();
        break;
      case 4:
        pair.tick(std::chrono::milliseconds{100 + luck.roll(300)});
        break;
      case 5:
        if (luck.percent(20))
          pair.add_ddl(1 + luck.roll(how.tables));
        else if (luck.percent(10))
          pair.create_table();
        break;
      case 6:
        if (how.sink_fails && luck.percent(20))
          pair.fail_sink();
        if (how.restores && luck.percent(20))
          pair.back_up();
        else if (how.restores && luck.percent(10))
          pair.restore_sink();
        break;
      default:
        pair.step();
    }
    pair.check();
  }
  pair.loss_percent = 0;
  pair.resolve();
  pair.settle();
  pair.check_converged();
  CHECK(pair.out_of_range() == 0);
  return pair.resets();
}

} // namespace

TEST_CASE("every schedule without losses delivers each row once in order") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    run(seed, {});
}

TEST_CASE("every schedule with little credit delivers each row") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed)
    run(seed, {.credit = 200, .window = 1});
}

TEST_CASE("every schedule with a failing sink delivers each row") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    run(seed, {.sink_fails = true});
}

TEST_CASE("every schedule on a lossy link converges") {
  auto resets = std::size_t{0};
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    resets += run(seed, {.loss_percent = 10, .sink_fails = true});
  CHECK(resets > 300); // more than the first reset of each stream
}

TEST_CASE("every schedule with restored copies of a sink delivers each row") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    run(seed, {.sink_fails = true, .restores = true});
}

// -- the order of transactions ------------------------------------------------

TEST_CASE("every schedule delivers the log's transactions in its order") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    run(seed, {.order = feed_order::transaction});
}

TEST_CASE("every schedule with little credit commits no part of one") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed)
    run(seed, {.credit = 200, .window = 1, .order = feed_order::transaction});
}

// What a scan leaves is in the window then, and the credit ends inside of it.
TEST_CASE("every schedule that joins with little credit commits no part") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    run(seed, {.credit = 300 + seed * 10,
               .window = 1 << 20,
               .order = feed_order::transaction});
}

TEST_CASE("every schedule with a failing sink commits no part of one") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    run(seed, {.sink_fails = true, .order = feed_order::transaction});
}

TEST_CASE("every schedule on a lossy link commits no part of one") {
  auto resets = std::size_t{0};
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    resets += run(seed, {.loss_percent = 10,
                         .sink_fails = true,
                         .order = feed_order::transaction});
  CHECK(resets > 300);
}

TEST_CASE("every schedule with restored copies commits no part of one") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    run(
      seed,
      {.sink_fails = true, .restores = true, .order = feed_order::transaction});
}
