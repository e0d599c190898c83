// Follows a bank: a source makes transfers, a function of ours sees each of
// them and keeps the balances. Prints, at the end:
//
//   2000 changes, 1000 accounts, sum of all balances: 1000000
#include <cstdio>
#include <future>
#include <map>

#include "actors/service.hpp"
#include "actors/sources/generator/generator.hpp"

int main() {
  auto service = sluice::service::open({}); // in memory; or .directory = "..."
  if (!service)
    return std::fprintf(stderr, "%s\n", to_string(service.error()).c_str()), 2;

  // A feed has a name, and by it a position that survives restarts.
  if (auto ok = service->create_feed("balances"); !ok)
    return std::fprintf(stderr, "%s\n", to_string(ok.error()).c_str()), 2;

  auto bank = sluice::generator_options{};
  bank.accounts = 1'000;
  bank.transactions = 500; // two changes each
  auto ok = service->add_source("bank", sluice::make_generator(bank));
  if (!ok)
    return std::fprintf(stderr, "%s\n", to_string(ok.error()).c_str()), 2;

  // Called in one thread, batch by batch; rows of a table in commit order.
  auto balances = std::map<std::int64_t, std::int64_t>{};
  auto changes = std::size_t{0};
  auto done = std::promise<void>{};
  ok = service->subscribe(
    "balances",
    [&](const sluice::change_batch& batch,
        sluice::acknowledger acknowledger) -> sluice::status {
      for (const auto& change : batch)
        balances[change.value("id")->integer] =
          change.value("balance")->integer;
      auto before = changes;
      changes += batch.size();
      acknowledger.ack(); // this batch and all before: they don't come again
      if (before < 2'000 && changes >= 2'000)
        done.set_value();
      return {};
    });
  if (!ok)
    return std::fprintf(stderr, "%s\n", to_string(ok.error()).c_str()), 2;

  done.get_future().wait();
  auto unflushed = service->stop(); // in order; nothing is lost either way
  auto sum = std::int64_t{0};
  for (auto [id, balance] : balances)
    sum += balance;
  std::printf("%zu changes, %zu accounts, sum of all balances: %lld\n", changes,
              balances.size(), static_cast<long long>(sum));
  return unflushed.empty() ? 0 : 1;
}
