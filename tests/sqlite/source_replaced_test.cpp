#include "support_source.hpp"

using namespace sluice;
using namespace sluice::source_test;

namespace {

void make_database(const std::string& path) {
  for (const auto* suffix : {"", "-wal", "-shm"})
    std::filesystem::remove(path + suffix);
  auto app = application{path};
  app.run("PRAGMA journal_mode = WAL");
  app.run("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
}

} // namespace

// A version that starts at 1 again would contradict the history of schemas,
// and the source would stop for good in spite of the consent.
TEST_CASE("The schema of a replaced database is a new version") {
  auto directory = temporary_directory{};
  auto journal = memory_journal{};
  auto options = sqlite_source_options{};
  options.path = directory.file("app.db");
  make_database(options.path);
  auto first = make_sqlite_source(options)->open({}, journal);
  REQUIRE(first);
  REQUIRE(first->size() == 1);
  make_database(options.path);
  options.copy_again = true;
  auto second = make_sqlite_source(options)->open({}, journal);
  REQUIRE(second);
  REQUIRE(second->size() == 1);
  CHECK(second->front().schema.version > first->front().schema.version);
}
