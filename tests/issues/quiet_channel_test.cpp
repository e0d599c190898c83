#include "tests/states/shard_pair.hpp"

using namespace sluice::test;

// A watermark that was lost was repeated; the repetition showed the gap, so it
// was not applied, and the digest that took the doubt away acknowledged it. If
// nothing happened at the source any more, nobody said it again, and the feed
// stayed behind for ever.

TEST_CASE("a lost last watermark is made good while the source is quiet") {
  auto pair = shard_pair{1, 2, 1 << 16, 1 << 16};
  pair.append(4);
  pair.settle();
  pair.resolve();
  pair.progress_now();
  pair.lose_next_down();
  for (int round = 0; round < 100; ++round) {
    while (pair.step())
      ; // nop
    pair.tick(std::chrono::milliseconds{200});
  }
  pair.check_converged();
}
