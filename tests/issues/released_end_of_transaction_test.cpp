// A transaction ended in a segment that was let go: no row of it was needed.
// That it was complete only the manifest said, of which there is one after a
// start. One bit of it took, in silence, the rows that were left.

#include "store/segment_format.hpp"
#include "tests/store/slow_table.hpp"

using namespace log_test;

namespace {

// Of a transaction of tables 1 and 2 the part of 1 is left, which is needed.
disk_image half_a_transaction(bool rewritten) {
  auto x = slow_table{};
  auto open = [&] {
    x.log.reset();
    auto opened = segment_log::open({small_directory, 1, 0, x.disk});
    REQUIRE(opened);
    x.log = std::move(*opened);
  };
  auto put = [&](const std::vector<row>& rows) { // a segment each
    REQUIRE(x.log->append(block_of(rows), {}));
  };
  open();
  put({{2, 1, false, std::string(900, 'f')}, {1, 1, true, "slow", 1}});
  put({{2, 2, false, std::string(900, 'f')}, {1, 2, false, "slow", 1}});
  put({{2, 2, true, "its end", 2}});
  put({{2, 3}});
  REQUIRE(sync(*x.log));
  for (auto i = 0; i < 2; ++i) { // the newest one does not go
    auto gone = x.log->release(slow_table::floors);
    REQUIRE(gone.size() == 1);
    REQUIRE(x.log->disk()->remove(gone));
    open();
  }
  if (rewritten)
    x.rewrite_all();
  open();
  auto result = image_of(*x.disk);
  auto names = segments_in(result);
  REQUIRE(names.size() == 3);
  REQUIRE(is_rewritten(names.front()) == rewritten);
  return result;
}

void has_all(const disk_image& files) {
  auto x = slow_table::of(files);
  for (auto i = 0; i < 2; ++i) {
    REQUIRE(x.log->report().blocks_lost == 0);
    REQUIRE(x.rows() == up_to(2));
    REQUIRE(x.open());
  }
}

} // namespace

TEST_CASE("what is left of a transaction stays whichever byte is damaged") {
  for (auto rewritten : {false, true}) {
    auto whole = half_a_transaction(rewritten);
    auto newest = segments_in(whole).back();
    has_all(whole);
    for (std::size_t at = 0; at < whole.at(newest).size(); ++at) {
      CAPTURE(rewritten);
      CAPTURE(at);
      auto files = whole;
      files[newest][at] ^= 1;
      has_all(files);
    }
  }
}
