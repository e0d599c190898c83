#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "actors/service.hpp"
#include "actors/sources/generator/generator.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

service_options in(const std::string& directory) {
  auto result = service_options{};
  result.directory = directory;
  return result;
}

} // namespace

TEST_CASE("a directory is one service's, whatever its source is called") {
  auto directory = temporary_directory{};
  auto first = std::optional{service::open(in(directory.path()))};
  REQUIRE(first->has_value());
  REQUIRE((*first)->add_source("bank", make_generator({})));
  auto refused = service::open(in(directory.path()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::log_locked);
  CHECK(refused.error().detail.find(directory.path()) == 0);
  CHECK(service::open(in(directory.file("other"))));
  SUBCASE("until it has stopped") {
    auto unflushed = (*first)->stop();
    CHECK(unflushed.empty());
  }
  SUBCASE("until it is gone") {
    first.reset();
  }
  auto second = service::open(in(directory.path()));
  REQUIRE(second);
  CHECK(second->add_source("another_bank", make_generator({})));
}

TEST_CASE("a directory that is not ours is not touched") {
  auto directory = temporary_directory{};
  auto theirs = directory.file("notes.txt");
  std::ofstream{theirs} << "mine";
  auto refused = service::open(in(directory.path()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_option);
  auto files = std::filesystem::directory_iterator{directory.path()};
  CHECK(files->path() == theirs);
  CHECK(++files == std::filesystem::directory_iterator{});
  std::filesystem::remove(theirs);
  // As a new file system has it.
  std::filesystem::create_directory(directory.file("lost+found"));
  CHECK(service::open(in(directory.path())));
}
