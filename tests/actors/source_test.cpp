#include "actors/source.hpp"

#include <deque>

#include <doctest/doctest.h>

#include "actors/disk.hpp"
#include "actors/event_store.hpp"
#include "actors/schema_store.hpp"
#include "actors/sources/journal.hpp"
#include "messages/partitioning.hpp"
#include "store/memory_log.hpp"
#include "tests/support/deterministic.hpp"
#include "tests/support/rows.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

/// An upstream with a transaction of two rows, in two tables, at each ts.
struct script : source_connector {
  std::vector<std::uint64_t> commits;
  std::vector<std::uint64_t> tables;
  std::vector<row_cursor> opened;
  std::vector<timestamp> confirmed;
  std::deque<error> failures; // of the next reads
  std::size_t next = 0;

  std::string describe() const override { return "script"; }
  expected<std::vector<ddl_event>> open(const source_position& from,
                                        source_journal&) override {
    opened.push_back(from.resume);
    next = 0;
    while (next < commits.size()
           && commits[next] <= from.resume.commit_ts.value)
      ++next;
    auto result = std::vector<ddl_event>{};
    for (auto table : tables)
      result.push_back(ddl(table, 1, 0));
    return result;
  }
  expected<source_batch> read(std::size_t) override {
    if (!failures.empty()) {
      auto failure = failures.front();
      failures.pop_front();
      return tl::unexpected{failure};
    }
    auto result = source_batch{};
    if (next < commits.size()) {
      auto ts = commits[next++];
      result.rows = block_of(
        {{tables.front(), ts, 0}, {tables.back(), ts, 1}, end_mark});
      result.more = true;
    }
    result.resolved = {next == 0 ? 0 : commits[next - 1]};
    return result;
  }
  expected<bool> confirm(timestamp ts) override {
    confirmed.push_back(ts);
    return false;
  }
  std::chrono::milliseconds idle_wait(std::uint32_t) const override {
    return 10ms;
  }
};

std::shared_ptr<table_history> history() {
  return std::make_shared<table_history>(table_history::in_memory());
}

struct fixture : deterministic {
  std::shared_ptr<script> upstream = std::make_shared<script>();
  std::shared_ptr<source_journal> journal = make_memory_journal();
  schema_store_actor schemas = spawn(schema_store, history(), 1);
  std::vector<event_store_actor> stores;
  source_actor uut;

  void start(std::size_t partitions) {
    // Tables for the first and for the last partition.
    for (auto place : {std::size_t{0}, partitions - 1}) {
      auto table = std::uint64_t{1};
      while (partition_of({table}, partitions) != place)
        ++table;
      upstream->tables.push_back(table);
    }
    if (partitions == 1)
      upstream->tables = {7, 8};
    auto options = source_options{};
    options.partitions.clear();
    for (std::uint64_t i = 1; i <= partitions; ++i) {
      options.partitions.push_back({i});
      auto engine = std::shared_ptr<log_engine>{make_memory_log()};
      auto helper = spawn(disk, disk_options{{i}, {}}, engine->disk());
      auto store = event_store_options{};
      store.partition = {i};
      stores.push_back(
        spawn(event_store, store, engine, helper, rewriter_actor{}));
      send(stores.back(), feeds_loaded{});
    }
    uut = spawn(source, options,
                source_parts{upstream, journal, stores, schemas});
    send(uut, start_source{});
  }
  store_status status_of(std::size_t place) {
    return ask<store_status>(stores[place], store_status_query{});
  }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "Scenario: everything upstream gets into the log") {
  upstream->commits = {20, 40, 60};
  start(1);
  CHECK(status_of(0).rows == 6);
  CHECK(status_of(0).resolved == timestamp{60});
  CHECK(upstream->opened == std::vector<row_cursor>{{}});
  advance(200ms);
  REQUIRE_FALSE(upstream->confirmed.empty());
  CHECK(upstream->confirmed.back() == timestamp{60});
  auto status = ask<source_status>(uut, source_status_query{});
  CHECK(status.rows == 6);
  CHECK(status.confirmed == timestamp{60});
  CHECK(status.confirmed_at == "60");
  CHECK(status.idle);
}

TEST_CASE_FIXTURE(fixture,
                  "Scenario: rows of a transaction over two partitions") {
  upstream->commits = {20, 40};
  start(2);
  CHECK(status_of(0).rows == 2);
  CHECK(status_of(1).rows == 2);
  CHECK(status_of(0).resolved == timestamp{40});
  CHECK(status_of(1).resolved == timestamp{40});
  advance(200ms);
  CHECK(upstream->confirmed.back() == timestamp{40});
  CHECK(journal->note("sluice:confirmed")->value() == "40");
}

TEST_CASE_FIXTURE(fixture, "Scenario: an upstream that comes and goes") {
  upstream->commits = {20, 40};
  upstream->failures = {{errc::source_unavailable, "away"},
                        {errc::source_unavailable, "still away"}};
  start(1);
  CHECK(status_of(0).rows == 0);
  CHECK(ask<source_status>(uut, source_status_query{}).failure.code
        == errc::source_unavailable);
  advance(1s);
  CHECK(upstream->opened.size() == 3);
  CHECK(status_of(0).rows == 4);
  CHECK_FALSE(ask<source_status>(uut, source_status_query{}).failure);
}

TEST_CASE_FIXTURE(fixture, "Scenario: a newer source takes over") {
  upstream->commits = {20, 40};
  start(1);
  auto second = std::make_shared<script>();
  second->commits = {20, 40, 60};
  second->tables = upstream->tables;
  auto options = source_options{};
  options.writer = {2};
  auto newer = spawn(source, options,
                     source_parts{second, journal, stores, schemas});
  send(newer, start_source{});
  CHECK(second->opened.at(0) == row_cursor{{40}, {40}, 1});
  CHECK(status_of(0).rows == 6);
  upstream->commits.push_back(80); // the old one does not know yet
  advance(20ms);
  CHECK(status_of(0).rows == 6);
  CHECK(ask<source_status>(uut, source_status_query{}).failure.code
        == errc::stale_source);
}

TEST_CASE_FIXTURE(fixture, "Scenario: a stopped source reads no further") {
  upstream->commits = {20};
  start(1);
  auto status = ask<source_status>(uut, stop_source{});
  CHECK(status.rows == 2);
  upstream->commits.push_back(40);
  advance(1s);
  CHECK(status_of(0).rows == 2);
}
