#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/store/log_fixture.hpp"
#include "tests/support/dice.hpp"

namespace log_test {

/// The rows of a source, as it will always repeat them, and how many of them
/// a log has.
struct replayed_source {
  struct entry {
    row x;
    std::string bytes;
    block_index block; // 0: of an earlier life of the log
  };
  sluice::test::dice& luck;
  std::vector<entry> rows = {};
  std::size_t appended = 0;
  std::size_t attempted = 0; // a failed append may have left them there
  std::size_t durable = 0;   // what the log has said
  std::uint64_t ts = 10;
  char variant = 'a';

  static row_cursor of(const entry& x) { return cursor(x.x.ts, x.x.position); }

  void commit() {
    ++ts;
    auto last = luck.roll(4);
    for (std::uint64_t i = 0; i <= last; ++i) {
      auto size = luck.percent(5) ? 3000 : luck.roll(300);
      auto x = row{1 + luck.roll(3), ts, i == last, std::string(size, variant),
                   i};
      rows.push_back({x, std::string{block_of({x})->row(0).bytes()}, {}});
    }
  }
  // The first `n` up to an end mark.
  [[nodiscard]] std::size_t complete(std::size_t n) const {
    while (n > 0 && !rows[n - 1].x.end)
      --n;
    return n;
  }
  [[nodiscard]] std::size_t up_to(row_cursor end) const {
    auto after = std::partition_point(
      rows.begin(), rows.end(), [&](const entry& x) { return of(x) <= end; });
    return static_cast<std::size_t>(after - rows.begin());
  }
  // The log has the first `n`; those behind are gone for good. If they come
  // again, as others, none of the old ones may be among them.
  void go_back_to(std::size_t n) {
    appended = n;
    attempted = n;
    durable = std::min(durable, n);
    rows.resize(n);
    ++ts;
    variant = variant == 'z' ? 'a' : static_cast<char>(variant + 1);
  }
};

} // namespace log_test
