#include "actors/sources/postgres/frame_queue.hpp"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::postgres;

namespace {

using frames = std::vector<std::pair<lsn, std::string>>;

frames taken(frame_queue& from) {
  auto result = frames{};
  auto entries = from.take();
  REQUIRE(entries.has_value());
  for (auto rest = std::string_view{*entries}; !rest.empty();) {
    auto x = frame_queue::next(rest);
    result.emplace_back(x.at, std::string{x.payload});
  }
  return result;
}

} // namespace

TEST_CASE("Frames are taken in their order") {
  auto uut = frame_queue{1'000};
  uut.put(10, "B");
  uut.put(20, "some row");
  CHECK(taken(uut) == frames{{10, "B"}, {20, "some row"}});
  CHECK(taken(uut).empty());
}

TEST_CASE("Resolved places in a row are one") {
  auto uut = frame_queue{1'000};
  uut.put_resolved(10);
  uut.put_resolved(20);
  uut.put(30, "B");
  uut.put_resolved(40);
  CHECK(taken(uut) == frames{{20, ""}, {30, "B"}, {40, ""}});
  uut.put_resolved(50); // the one before is taken
  CHECK(taken(uut) == frames{{50, ""}});
}

TEST_CASE("A queue is full until it is taken") {
  auto uut = frame_queue{20};
  uut.put(10, "some long row");
  CHECK(uut.full());
  static_cast<void>(uut.take());
  CHECK_FALSE(uut.full());
}

TEST_CASE("What was queued before the end is still taken") {
  auto uut = frame_queue{1'000};
  uut.put(10, "B");
  uut.end({errc::source_unavailable, "gone", {}});
  CHECK(taken(uut).size() == 1);
  auto last = uut.take();
  REQUIRE_FALSE(last.has_value());
  CHECK(last.error().detail == "gone");
}

TEST_CASE("What the server keeps is from the confirmed to the last place") {
  auto uut = frame_queue{1'000};
  CHECK(uut.retained_bytes() == 0);
  CHECK(uut.confirm(10));
  CHECK(uut.retained_bytes() == 0); // it has not said anything
  uut.put(40, "B");
  uut.put(30, "a change of before");
  CHECK(uut.retained_bytes() == 30);
  uut.put_resolved(60);
  taken(uut);
  CHECK(uut.retained_bytes() == 50);
  CHECK(uut.confirm(60));
  CHECK(uut.retained_bytes() == 0);
}
