#include "messages/feed.hpp"

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("rules without patterns take every table") {
  CHECK(feed_rules{}.matches("shop.orders"));
  CHECK(feed_rules{}.matches(""));
}

TEST_CASE("rules take what is included and not excluded") {
  auto uut = feed_rules{{"shop.*", "crm.people"}, {"shop.tmp_*"}};
  CHECK(uut.matches("shop.orders"));
  CHECK(uut.matches("crm.people"));
  CHECK_FALSE(uut.matches("crm.peoples"));
  CHECK_FALSE(uut.matches("shop.tmp_1"));
  CHECK_FALSE(uut.matches("other.shop.orders"));
}

TEST_CASE("rules that include nothing match nothing") {
  CHECK_FALSE(feed_rules{{}, {}}.matches("shop.orders"));
}

TEST_CASE("a star in a rule is any text, also none") {
  auto uut = feed_rules{{"a*b*c"}, {}};
  CHECK(uut.matches("abc"));
  CHECK(uut.matches("a1b2b3c"));
  CHECK_FALSE(uut.matches("a1b2b3"));
  CHECK_FALSE(uut.matches("ac"));
}

TEST_CASE("a question mark in a rule is one character of any length") {
  auto uut = feed_rules{{"t?"}, {}};
  CHECK(uut.matches("t1"));
  CHECK(uut.matches("t\xC3\xA4")); // one letter, two bytes
  CHECK_FALSE(uut.matches("t"));
  CHECK_FALSE(uut.matches("t12"));
}

TEST_CASE("other signs in a rule stand for themselves") {
  auto uut = feed_rules{{"a.b[1]"}, {}};
  CHECK(uut.matches("a.b[1]"));
  CHECK_FALSE(uut.matches("axb[1]"));
  CHECK_FALSE(uut.matches("a.b1"));
}
