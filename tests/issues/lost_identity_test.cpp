// The identity of a store is in one file of 40 bytes and in the header of each
// segment. A bit of that file, and no feed went on.

#include "tests/store/slow_table.hpp"

using namespace log_test;

namespace {

disk_image small_log() {
  auto x = slow_table{};
  REQUIRE(x.open());
  x.grow(50);
  return image_of(*x.disk);
}

void rot_header(std::string& segment) {
  segment.at(100) ^= 1;
}

} // namespace

TEST_CASE("a lost identity is written again as the segments have it") {
  auto whole = small_log();
  auto files = whole;
  SUBCASE("one bit of it") {
    files["store"].at(20) ^= 1;
  }
  SUBCASE("its end") {
    files["store"].resize(39);
  }
  SUBCASE("all of it") {
    files["store"].clear();
  }
  SUBCASE("the file is missing, and so is a header") {
    files.erase("store");
    rot_header(files[segments_in(files).front()]);
  }
  auto x = slow_table::of(files);
  CHECK(x.rows() == up_to(50));
  CHECK(x.log->report().blocks_lost == 0);
  CHECK(image_of(*x.disk).at("store") == whole.at("store"));
}

TEST_CASE("a lost identity that nothing tells is not made up") {
  auto files = small_log();
  auto names = segments_in(files);
  REQUIRE(names.size() > 1);
  SUBCASE("no header can be read") {
    for (const auto& name : names)
      rot_header(files[name]);
  }
  SUBCASE("segments are of two stores") {
    auto disk = std::make_shared<simulated_disk>(2);
    auto other = slow_table{disk};
    REQUIRE(other.open());
    other.grow(50);
    files[names.front()] = image_of(*disk).at(names.front());
  }
  for (auto missing : {false, true}) {
    if (missing)
      files.erase("store");
    else
      files["store"].at(20) ^= 1;
    auto x = slow_table{disk_of(files)};
    auto done = x.open();
    REQUIRE_FALSE(done);
    CHECK(done.error().code == errc::log_corrupt);
    CHECK(done.error().detail.find("/log/store") == 0);
  }
}
