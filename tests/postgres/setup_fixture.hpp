#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "actors/sources/postgres/pg_setup.hpp"
#include "tests/support/throwaway_postgres.hpp"

/// What the tests of the set-up share.
namespace sluice::setup_test {

using level = postgres::finding::level;
using postgres::connection;
using postgres::finding;
using postgres::report;
using test::throwaway_postgres;

inline bool skipped() {
  if (throwaway_postgres::available())
    return false;
  std::puts("SKIPPED: no PostgreSQL server on this machine");
  return true;
}

inline connection opened(const std::string& conninfo,
                         connection::kind how = connection::kind::plain) {
  auto result = connection::open(conninfo, how);
  INFO((result ? std::string{} : to_string(result.error())));
  REQUIRE(result);
  return std::move(*result);
}

inline std::string printed(const finding& x) {
  constexpr const char* levels[] = {"good", "warning", "missing", "broken"};
  auto result = std::string{levels[static_cast<int>(x.how)]} + ' ' + x.what
                + ": " + x.detail + '\n';
  for (const auto& sql : x.sql)
    result += "  " + sql + '\n';
  return result + "  " + x.remedy + '\n';
}

inline std::string printed(const report& x) {
  auto result = std::string{};
  for (const auto& found : x.findings)
    result += printed(found);
  return result;
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A database, and what is to be captured of it. Slot and publication have its
/// name: slots are the server's.
class desk {
public:
  explicit desk(throwaway_postgres& on) : server{on}, db{on.make_database()} {
    options.conninfo = server.conninfo(db);
    options.slot = db;
    options.publication = db;
  }
  desk() : desk{throwaway_postgres::shared()} {
    // nop
  }
  desk(const desk&) = delete;
  desk& operator=(const desk&) = delete;
  ~desk() {
    server.run("postgres", "SELECT pg_drop_replication_slot(slot_name)"
                           " FROM pg_replication_slots WHERE NOT active"
                           " AND database = '"
                             + db + "'");
  }

  void run(const std::string& sql) { server.run(db, sql); }
  [[nodiscard]] std::string ask(const std::string& sql) {
    return server.ask(db, sql);
  }
  [[nodiscard]] report examined() const {
    auto to = opened(options.conninfo);
    auto result = postgres::examine(to, options);
    INFO((result ? std::string{} : to_string(result.error())));
    REQUIRE(result);
    return *result;
  }
  /// The first one about `what` that is not good; else the first.
  [[nodiscard]] finding found(const std::string& what) const {
    auto all = examined();
    auto is_it = [&](const finding& x) { return x.what == what; };
    auto is_bad = [&](const finding& x) {
      return x.what == what && x.how != level::good;
    };
    auto& list = all.findings;
    auto first = std::find_if(list.begin(), list.end(), is_bad);
    if (first == list.end())
      first = std::find_if(list.begin(), list.end(), is_it);
    INFO(what);
    INFO(printed(all));
    REQUIRE(first != list.end());
    return *first;
  }
  /// As pasted into psql by a superuser.
  void paste(const std::vector<std::string>& sql) {
    auto to = opened(server.conninfo(db));
    for (const auto& x : sql) {
      auto done = to.run(x);
      INFO(x);
      INFO((done ? std::string{} : to_string(done.error())));
      REQUIRE(done);
    }
  }
  /// What stops rows is mended by exactly the SQL that is printed.
  void mend() {
    for (const auto& x : examined().findings)
      if (x.how == level::missing || x.how == level::broken)
        paste(x.sql);
  }
  /// Nothing is in the way of rows, also of a source that makes nothing.
  [[nodiscard]] std::string obstacle() const {
    auto all = examined();
    const auto* first = all.obstacle(false);
    return first == nullptr ? "" : printed(*first);
  }
  /// Qualified names of what would be captured.
  [[nodiscard]] std::vector<std::string> captured() const {
    auto result = std::vector<std::string>{};
    for (const auto& x : examined().tables)
      result.push_back(x.qualified());
    return result;
  }

  throwaway_postgres& server;
  std::string db;
  postgres_source_options options;
};

inline void make_table(desk& on, const std::string& name = "t") {
  on.run("CREATE TABLE " + name + " (id int PRIMARY KEY, n text)");
}

using names = std::vector<std::string>;

} // namespace sluice::setup_test
