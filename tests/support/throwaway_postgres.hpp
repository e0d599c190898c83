#pragma once

#include "actors/sources/postgres/pg_connection.hpp"
#include "tests/support/postgres_server.hpp"

namespace sluice::test {

/// A server of the tests' own. What it throws ends a test with the text.
class throwaway_postgres : public postgres_server {
public:
  using postgres_server::postgres_server;

  /// One server for all tests of a program that want no other settings. Where
  /// there is none `available` says so; tests print `SKIPPED: ` then.
  [[nodiscard]] static throwaway_postgres& shared() {
    static auto server = throwaway_postgres{};
    return server;
  }
};

} // namespace sluice::test
