// Whether memory holds, and the others keep their pace, while six consumers
// stand still, one is slow and one fails. The stopped ones take nothing for
// 30 s, in which the source makes more than eight times the memory budget. Then
// all go on, and each must get every row, in order.
//
//   stopped_sink [--stop 30] [--stopped 6] [--rows-per-second 150000]
//
// Exits with 1 if one of the demands that it prints is not met.
#include <atomic>
#include <deque>
#include <fstream>
#include <thread>

#include <CLI/CLI.hpp>

#include "actors/service.hpp"
#include "actors/sources/generator/generator.hpp"
#include "tests/bench/bench.hpp"

namespace {

using namespace sluice;
using namespace sluice::bench;
using std::chrono::milliseconds;

struct settings {
  int stop = 30;   ///< Seconds.
  int before = 10; ///< Seconds for the rate to compare with.
  int stopped = 6; ///< Consumers.
  std::uint64_t rows_per_second = 150'000;
};

constexpr auto mib = std::uint64_t{1} << 20;
constexpr auto budget = 64 * mib;
constexpr auto spare = 64 * mib;

/// Updates of 255 bytes, inserts of 156.
generator_options bank_of(const settings& how) {
  auto result = generator_options{};
  result.tables = 16;
  result.transfers_per_transaction = 10;
  result.payload_bytes = 74;
  result.rows_per_second = how.rows_per_second;
  // Eleven rows each, and as many seconds again to see the end.
  auto seconds = static_cast<std::uint64_t>(how.before + how.stop + 5);
  result.transactions = how.rows_per_second * seconds / 11;
  return result;
}

enum class conduct { steady, stopped, slow, failing };

/// A consumer that behaves as it is told. Written in the sink's thread.
class consumer {
public:
  consumer(std::string name, conduct trouble)
    : name_{std::move(name)}, trouble_{trouble} {
    // nop
  }

  status take(const change_batch& batch, const acknowledger& done) {
    auto how = in_trouble_ ? trouble_ : conduct::steady;
    if (how == conduct::failing)
      return fail(errc::sink_unavailable, "fails, as it was told");
    if (how == conduct::slow)
      std::this_thread::sleep_for(milliseconds{50});
    while (in_trouble_ && trouble_ == conduct::stopped)
      std::this_thread::sleep_for(milliseconds{10});
    for (const auto& x : batch) {
      auto at = x.cursor();
      if (at <= last_)
        continue; // a repeat after a failure
      last_ = at;
      ++rows_;
    }
    done.ack();
    return {};
  }
  void trouble(bool on) { in_trouble_ = on; }
  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] conduct kind() const { return trouble_; }

private:
  std::string name_;
  conduct trouble_;
  row_cursor last_;
  std::atomic<bool> in_trouble_{false};
  std::atomic<std::uint64_t> rows_{0};
};

/// Looks at the resident set each 100 ms.
class memory_watch {
public:
  ~memory_watch() { stop(); }
  std::uint64_t stop() {
    ending_ = true;
    if (thread_.joinable())
      thread_.join();
    return highest_;
  }

private:
  void run() {
    while (!ending_) {
      auto file = std::ifstream{"/proc/self/statm"};
      auto size = std::uint64_t{0};
      auto resident = std::uint64_t{0};
      file >> size >> resident;
      highest_ = std::max(highest_, resident * page_);
      std::this_thread::sleep_for(milliseconds{100});
    }
  }
  std::uint64_t page_ = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::uint64_t highest_ = 0; // read once the thread has ended
  std::atomic<bool> ending_{false};
  std::thread thread_{[this] { run(); }};
};

bool demand(const char* what, bool met) {
  fmt::print("{} {}\n", met ? "  ok    " : "  FAILED", what);
  return met;
}

class experiment {
public:
  explicit experiment(const settings& how) : how_{how} {
    consumers_.emplace_back("steady_1", conduct::steady);
    consumers_.emplace_back("steady_2", conduct::steady);
    for (auto i = 1; i <= how.stopped; ++i)
      consumers_.emplace_back("stopped_" + std::to_string(i), conduct::stopped);
    consumers_.emplace_back("slow", conduct::slow);
    consumers_.emplace_back("failing", conduct::failing);
    for (auto& x : consumers_) {
      need(service_.create_feed(x.name()));
      need(service_.subscribe(
        x.name(), [&x](const change_batch& batch, const acknowledger& done) {
          return x.take(batch, done);
        }));
    }
    need(service_.add_source("bank", make_generator(bank_of(how))));
  }

  bool run() {
    wait_for_rows(how_.rows_per_second);
    auto before = pace(how_.before);
    for (auto& x : consumers_)
      x.trouble(true);
    auto made = need(service_.source()).rows;
    auto during = pace(how_.stop);
    made = need(service_.source()).rows - made;
    auto taken = std::vector<std::uint64_t>{};
    for (auto& x : consumers_) {
      taken.push_back(x.rows());
      x.trouble(false);
    }
    auto complete = finish();
    return report(before, during, made, taken, complete);
  }

private:
  using rates = std::vector<double>;

  void wait_for_rows(std::uint64_t rows) {
    while (consumers_[0].rows() < rows)
      std::this_thread::sleep_for(milliseconds{10});
  }

  /// Rows a second of each consumer.
  rates pace(int seconds) {
    auto begin = bench::clock::now();
    auto from = std::vector<std::uint64_t>{};
    for (const auto& x : consumers_)
      from.push_back(x.rows());
    std::this_thread::sleep_for(std::chrono::seconds{seconds});
    auto passed = seconds_since(begin);
    auto result = rates{};
    for (std::size_t i = 0; i < from.size(); ++i)
      result.push_back(static_cast<double>(consumers_[i].rows() - from[i])
                       / passed);
    return result;
  }

  /// Whether each consumer has every row in the end.
  bool finish() {
    auto begin = bench::clock::now();
    auto source = need(service_.source());
    auto all = [&] {
      return std::all_of(
        consumers_.begin(), consumers_.end(),
        [&](const auto& x) { return x.rows() == source.rows; });
    };
    while (!source.idle || !all()) {
      if (seconds_since(begin) > 120)
        return false;
      std::this_thread::sleep_for(milliseconds{50});
      source = need(service_.source());
    }
    return service_.stop(std::chrono::seconds{30}).empty();
  }

  bool report(const rates& before, const rates& during, std::uint64_t made,
              const std::vector<std::uint64_t>& taken, bool complete) {
    auto highest = watch_.stop();
    fmt::print("{:<10} {:>14} {:>16} {:>18} {:>14}\n", "consumer",
               "rows/s before", "rows/s meanwhile", "rows when it ended",
               "rows in all");
    auto kept = true;
    for (std::size_t i = 0; i < consumers_.size(); ++i) {
      const auto& x = consumers_[i];
      fmt::print("{:<10} {:>14} {:>16} {:>18} {:>14}\n", x.name(),
                 grouped(before[i]), grouped(during[i]), taken[i], x.rows());
      if (x.kind() == conduct::steady)
        kept = kept && during[i] >= 0.8 * before[i];
    }
    auto bytes = made * 255;
    fmt::print("meanwhile the source made {} rows, about {} MiB: {:.1f} x the "
               "budget of {} MiB\nhighest resident set: {} MiB\n",
               made, bytes / mib,
               static_cast<double>(bytes) / static_cast<double>(budget),
               budget / mib, highest / mib);
    auto ok = demand("the source made at least 8 x the budget",
                     bytes >= 8 * budget);
    ok &= demand("the resident set stayed below the budget + 64 MiB",
                 highest < budget + spare);
    ok &= demand("the others kept 80 % of their rate", kept);
    ok &= demand("every consumer got every row", complete);
    return ok;
  }

  static service open(const scratch& place) {
    auto options = service_options{};
    options.directory = place.file("state");
    options.memory_budget = budget;
    return need(sluice::service::open(options));
  }

  settings how_;
  memory_watch watch_;
  scratch place_;
  std::deque<consumer> consumers_; // callbacks refer to them
  service service_ = open(place_);
};

} // namespace

int main(int argc, char** argv) {
  auto how = settings{};
  auto app = CLI::App{"Memory and pace while one consumer stands still."};
  app.add_option("--stop", how.stop, "Seconds")->check(CLI::PositiveNumber);
  app.add_option("--before", how.before, "Seconds")->check(CLI::PositiveNumber);
  app.add_option("--stopped", how.stopped, "Consumers")
    ->check(CLI::PositiveNumber);
  app.add_option("--rows-per-second", how.rows_per_second, "Of the source")
    ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return experiment{how}.run() ? 0 : 1;
}
