#include "tests/scenarios/whole_path.hpp"

using namespace sluice;
using namespace sluice::test;

// A sink that opened before its tables were known started them at the feed's
// low watermark and not at their own positions. Their rows were delivered
// again; and once the log had let those go, the feed stopped for good.

namespace {

/// Table 7 is at 59, table 8 holds the low watermark at 30.
std::shared_ptr<memory_sink> target_at_59() {
  auto result = std::make_shared<memory_sink>();
  result->durable.rows[7] = {20, 40, 60};
  result->durable.positions[{7}] = {{7}, {{60}, {60}, 0}, {59}};
  result->durable.low_watermark = {30};
  return result;
}

} // namespace

TEST_CASE("a table that is known late starts at its own position") {
  auto how = whole_path::settings{};
  how.target = target_at_59();
  auto path = whole_path{how};
  path.settle({{7, 20},
               end_mark,
               {7, 40},
               end_mark,
               {7, 60},
               end_mark,
               {7, 80},
               end_mark},
              90);
  CHECK(path.rows(7) == rows_at{20, 40, 60, 80});
  auto records = path.resets();
  CHECK(std::any_of(records.begin(), records.end(), [](const auto& x) {
    return x.lower_bound == timestamp{59};
  }));
}
