// The contract of log_engine.hpp: durability, counters and errors. A restart
// here is one without a sync before: what was appended survives a kill.

#include "tests/store/each_engine.hpp"

using namespace log_test;

TEST_CASE("a restart finds what was appended, synced or not") {
  with_each_durable_engine([](durable_log& uut) {
    put(*uut.log, {{1, 10}, {2, 11}}, 11);
    SUBCASE("synced") {
      REQUIRE(sync(*uut.log).has_value());
    }
    SUBCASE("only written") {
      // nop
    }
    put(*uut.log, {{1, 20, false}, {1, 21}}, 21);
    uut.reopen();
    CHECK(uut.log->last() == block_index{2});
    CHECK(uut.log->last_closed() == block_index{2});
    CHECK(uut.log->synced_to() == block_index{2});
    CHECK(uut.log->begin_sync().segments.empty());
    CHECK(uut.log->appended_to() == cursor(21));
    CHECK(uut.log->resolved() == timestamp{21});
    CHECK(uut.log->tables() == std::vector<table_id>{{1}, {2}});
    CHECK(scan(*uut.log, 1) == numbers{10, 20, 21});
    CHECK(scan(*uut.log, 2) == numbers{11});
    put(*uut.log, {{1, 30}});
    CHECK(uut.log->last() == block_index{3});
  });
}

TEST_CASE("a restart forgets the rows behind the last end mark") {
  with_each_durable_engine([](durable_log& uut) {
    put(*uut.log, {{1, 10}});
    put(*uut.log, {{1, 20}, {2, 21, false}}, 20);
    put(*uut.log, {{2, 22, false}}, 22);
    uut.reopen();
    CHECK(uut.log->last() == block_index{2});
    CHECK(uut.log->last_closed() == block_index{2});
    CHECK(uut.log->appended_to() == cursor(20));
    CHECK(uut.log->resolved() == timestamp{0});
    CHECK(uut.log->tables() == std::vector<table_id>{{1}});
    CHECK(uut.log->stats().bytes_cut > 0);
    CHECK(scan(*uut.log, 1) == numbers{10, 20});
    uut.reopen();
    CHECK(uut.log->stats().bytes_cut == 0);
    put(*uut.log, {{2, 21}});
    CHECK(uut.log->last() == block_index{3});
    CHECK(scan(*uut.log, 2) == numbers{21});
  });
}

TEST_CASE("what abandon_open forgot stays forgotten over a restart") {
  with_each_durable_engine([](durable_log& uut) {
    put(*uut.log, {{1, 10}, {2, 11, false}});
    put(*uut.log, {{2, 12, false}});
    REQUIRE(uut.log->abandon_open().has_value());
    put(*uut.log, {{3, 13}});
    uut.reopen();
    CHECK(uut.log->last() == block_index{2});
    CHECK(scan(*uut.log, 1) == numbers{10});
    CHECK(scan(*uut.log, 2).empty());
    CHECK(scan(*uut.log, 3) == numbers{13});
  });
}

TEST_CASE("what was let go of stays gone, and indices go on") {
  with_each_durable_engine([](durable_log& uut) {
    for (std::uint64_t i = 1; i <= 9; ++i)
      put(*uut.log, {{1, 10 * i}}, 10 * i);
    REQUIRE(sync(*uut.log).has_value());
    auto gone = uut.log->release(floor_at(99));
    auto before = scan(*uut.log, 1);
    SUBCASE("removed") {
      REQUIRE(uut.log->disk()->remove(gone).has_value());
    }
    SUBCASE("killed before") {
      // nop
    }
    uut.reopen();
    CHECK(scan(*uut.log, 1) == before);
    CHECK(uut.log->last() == block_index{9});
    CHECK(uut.log->appended_to() == cursor(90));
    CHECK(uut.log->resolved() == timestamp{90});
    CHECK(put(*uut.log, {{1, 90}}) == nullptr);
    put(*uut.log, {{1, 100}});
    CHECK(uut.log->last() == block_index{10});
    for (auto number : gone) {
      auto block = uut.log->disk()->read({number, 4096, 200});
      REQUIRE_FALSE(block.has_value());
      CHECK(block.error().code == errc::out_of_range);
    }
  });
}

TEST_CASE("what is written after an order is not durable by it") {
  with_each_durable_engine([](durable_log& uut) {
    auto& log = *uut.log;
    put(log, {{1, 10}});
    CHECK(log.synced_to() == block_index{0});
    auto order = log.begin_sync();
    CHECK_FALSE(order.segments.empty());
    put(log, {{1, 20}});
    CHECK(log.synced_to() == block_index{0});
    REQUIRE(log.disk()->sync(order).has_value());
    log.synced(order);
    CHECK(log.synced_to() == block_index{1});
    CHECK_FALSE(log.begin_sync().segments.empty());
    log.synced(order); // says nothing new
    CHECK(log.synced_to() == block_index{1});
    REQUIRE(sync(log).has_value());
    CHECK(log.synced_to() == block_index{2});
  });
}

TEST_CASE("the counters say what is there and what was") {
  with_each_engine([](log_engine& log) {
    CHECK(log.stats().rows_appended == 0);
    CHECK(log.stats().blocks == 0);
    CHECK(log.stats().memory_bytes == 0);
    put(log, {{1, 10}, {1, 20}});
    put(log, {{1, 20}, {1, 30}, {2, 40, false}});
    auto full = log.stats();
    CHECK(full.rows_appended == 4);
    CHECK(full.rows_repeated == 1);
    CHECK(full.blocks == 2);
    CHECK(full.segments >= 1);
    REQUIRE(log.abandon_open().has_value());
    CHECK(log.stats().blocks == 2);
    CHECK(log.stats().rows_appended == 4);
    REQUIRE(sync(log).has_value());
    auto gone = log.release(floor_at(30));
    auto rest = log.stats();
    CHECK(rest.blocks + gone.size() >= 2);
    CHECK(rest.segments_removed <= gone.size());
    CHECK(rest.memory_bytes <= full.memory_bytes);
    CHECK(rest.rows_appended == 4);
  });
}

TEST_CASE("the bytes on disk grow with the rows and shrink with a release") {
  with_each_durable_engine([](durable_log& uut) {
    auto& log = *uut.log;
    for (std::uint64_t i = 1; i <= 9; ++i) {
      auto before = log.stats().disk_bytes;
      put(log, {{1, 10 * i, true, std::string(1000, 'a')}});
      CHECK(log.stats().disk_bytes >= before + 1000);
    }
    REQUIRE(sync(log).has_value());
    auto full = log.stats().disk_bytes;
    auto gone = log.release(floor_at(90));
    CHECK((gone.empty() || log.stats().disk_bytes < full));
  });
}

TEST_CASE("a directory has one log at a time") {
  with_each_durable_engine([](durable_log& uut) {
    put(*uut.log, {{1, 10}});
    auto path = uut.directory.path();
    auto second = segment_log::open({path, 1, 1, nullptr});
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == errc::log_locked);
#ifdef SLUICE_ROCKSDB
    auto third = open_rocksdb_log({path});
    REQUIRE_FALSE(third.has_value());
    CHECK(third.error().code == errc::log_locked);
    CHECK(third.error().detail.find(path) != std::string::npos);
#endif
    CHECK(scan(*uut.log, 1) == numbers{10});
  });
}
