#include "messages/partitioning.hpp"
#include "whole_path.hpp"

using namespace sluice;
using namespace sluice::test;

// A transaction that touches two partitions.

namespace {

/// A table that lies in another partition than table 7.
std::uint64_t elsewhere() {
  auto table = std::uint64_t{8};
  while (partition_of({table}, 2) == partition_of({7}, 2))
    ++table;
  return table;
}

} // namespace

TEST_CASE("a transaction over two partitions reaches one sink whole") {
  auto how = whole_path::settings{};
  how.partitions = 2;
  how.upstream = std::make_shared<scripted_source>();
  how.upstream->tables = {7, elsewhere()};
  auto path = whole_path{how};
  path.settle({{7, 20, 0}, {elsewhere(), 20, 1}, end_mark}, 30);
  CHECK(path.rows(7) == rows_at{20});
  CHECK(path.rows(elsewhere()) == rows_at{20});
  CHECK(path.of_feed().checkpoint == timestamp{30});
  CHECK(path.log(0).rows == 1);
  CHECK(path.log(1).rows == 1);
}
