#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "actors/service.hpp"
#include "actors/sources/generator/generator.hpp"
#include "store/segment_log.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("a source that could not be added can be added again") {
  auto directory = temporary_directory{};
  auto options = service_options{};
  options.directory = directory.path();
  options.partitions = 2;
  auto uut = service::open(options);
  REQUIRE(uut);
  {
    auto other = segment_log_options{};
    other.directory = directory.path() + "/log/bank/2";
    auto holder = segment_log::open(other);
    REQUIRE(holder);
    auto refused = uut->add_source("bank", make_generator({}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::log_locked);
  }
  CHECK(uut->add_source("bank", make_generator({})));
  CHECK(uut->source());
}

TEST_CASE("a feed that nobody takes holds the source back until it may go on") {
  auto directory = temporary_directory{};
  auto options = service_options{};
  SUBCASE("in memory") {
    // nop
  }
  SUBCASE("in a directory with two partitions") {
    options.directory = directory.path();
    options.partitions = 2;
  }
  auto uut = service::open(options);
  REQUIRE(uut);
  auto rules = feed_rules{{"*"}, {}, feed_order::table};
  rules.confirm = confirm_level::sinks;
  REQUIRE(uut->create_feed("archive", rules));
  auto from = generator_options{};
  from.tables = 8; // some in each partition
  from.transactions = 100;
  REQUIRE(uut->add_source("bank", make_generator(from)));
  auto soon = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  auto wait_until = [&](auto holds) {
    for (auto x = uut->source(); !x || !holds(*x); x = uut->source()) {
      REQUIRE(std::chrono::steady_clock::now() < soon);
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  };
  wait_until([](const source_status& x) { return x.idle && x.held_by; });
  CHECK(uut->source()->confirmed == timestamp{});
  CHECK(uut->source()->held_back
        == "source bank: keeps what came after 0, because feed \"archive\" "
           "(confirm = sinks) has no more yet");
  rules.confirm = confirm_level::log;
  REQUIRE(uut->create_feed("archive", rules));
  wait_until([](const source_status& x) { return x.confirmed >= x.resolved; });
  CHECK(uut->source()->held_back.empty());
}
