// A start writes anew what is complete of a block, into a file that shows whole
// and durable. Nothing said that it was: one bit, and it was cut as torn.

#include "tests/store/slow_table.hpp"

using namespace log_test;

TEST_CASE("the rest of a block is damaged, not torn") {
  auto x = slow_table{};
  REQUIRE(x.open());
  REQUIRE(x.log->append(block_of({{1, 1}}), {}));
  REQUIRE(x.log->append(block_of({{1, 2}, {1, 3, false}}), {}));
  REQUIRE(sync(*x.log));
  REQUIRE(x.open());
  auto files = image_of(*x.disk);
  auto& bytes = files[segments_in(files).back()];
  auto rows = bytes.find("BTCH");
  while (rows != std::string::npos
         && (bytes.at(rows + 6) != 1 || bytes.at(rows + 24) != 2))
    rows = bytes.find("BTCH", rows + 4);
  REQUIRE(rows != std::string::npos);
  bytes.at(rows + 100) ^= 1;
  auto y = slow_table::of(files);
  for (auto i = 0; i < 2; ++i) {
    CHECK(y.log->report().blocks_lost == 1);
    CHECK(y.log->appended_to() == cursor(2));
    CHECK(plan_scan(*y.log, {{1}, cursor(1), y.log->last(), 1000}).failure.code
          == errc::log_corrupt);
    REQUIRE(y.open());
  }
}
