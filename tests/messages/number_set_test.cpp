#include "messages/number_set.hpp"

#include <set>

#include <doctest/doctest.h>

#include "tests/support/dice.hpp"

using namespace sluice;

namespace {

std::vector<std::uint32_t> in_order(const number_set& x) {
  auto result = std::vector<std::uint32_t>{};
  x.for_each([&](std::uint32_t n) { result.push_back(n); });
  return result;
}

} // namespace

TEST_CASE("a set of numbers says what a tree says") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    auto random = test::dice{seed};
    auto uut = number_set{};
    auto model = std::set<std::uint32_t>{};
    for (int i = 0; i < 2'000; ++i) {
      auto x = static_cast<std::uint32_t>(random.roll(300));
      if (random.percent(60))
        REQUIRE(uut.insert(x) == model.insert(x).second);
      else
        REQUIRE(uut.erase(x) == (model.erase(x) == 1));
      REQUIRE(uut.size() == model.size());
      REQUIRE(uut.contains(x) == model.contains(x));
    }
    CHECK(in_order(uut)
          == std::vector<std::uint32_t>(model.begin(), model.end()));
    uut.clear();
    CHECK(uut.empty());
    CHECK(in_order(uut).empty());
  }
}

TEST_CASE("each number may be taken out while it is looked at") {
  auto uut = number_set{};
  for (auto x : {0U, 63U, 64U, 127U, 200U})
    uut.insert(x);
  uut.for_each([&](std::uint32_t x) { uut.erase(x); });
  CHECK(uut.empty());
  CHECK_FALSE(uut.contains(64));
  CHECK_FALSE(uut.contains(100'000));
}
