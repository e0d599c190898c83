// Delivers a feed to an actor of our own, in our own actor system. The LEDGER
// is a SINK like sluice's: it answers the three messages of a collector shard.
// It also answers a question of ours, so nobody needs a lock. Prints:
//
//   ledger: 2000 changes, 1000 accounts, sum of all balances: 1000000
//   stopped the service; the ledger still answers: 2000 changes
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <thread>
#include <tuple>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/service.hpp"
#include "actors/service_actors.hpp"
#include "actors/sources/generator/generator.hpp"
#include "messages/type_ids.hpp"

// -- what we say to each other ------------------------------------------------

struct totals_query {
  auto fields() { return std::tie(); }
};
struct totals {
  std::uint64_t changes = 0;
  std::uint64_t accounts = 0;
  std::int64_t sum = 0;

  auto fields() { return std::tie(changes, accounts, sum); }
};
using sluice::inspect; // by fields(), as sluice's own messages have it

// Our ids begin where sluice's end.
CAF_BEGIN_TYPE_ID_BLOCK(ledger, caf::id_block::sluice::end)
CAF_ADD_TYPE_ID(ledger, (totals_query))
CAF_ADD_TYPE_ID(ledger, (totals))
CAF_END_TYPE_ID_BLOCK(ledger)

namespace {

/// LEDGER: a SINK with one more handler.
using ledger_actor =
  sluice::sink_actor::extend<caf::replies_to<totals_query>::with<totals>>;

struct ledger_data {
  static inline const char* name = "ledger";

  sluice::incarnation writer; ///< The present opening; 0: none.
  std::uint64_t batch = 0;    ///< The last one of it.
  std::map<sluice::table_id, sluice::table_position> positions;
  sluice::timestamp low_watermark;
  std::map<std::int64_t, std::int64_t> balances;
  std::uint64_t changes = 0;
  std::uint64_t openings = 0;
  sluice::schema_book schemas;
};

ledger_actor::behavior_type
ledger(ledger_actor::stateful_pointer<ledger_data> self) {
  auto answer = [=](auto x) {
    auto to = caf::actor_cast<sluice::collector_shard_actor>(
      self->current_sender());
    self->send(to, std::move(x));
  };
  return {
    // Say where we are: rows after that come. And how this opening is called:
    // what carries another number is of an earlier one and has no effect.
    [=](const sluice::open_sink&) {
      auto& my = self->state;
      my.writer = {++my.openings};
      my.batch = 0;
      auto opened = sluice::sink_opened{my.writer, {}, my.low_watermark};
      for (const auto& [table, position] : my.positions)
        opened.positions.push_back(position);
      answer(std::move(opened));
    },
    // Rows and position together; a target on disk would commit here.
    [=](const sluice::write_rows& x) {
      auto& my = self->state;
      if (x.writer != my.writer)
        return;
      auto items = sluice::by_table(x, my.schemas);
      if (!items)
        return answer(sluice::sink_failed{my.writer, items.error(), true});
      for (const auto& change : sluice::change_batch{*items}) {
        my.balances[change.value("id")->integer] =
          change.value("balance")->integer;
        ++my.changes;
      }
      for (const auto& item : *items)
        my.positions[item.after.table] = item.after;
      my.batch = x.batch;
      answer(sluice::rows_durable{x.writer, x.batch, my.low_watermark});
    },
    // Every row <= ts was sent before this, and we have stored it.
    [=](const sluice::store_watermark& x) {
      auto& my = self->state;
      if (x.writer != my.writer)
        return;
      my.low_watermark = x.ts;
      answer(sluice::rows_durable{x.writer, my.batch, x.ts});
    },
    // For sinks that hand rows on, or commit later.
    [](const sluice::acknowledge&) { /* nop */ },
    [](sluice::tick) { /* nop */ },
    [=](totals_query) {
      const auto& my = self->state;
      auto result = totals{my.changes, my.balances.size(), 0};
      for (auto [id, balance] : my.balances)
        result.sum += balance;
      return result;
    },
  };
}

std::optional<totals> ask(caf::actor_system& system, const ledger_actor& whom) {
  auto self = caf::scoped_actor{system};
  auto result = std::optional<totals>{};
  self->request(whom, std::chrono::seconds{10}, totals_query{})
    .receive([&](const totals& x) { result = x; },
             [](const caf::error&) { /* nop */ });
  return result;
}

int failed(const sluice::error& x) {
  std::fprintf(stderr, "own_actor_system: %s\n", to_string(x).c_str());
  return 2;
}

int run(caf::actor_system& system, const ledger_actor& mine) {
  auto service = sluice::service::open({}, system);
  if (!service)
    return failed(service.error());
  if (auto ok = service->create_feed("ledger"); !ok)
    return failed(ok.error());
  if (auto ok = service->subscribe("ledger", sluice::sink_handle{mine}); !ok)
    return failed(ok.error());
  auto bank = sluice::generator_options{};
  bank.accounts = 1'000;
  bank.transactions = 500; // two changes each
  if (auto ok = service->add_source("bank", sluice::make_generator(bank)); !ok)
    return failed(ok.error());

  auto now = totals{};
  while (now.changes < 2'000) {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    auto answer = ask(system, mine);
    auto feed = service->status_of("ledger");
    if (!answer)
      return failed({sluice::errc::timed_out, "the ledger does not answer"});
    if (!feed || feed->failure)
      return failed(feed ? feed->failure : feed.error());
    now = *answer;
  }
  std::printf("ledger: %ju changes, %ju accounts, sum of all balances: %jd\n",
              std::uintmax_t{now.changes}, std::uintmax_t{now.accounts},
              std::intmax_t{now.sum});
  // Waits for the service's actors, not for ours.
  return service->stop().empty() ? 0 : 1;
}

} // namespace

int main() {
  auto config = caf::actor_system_config{};
  sluice::add_message_types(config); // before the system is made
  config.add_message_types<caf::id_block::ledger>();
  auto system = caf::actor_system{config};
  auto mine = system.spawn(ledger);
  auto result = run(system, mine);
  if (auto now = ask(system, mine); now && result == 0)
    std::printf("stopped the service; the ledger still answers: %ju changes\n",
                std::uintmax_t{now->changes});
  caf::anon_send_exit(mine, caf::exit_reason::user_shutdown);
  return result;
}
