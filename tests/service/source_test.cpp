#include <filesystem>
#include <memory>
#include <string>

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
