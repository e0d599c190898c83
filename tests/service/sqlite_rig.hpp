#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "actors/service.hpp"
#include "actors/sources/sqlite/sqlite_source.hpp"
#include "store/sqlite_db.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temporary_directory.hpp"

namespace sluice::test {

/// An application's database, and a service that reads it. Whoever adds what
/// callbacks write to has to let go of `uut` first.
struct sqlite_rig {
  sqlite_rig() {
    auto opened = sqlite_db::open(home.file("app.db"));
    REQUIRE(opened);
    db = std::move(*opened);
    run("PRAGMA journal_mode = WAL");
  }
  void run(const std::string& sql) { REQUIRE(db->exec(sql)); }
  void make_table(const std::string& name) {
    run("CREATE TABLE " + name + " (id INTEGER PRIMARY KEY, text TEXT)");
  }
  /// In `home`, unless it says where.
  void open(service_options options) {
    uut.reset();
    if (options.directory.empty())
      options.directory = home.file("service");
    auto opened = service::open(options);
    INFO((opened ? "" : to_string(opened.error())));
    REQUIRE(opened);
    uut.emplace(std::move(*opened));
  }
  void create_feed(const std::string& name, const std::string& table = "*") {
    auto rules = feed_rules{};
    rules.include = {table};
    REQUIRE(uut->create_feed(name, rules));
  }
  void add_source() {
    auto source = sqlite_source_options{};
    source.path = home.file("app.db");
    REQUIRE(uut->add_source("app", make_sqlite_source(source)));
  }
  /// Delivers a feed, and counts the rows that were inserted.
  void count(const std::string& feed, std::atomic<int>& rows) {
    auto take = [&rows](const change_batch& batch, const acknowledger& done) {
      for (const auto& x : batch)
        rows += x.op() == row_op::insert ? 1 : 0; // no begin of a copy
      done.ack();
      return status{};
    };
    REQUIRE(uut->subscribe(feed, take));
  }
  [[nodiscard]] store_status log() {
    auto x = uut->log();
    REQUIRE(x);
    REQUIRE(x->size() == 1);
    return x->front();
  }

  temporary_directory home;
  std::unique_ptr<sqlite_db> db;
  std::optional<service> uut;
};

} // namespace sluice::test
