#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

#include "actors/service.hpp"
#include "actors/service_actors.hpp"
#include "actors/sources/generator/generator.hpp"
#include "messages/type_ids.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

// Services that share a process, or an actor system, with others.

namespace {

struct config : caf::actor_system_config {
  config() {
    sluice::add_message_types(*this);
    set("scheduler.max-threads", std::size_t{2});
  }
};

/// The application's own actor, which is none of sluice's business.
caf::behavior doubling(caf::event_based_actor*) {
  return {[](int x) { return 2 * x; }};
}

bool doubles(caf::actor_system& system, const caf::actor& whom) {
  auto self = caf::scoped_actor{system};
  auto result = 0;
  self->request(whom, 5s, 21)
    .receive([&](int x) { result = x; }, [](const caf::error&) { /* nop */ });
  return result == 42;
}

/// What a bank's customer saw, by callback.
struct customer {
  std::map<std::int64_t, std::int64_t> balances;
  std::atomic<std::uint64_t> changes = 0;

  change_callback callback() {
    return [this](const change_batch& batch, const acknowledger& done) {
      for (const auto& x : batch)
        balances[x.value("id")->integer] = x.value("balance")->integer;
      changes += batch.size();
      done.ack();
      return status{};
    };
  }
  [[nodiscard]] std::int64_t sum() const {
    auto result = std::int64_t{0};
    for (auto [id, balance] : balances)
      result += balance;
    return result;
  }
};

generator_options bank_of(std::uint32_t accounts, std::uint64_t transactions) {
  auto x = generator_options{};
  x.seed = accounts;
  x.accounts = accounts;
  x.transactions = transactions;
  return x;
}

std::uint64_t changes_of(const generator_options& x) {
  return x.accounts + 2 * x.transactions;
}

void deliver(service& from, const generator_options& bank, customer& to) {
  REQUIRE(from.create_feed("balances"));
  REQUIRE(from.add_source("bank", make_generator(bank)));
  REQUIRE(from.subscribe("balances", to.callback()));
}

/// What a sink of the application's own has: it outlives the actor.
struct vault {
  std::map<table_id, table_position> positions;
  timestamp low_watermark;
  std::atomic<std::uint64_t> rows = 0;
  std::atomic<std::uint64_t> opened = 0;
};

struct vault_keeper_data {
  static inline const char* name = "vault_keeper";
  incarnation writer;
  std::uint64_t batch = 0;
  schema_book schemas;
};

sink_actor::behavior_type
vault_keeper(sink_actor::stateful_pointer<vault_keeper_data> self,
             const std::shared_ptr<vault>& to) {
  auto answer = [=](auto x) {
    self->send(caf::actor_cast<collector_shard_actor>(self->current_sender()),
               std::move(x));
  };
  return {
    [=](const open_sink&) {
      auto opened = sink_opened{{++to->opened}, {}, to->low_watermark};
      for (const auto& [table, position] : to->positions)
        opened.positions.push_back(position);
      self->state.writer = opened.writer;
      self->state.batch = 0;
      answer(std::move(opened));
    },
    [=](const write_rows& x) {
      if (x.writer != self->state.writer)
        return;
      auto items = by_table(x, self->state.schemas);
      REQUIRE(items);
      for (const auto& item : *items) {
        to->positions[item.after.table] = item.after;
        to->rows += item.count;
      }
      self->state.batch = x.batch;
      answer(rows_durable{x.writer, x.batch, to->low_watermark});
    },
    [=](const store_watermark& x) {
      if (x.writer != self->state.writer)
        return;
      to->low_watermark = x.ts;
      answer(rows_durable{x.writer, self->state.batch, x.ts});
    },
    [](const acknowledge&) { /* nop */ },
    [](tick) { /* nop */ },
  };
}

} // namespace

TEST_CASE("two services in one process do not know of each other") {
  auto north = bank_of(300, 700);
  auto south = bank_of(500, 900);
  auto of_north = customer{};
  auto of_south = customer{};
  auto directory = temporary_directory{};
  auto open = [&](const char* name) {
    auto options = service_options{};
    options.directory = directory.file(name);
    return service::open(options);
  };
  auto first = open("north");
  auto second = open("south");
  REQUIRE(first);
  REQUIRE(second);
  deliver(*first, north, of_north);
  deliver(*second, south, of_south);
  CHECK(comes_true([&] { return of_north.changes >= changes_of(north); }));
  CHECK(first->stop().empty());
  CHECK(comes_true([&] { return of_south.changes >= changes_of(south); }));
  CHECK(second->source());
  CHECK(second->stop().empty());
  CHECK(of_north.changes == changes_of(north));
  CHECK(of_south.changes == changes_of(south));
  CHECK(of_north.sum() == generator_sum(north));
  CHECK(of_south.sum() == generator_sum(south));
}

TEST_CASE("a service that stops leaves the application's actors alone") {
  auto directory = temporary_directory{};
  auto options = service_options{};
  options.directory = directory.path();
  auto cfg = config{};
  auto system = caf::actor_system{cfg};
  auto mine = system.spawn(doubling);
  auto before = system.registry().running();
  auto bank = bank_of(300, 700);
  auto seen = customer{};
  {
    auto uut = service::open(options, system);
    REQUIRE(uut);
    deliver(*uut, bank, seen);
    CHECK(comes_true([&] { return seen.changes >= changes_of(bank); }));
    CHECK(uut->stop().empty());
    CHECK(system.registry().running() == before);
    CHECK(doubles(system, mine));
  }
  {
    // The log is free again, and the feed goes on where it was.
    auto uut = service::open(options, system);
    REQUIRE(uut);
    auto more = bank;
    more.transactions += 100;
    deliver(*uut, more, seen);
    CHECK(comes_true([&] { return seen.changes >= changes_of(more); }));
    CHECK(seen.sum() == generator_sum(more));
  } // Without stop().
  CHECK(seen.changes == changes_of(bank) + 200);
  CHECK(system.registry().running() == before);
  CHECK(doubles(system, mine));
  caf::anon_send_exit(mine, caf::exit_reason::user_shutdown);
}

TEST_CASE("two services share an actor system of the application's") {
  auto cfg = config{};
  auto system = caf::actor_system{cfg};
  auto north = bank_of(300, 700);
  auto south = bank_of(500, 900);
  auto of_north = customer{};
  auto of_south = customer{};
  auto first = service::open({}, system);
  auto second = service::open({}, system);
  REQUIRE(first);
  REQUIRE(second);
  deliver(*first, north, of_north);
  CHECK(comes_true([&] { return of_north.changes >= changes_of(north); }));
  CHECK(first->stop().empty());
  deliver(*second, south, of_south);
  CHECK(comes_true([&] { return of_south.changes >= changes_of(south); }));
  CHECK(second->stop().empty());
  CHECK(of_north.changes == changes_of(north));
  CHECK(of_south.sum() == generator_sum(south));
}

TEST_CASE("an actor of the application's is a sink, and outlives the service") {
  auto cfg = config{};
  auto system = caf::actor_system{cfg};
  auto to = std::make_shared<vault>();
  auto keeper = system.spawn(vault_keeper, to);
  auto bank = bank_of(300, 700);
  {
    auto uut = service::open({}, system);
    REQUIRE(uut);
    REQUIRE(uut->create_feed("vault"));
    REQUIRE(uut->add_source("bank", make_generator(bank)));
    REQUIRE(uut->subscribe("vault", sink_handle{keeper}));
    REQUIRE(uut->create_feed("other"));
    auto twice = uut->subscribe("other", sink_handle{keeper});
    REQUIRE_FALSE(twice);
    CHECK(twice.error().code == errc::invalid_option);
    CHECK(comes_true([&] { return to->rows >= changes_of(bank); }));
    // It goes on from the position that the sink names.
    REQUIRE(uut->unsubscribe("vault"));
    REQUIRE(uut->subscribe("vault", sink_handle{keeper}));
    CHECK(comes_true([&] {
      auto x = uut->status_of("vault");
      return x && x->tables == 1 && x->unflushed.empty();
    }));
    CHECK(uut->stop().empty());
  }
  CHECK(to->opened == 2);
  CHECK(to->rows == changes_of(bank));
  CHECK(system.registry().running() == 1);
  caf::anon_send_exit(keeper, caf::exit_reason::user_shutdown);
}

TEST_CASE("a feed stops when its sink's actor ends, and takes another one") {
  auto cfg = config{};
  auto system = caf::actor_system{cfg};
  auto to = std::make_shared<vault>();
  auto keeper = system.spawn(vault_keeper, to);
  auto bank = bank_of(300, 700);
  auto uut = service::open({}, system);
  REQUIRE(uut);
  REQUIRE(uut->create_feed("vault"));
  REQUIRE(uut->subscribe("vault", sink_handle{keeper}));
  caf::anon_send_exit(keeper, caf::exit_reason::user_shutdown);
  CHECK(comes_true([&] {
    auto x = uut->status_of("vault");
    return x && x->failure.code == errc::stopped;
  }));
  REQUIRE(uut->add_source("bank", make_generator(bank)));
  REQUIRE(uut->unsubscribe("vault"));
  auto next = system.spawn(vault_keeper, to);
  REQUIRE(uut->subscribe("vault", sink_handle{next}));
  CHECK(comes_true([&] { return to->rows >= changes_of(bank); }));
  CHECK(uut->stop().empty());
  CHECK(to->rows == changes_of(bank));
  caf::anon_send_exit(next, caf::exit_reason::user_shutdown);
}

TEST_CASE("what a callback holds is let go when its subscription ends") {
  auto held = std::make_shared<int>();
  auto callback = [held](const change_batch&, const acknowledger&) {
    return status{};
  };
  auto uut = service::open({});
  REQUIRE(uut);
  REQUIRE(uut->create_feed("balances"));
  auto before = held.use_count();
  REQUIRE(uut->subscribe("balances", callback));
  CHECK(held.use_count() > before);
  REQUIRE(uut->unsubscribe("balances"));
  CHECK(held.use_count() == before);
  REQUIRE(uut->subscribe("balances", callback));
  CHECK(uut->stop().empty());
  CHECK(held.use_count() == before);
}

TEST_CASE("a stopped service says so and starts nothing") {
  auto cfg = config{};
  auto system = caf::actor_system{cfg};
  auto uut = service::open({}, system);
  REQUIRE(uut);
  REQUIRE(uut->create_feed("balances"));
  CHECK(uut->stop().empty());
  CHECK(uut->stop().empty());
  auto seen = customer{};
  auto stopped = [](const auto& x) {
    return !x && x.error().code == errc::stopped;
  };
  CHECK(stopped(uut->subscribe("balances", seen.callback())));
  CHECK(stopped(uut->add_source("bank", make_generator({}))));
  CHECK(stopped(uut->status_of("balances")));
  CHECK(stopped(uut->source()));
  CHECK(system.registry().running() == 0);
}

TEST_CASE("what cannot work in an actor system is refused in one line") {
  auto cfg = config{};
  auto system = caf::actor_system{cfg};
  auto uut = service::open({}, system);
  REQUIRE(uut);
  REQUIRE(uut->create_feed("vault"));
  auto none = uut->subscribe("vault", sink_handle{});
  REQUIRE_FALSE(none);
  CHECK(none.error().code == errc::invalid_option);
  {
    auto other_cfg = config{};
    auto other = caf::actor_system{other_cfg};
    auto keeper = other.spawn(vault_keeper, std::make_shared<vault>());
    auto refused = uut->subscribe("vault", sink_handle{keeper});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::invalid_option);
    caf::anon_send_exit(keeper, caf::exit_reason::user_shutdown);
  }
  auto bare_cfg = caf::actor_system_config{};
  bare_cfg.set("scheduler.max-threads", std::size_t{1});
  auto bare = caf::actor_system{bare_cfg};
  auto refused = service::open({}, bare);
  REQUIRE_FALSE(refused);
  CHECK(to_string(refused.error()).find("add_message_types")
        != std::string::npos);
}
