// Four consumers of one source, each with a feed of its own: one sleeps, one
// throws, one takes rows and acknowledges none, one is fast. The first three
// behave like that until the fast one has everything: if it were held up by
// one of them, it would never get there, and this program would say so.
//
// A table shows meanwhile how far each is, on stderr; the verdict goes to
// stdout. Exit status: 0, 1 if the verdict is bad, 2 after an error.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "actors/service.hpp"
#include "actors/sources/generator/generator.hpp"

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

/// What a consumer has taken. Changes that come again are known by their
/// cursors; `taken` counts each once.
struct consumer {
  const char* name;
  std::atomic<std::uint64_t> taken = 0;
  std::atomic<std::uint64_t> again = 0;
  std::atomic<std::uint64_t> longest_us = 0; ///< From the source to here.
  sluice::row_cursor last = {};              ///< Only the callback's thread.

  void take(const sluice::change_batch& batch) {
    auto now = static_cast<std::uint64_t>(
      std::chrono::system_clock::now().time_since_epoch() / 1us);
    for (const auto& change : batch) {
      if (change.cursor() <= last) {
        ++again;
        continue;
      }
      last = change.cursor();
      ++taken;
      auto made = std::min(now, change.row.recorded_us());
      longest_us = std::max(longest_us.load(), now - made);
    }
  }
};

/// Everything that callbacks and main share.
struct play {
  std::uint64_t total = 0;
  consumer sleeping{"sleeping"};
  consumer throwing{"throwing"};
  consumer paused{"paused"};
  consumer fast{"fast"};
  std::array<consumer*, 4> all{&sleeping, &throwing, &paused, &fast};
  std::atomic<bool> fast_is_done = false;
  std::mutex guard; // of what follows
  sluice::acknowledger held_back;
};

void subscribe_all(sluice::service& service, play& on,
                   const std::function<void(sluice::status)>& check) {
  auto subscribe = [&](const consumer& who, sluice::change_callback callback) {
    check(service.subscribe(who.name, std::move(callback)));
  };
  subscribe(on.sleeping, [&on](const auto& batch, const auto& done) {
    std::this_thread::sleep_for(on.fast_is_done ? 1ms : 100ms);
    on.sleeping.take(batch);
    done.ack();
    return sluice::status{};
  });
  subscribe(
    on.throwing, [&on, calls = 0](const auto& batch, const auto& done) mutable {
      on.throwing.take(batch);
      if (!on.fast_is_done && ++calls % 3 == 0)
        throw std::runtime_error{"the third call fails"}; // and comes again
      done.ack();
      return sluice::status{};
    });
  subscribe(on.paused, [&on](const auto& batch, const auto& done) {
    on.paused.take(batch);
    auto lock = std::lock_guard{on.guard};
    on.held_back = done; // it speaks for all batches before it
    if (on.fast_is_done)
      done.ack();
    return sluice::status{};
  });
  subscribe(on.fast, [&on](const auto& batch, const auto& done) {
    on.fast.take(batch);
    done.ack();
    return sluice::status{};
  });
}

/// The others may go on. An acknowledgement may come from any thread.
void release(play& on) {
  auto lock = std::lock_guard{on.guard};
  on.fast_is_done = true;
  on.held_back.ack();
}

// -- the table ----------------------------------------------------------------

std::string state_of(const consumer& who, const play& on,
                     const sluice::feed_status& feed) {
  if (feed.failure)
    return "called again soon: " + feed.failure.detail;
  if (feed.checkpoint >= feed.resolved && who.taken == on.total)
    return "has everything";
  auto held = who.taken - std::min<std::uint64_t>(who.taken, feed.rows_durable);
  if (&who == &on.paused && !on.fast_is_done)
    return fmt::format("holds {} unacknowledged", held);
  return "running";
}

/// Stays where it is on a terminal; a line a second elsewhere.
class table {
public:
  void show(sluice::service& service, const play& on) {
    auto now = clock_type::now();
    if (now - shown_ < (terminal_ ? 100ms : 1000ms))
      return;
    shown_ = now;
    auto source = service.source();
    auto made = source ? source->rows : 0;
    auto text = std::string{};
    if (terminal_)
      text = fmt::format("{}{:<10}{:>8}{:>8}  state\x1b[K\n",
                         std::exchange(drawn_, true) ? "\x1b[5A" : "", "feed",
                         "rows", "lag");
    for (const auto* who : on.all) {
      auto feed = service.status_of(who->name);
      auto lag = made - std::min<std::uint64_t>(made, who->taken);
      auto state = feed ? state_of(*who, on, *feed) : to_string(feed.error());
      text += terminal_ ? fmt::format("{:<10}{:>8}{:>8}  {:.50}\x1b[K\n",
                                      who->name, who->taken.load(), lag, state)
                        : fmt::format("{} {} (lag {}, {}) ", who->name,
                                      who->taken.load(), lag, state);
    }
    fmt::print(stderr, "{}{}", text, terminal_ ? "" : "\n");
  }

private:
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool drawn_ = false;
  clock_type::time_point shown_;
};

/// @returns Whether it came true in time.
bool watch(sluice::service& service, play& on, table& shown,
           const std::function<bool()>& what) {
  auto until = clock_type::now() + 20s;
  while (!what() && clock_type::now() < until) {
    shown.show(service, on);
    std::this_thread::sleep_for(5ms);
  }
  return what();
}

int run() {
  auto bank = sluice::generator_options{};
  bank.accounts = 1'000;
  bank.transactions = 20'000;
  bank.rows_per_second = 20'000; // two seconds
  bank.record_time = true;
  auto on = play{};
  on.total = bank.accounts + 2 * bank.transactions;

  auto options = sluice::service_options{};
  options.credit_bytes = 64 << 10; // who does not acknowledge stops early
  auto service = sluice::service::open(options);
  if (!service)
    throw std::runtime_error{to_string(service.error())};
  auto check = [](const sluice::status& x) {
    if (!x)
      throw std::runtime_error{to_string(x.error())};
  };
  for (const auto* who : on.all)
    check(service->create_feed(who->name));
  subscribe_all(*service, on, check);
  check(service->add_source("bank", sluice::make_generator(bank)));

  auto shown = table{};
  auto first = watch(*service, on, shown,
                     [&] { return on.fast.taken == on.total; });
  auto others_wait = on.sleeping.taken < on.total
                     && on.throwing.taken < on.total
                     && on.paused.taken < on.total;
  release(on);
  watch(*service, on, shown, [&] {
    return std::all_of(on.all.begin(), on.all.end(),
                       [&](const auto* who) { return who->taken == on.total; });
  });
  auto flushed = service->stop().empty();

  auto good = first && others_wait && flushed;
  for (const auto* who : on.all) {
    auto all = who->taken == on.total;
    good = good && all;
    fmt::print("{:<9} {}\n", who->name,
               all ? fmt::format("has all {} changes, in order", on.total)
                   : fmt::format("lacks {} changes", on.total - who->taken));
    fmt::print(stderr, "{}: {} came again, the longest delay was {} ms\n",
               who->name, who->again.load(), who->longest_us / 1'000);
  }
  fmt::print("fast had everything while the others did not: {}\n",
             first && others_wait ? "it was not held up"
                                  : "NO, it was held up");
  return good ? 0 : 1;
}

} // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& x) {
    fmt::print(stderr, "slow_and_fast: {}\n", x.what());
    return 2;
  }
}
