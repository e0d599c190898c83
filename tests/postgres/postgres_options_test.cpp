#include "actors/sources/postgres/postgres_options.hpp"

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("options of a PostgreSQL source that make no sense are refused") {
  auto good = postgres_source_options{};
  good.conninfo = "host=h dbname=d";
  CHECK(good.validate());
  good.conninfo.clear(); // all from the environment
  CHECK(good.validate());

  using change = void (*)(postgres_source_options&);
  const change changes[] = {
    [](postgres_source_options& x) { x.conninfo = "password=my secret"; },
    [](postgres_source_options& x) { x.conninfo = "postgresql://u:p@q@h/d"; },
    [](postgres_source_options& x) { x.tables.include.clear(); },
    [](postgres_source_options& x) { x.slot = ""; },
    [](postgres_source_options& x) { x.slot = "Upper"; },
    [](postgres_source_options& x) { x.slot = std::string(64, 'a'); },
    [](postgres_source_options& x) { x.publication = "a b"; },
    [](postgres_source_options& x) { x.publication = "a'b"; },
    [](postgres_source_options& x) { x.copy_connections = 0; },
    [](postgres_source_options& x) { x.patience = {}; },
    [](postgres_source_options& x) { x.queue_bytes = 0; },
  };
  for (auto make_bad : changes) {
    auto x = good;
    make_bad(x);
    auto valid = x.validate();
    REQUIRE(!valid);
    CAPTURE(to_string(valid.error()));
    CHECK(valid.error().code == errc::invalid_option);
    CHECK(to_string(valid.error()).find("secret") == std::string::npos);
  }
}
