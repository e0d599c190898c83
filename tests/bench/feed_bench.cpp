// Rows from a source through the log to consumers, as the programs that sluice
// is compared with do it: the same rows, phases and lines of JSON.
//
//   feed_bench --tables 1000 --consumers 4 --rows 1000000
//     [--random] [--phases ingest,drain,e2e,latency,scale] [--rep 1]
//
// scale: tables that are known get their streams; then what those cost at rest,
// and rows of ten tables among them.
//
// Every consumer checks the order of each table and the number of all rows;
// `ok` says whether that was right, and the exit status.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>

#include <CLI/CLI.hpp>
#include <malloc.h>
#include <sys/resource.h>

#include "actors/service.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/feed_rows.hpp"

namespace {

using namespace sluice;
using namespace sluice::bench;

struct settings {
  std::uint64_t tables = 1;
  std::size_t consumers = 1;
  std::uint64_t rows = 1'000'000;
  std::uint64_t rate = 10'000; ///< Of the phase `latency`, per second.
  std::uint64_t latency_seconds = 3;
  std::size_t block_rows = 1'000;
  std::size_t threads = 2;
  std::uint64_t credit_mib = 16; ///< Of each feed, as the service's default.
  int rep = 1;
  bool random = false;
  std::vector<std::string> phases = {"ingest", "drain", "e2e", "latency"};
};

// -- consumers ----------------------------------------------------------------

/// Checks that the rows of each table rise and that there are as many as
/// there should be. Written in the feed's thread.
class consumer {
public:
  consumer(std::uint64_t tables, bool timed) : last_(tables), timed_{timed} {
    // nop
  }

  status take(const change_batch& batch, const acknowledger& done) {
    auto rows = std::uint64_t{0};
    for (const auto& x : batch) {
      auto note = row_note{};
      auto payload = x.row.after()[1].bytes;
      if (payload.size() != payload_bytes)
        return fail(errc::malformed, "a payload of another size");
      std::memcpy(&note, payload.data(), sizeof note);
      rows += check(note) ? 1 : 0;
    }
    rows_.fetch_add(rows, std::memory_order_release);
    done.ack();
    return {};
  }
  [[nodiscard]] std::uint64_t rows() const {
    return rows_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t wrong() const { return wrong_; }
  [[nodiscard]] const std::vector<double>& microseconds() const {
    return microseconds_;
  }

private:
  bool check(const row_note& x) {
    if (x.table >= last_.size() || x.commit_ts <= last_[x.table]) {
      ++wrong_;
      return false;
    }
    last_[x.table] = x.commit_ts;
    if (timed_)
      microseconds_.push_back(static_cast<double>(nanoseconds_now() - x.sent_ns)
                              / 1000);
    return true;
  }

  std::vector<std::uint64_t> last_; // commit_ts by table
  std::vector<double> microseconds_;
  std::uint64_t wrong_ = 0; // repeated, out of order, or of no table
  std::atomic<std::uint64_t> rows_{0};
  bool timed_;
};

// -- what it took -------------------------------------------------------------

double busy_seconds_of_machine() {
  auto file = std::ifstream{"/proc/stat"};
  auto name = std::string{};
  double user = 0;
  double nice = 0;
  double system = 0;
  double idle = 0;
  double waiting = 0;
  double interrupts = 0;
  double softirq = 0;
  file >> name >> user >> nice >> system >> idle >> waiting >> interrupts
    >> softirq;
  return (user + nice + system + interrupts + softirq)
         / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double cpu_seconds() {
  auto used = rusage{};
  ::getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& x) {
    return static_cast<double>(x.tv_sec)
           + static_cast<double>(x.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double mib_of_status(const std::string& key) {
  auto file = std::ifstream{"/proc/self/status"};
  for (auto line = std::string{}; std::getline(file, line);)
    if (line.starts_with(key))
      return std::stod(line.substr(key.size())) / 1024;
  return 0;
}

/// From its making to `print`.
class phase {
public:
  phase(const settings& how, std::string name)
    : how_{how}, name_{std::move(name)} {
    // nop
  }
  void end() { seconds_ = seconds_since(begin_); }
  void print(std::uint64_t events, bool ok, const std::string& more = {}) {
    if (seconds_ == 0)
      end();
    auto cpu = cpu_seconds() - cpu_;
    auto other = busy_seconds_of_machine() - busy_ - cpu;
    fmt::print(
      R"({{"peer":"sluice","variant":"{}","phase":"{}","T":{},"C":{},"N":{},)"
      R"("payload":{},"rep":{},"secs":{:.4f},"events":{},)"
      R"("events_per_s":{:.0f},)"
      R"("srv_cpu_s":0.00,"cli_cpu_s":{:.2f},"other_cpu_s":{:.2f},)"
      R"("srv_rss_mb":{:.1f},"srv_hwm_mb":{:.1f},"ok":{}{}}})"
      "\n",
      how_.random ? "random" : "callback", name_, how_.tables, how_.consumers,
      how_.rows, payload_bytes, how_.rep, seconds_, events,
      static_cast<double>(events) / seconds_, cpu, other,
      mib_of_status("VmRSS:"), mib_of_status("VmHWM:"), ok, more);
    std::fflush(stdout);
  }

private:
  const settings& how_;
  std::string name_;
  clock::time_point begin_ = clock::now();
  double cpu_ = cpu_seconds();
  double busy_ = busy_seconds_of_machine();
  double seconds_ = 0;
};

// -- one service --------------------------------------------------------------

class run {
public:
  run(const settings& how, bool timed)
    : how_{how}, plan_{std::make_shared<row_plan>()}, service_{
                                                        need(service::open(
                                                          options()))} {
    plan_->tables = how.tables;
    plan_->random = how.random;
    plan_->block_rows = how.block_rows;
    auto rules = feed_rules{};
    rules.order = feed_order::table; // as the peers
    for (std::size_t i = 0; i < how.consumers; ++i) {
      consumers_.push_back(std::make_unique<consumer>(how.tables, timed));
      need(service_.create_feed(name_of(i), rules));
    }
  }

  void subscribe() {
    for (std::size_t i = 0; i < consumers_.size(); ++i)
      need(service_.subscribe(
        name_of(i), [x = consumers_[i].get()](const change_batch& batch,
                                              const acknowledger& done) {
          return x->take(batch, done);
        }));
  }
  /// Its tables are known; no row is made before `produce`.
  void add_source() {
    need(service_.add_source("rows", std::make_unique<row_source>(plan_)));
    wait("the source", [&] {
      auto status = service_.source(); // too busy to answer with many tables
      return status && status->idle;
    });
  }
  /// Each consumer has all tables, and nothing to wait for.
  void wait_for_streams() {
    for (std::size_t i = 0; i < consumers_.size(); ++i)
      wait(name_of(i), [&] {
        auto status = need(service_.status_of(name_of(i)));
        return status.tables == how_.tables && status.unflushed.empty();
      });
  }
  /// Of these tables alone, from now on.
  void heat(std::uint64_t tables) { plan_->hot = tables; }
  void produce(std::uint64_t rows, std::uint64_t per_second = 0) {
    plan_->per_second = per_second;
    plan_->rows = rows;
  }
  void wait_for_log(std::uint64_t rows) {
    // Asking the log what is live costs it more, the more tables there are.
    wait("the source", [&] { return need(service_.source()).rows >= rows; });
    wait("the log", [&] {
      auto sum = std::uint64_t{0};
      for (const auto& x : need(service_.log()))
        sum += x.rows;
      return sum >= rows;
    });
  }
  void wait_for_consumers(std::uint64_t rows) {
    for (std::size_t i = 0; i < consumers_.size(); ++i)
      wait(name_of(i), [&, asked = clock::now()]() mutable {
        if (consumers_[i]->rows() >= rows)
          return true;
        if (seconds_since(asked) > 1) { // it looks at all tables
          asked = clock::now();
          auto wrong = need(service_.status_of(name_of(i))).failure;
          if (wrong.code != errc::none)
            give_up(to_string(wrong));
        }
        return false;
      });
  }
  [[nodiscard]] bool is_right(std::uint64_t rows) const {
    return std::all_of(
      consumers_.begin(), consumers_.end(),
      [&](const auto& x) { return x->rows() == rows && x->wrong() == 0; });
  }
  [[nodiscard]] std::string latencies() const {
    auto all = std::vector<double>{};
    for (const auto& x : consumers_)
      all.insert(all.end(), x->microseconds().begin(), x->microseconds().end());
    std::sort(all.begin(), all.end());
    auto part = [&](double p) { return percentile(all, p); };
    return fmt::format(
      R"(,"p50_us":{:.1f},"p99_us":{:.1f},"p999_us":{:.1f},"max_us":{:.1f},)"
      R"("samples":{},"rate":{})",
      part(.5), part(.99), part(.999), all.back(), all.size(), how_.rate);
  }

private:
  [[nodiscard]] service_options options() const {
    auto result = service_options{};
    result.directory = space_.file("data");
    result.threads = how_.threads;
    result.credit_bytes = how_.credit_mib << 20;
    result.memory_budget = std::max(result.memory_budget,
                                    4 * result.credit_bytes);
    result.sync_interval = std::chrono::seconds{1}; // as the peers
    return result;
  }
  [[nodiscard]] static std::string name_of(std::size_t i) {
    return "feed_" + std::to_string(i);
  }
  template <class Done>
  static void wait(const std::string& who, Done done) {
    auto begin = clock::now();
    for (;;) {
      auto asked = clock::now();
      if (done())
        break;
      if (seconds_since(begin) > 120)
        give_up(who + " did not get ready in 120 s");
      // What is asked may cost what it asks about.
      std::this_thread::sleep_for(
        std::max(clock::duration{std::chrono::milliseconds{1}},
                 5 * (clock::now() - asked)));
    }
  }

  const settings& how_;
  scratch space_;
  std::shared_ptr<row_plan> plan_;
  std::vector<std::unique_ptr<consumer>> consumers_; // outlive the service
  service service_;
};

bool ingest_and_drain(const settings& how, bool with_drain) {
  auto uut = run{how, false};
  uut.add_source();
  auto ingest = phase{how, "ingest"};
  uut.produce(how.rows);
  uut.wait_for_log(how.rows);
  ingest.print(how.rows, true);
  if (!with_drain)
    return true;
  auto drain = phase{how, "drain"};
  uut.subscribe();
  uut.wait_for_consumers(how.rows);
  drain.end();
  auto ok = uut.is_right(how.rows);
  drain.print(how.rows * how.consumers, ok);
  return ok;
}

/// Source and consumers at once.
/// @param per_second 0: as fast as they go; else each row is timed.
bool both_at_once(const settings& how, const std::string& name,
                  std::uint64_t rows, std::uint64_t per_second) {
  auto uut = run{how, per_second != 0};
  uut.subscribe();
  uut.add_source();
  uut.wait_for_streams();
  auto all = phase{how, name};
  uut.produce(rows, per_second);
  uut.wait_for_consumers(rows);
  all.end();
  auto ok = uut.is_right(rows);
  all.print(rows * how.consumers, ok, per_second == 0 ? "" : uut.latencies());
  return ok;
}

constexpr std::uint64_t hot_tables = 10;

double resident_bytes() {
  ::malloc_trim(0); // what was freed is not counted
  return mib_of_status("VmRSS:") * 1024 * 1024;
}

bool scale(const settings& how) {
  auto uut = run{how, true};
  uut.add_source();
  auto streams = how.tables * how.consumers;
  auto before = resident_bytes();
  auto all = phase{how, "scale"};
  uut.subscribe();
  uut.wait_for_streams();
  all.end();
  auto each = (resident_bytes() - before) / static_cast<double>(streams);
  all.print(streams, true, fmt::format(R"(,"bytes_per_stream":{:.0f})", each));

  constexpr auto watermarks = std::uint64_t{10}; // a second, with a row each
  constexpr auto seconds = std::uint64_t{3};
  uut.heat(hot_tables);
  auto rest = phase{how, "idle"};
  auto rows = watermarks * seconds;
  uut.produce(rows, watermarks);
  uut.wait_for_consumers(rows);
  rest.end();
  rest.print(rows * how.consumers, uut.is_right(rows));

  auto some = phase{how, "hot"};
  rows += how.rate * how.latency_seconds;
  uut.produce(rows, how.rate);
  uut.wait_for_consumers(rows);
  some.end();
  auto ok = uut.is_right(rows);
  some.print(rows * how.consumers, ok, uut.latencies());
  return ok;
}

} // namespace

int main(int argc, char** argv) {
  auto how = settings{};
  auto app = CLI::App{"Rows through the log to consumers, phase by phase."};
  app.add_option("--tables", how.tables)->check(CLI::Range(1, 10'000'000));
  app.add_option("--consumers", how.consumers)->check(CLI::Range(1, 64));
  app.add_option("--rows", how.rows);
  app.add_option("--rate", how.rate, "Rows a second, for latency");
  app.add_option("--latency-seconds", how.latency_seconds);
  app.add_option("--block-rows", how.block_rows);
  app.add_option("--threads", how.threads);
  app.add_option("--credit-mib", how.credit_mib, "On its way to a feed")
    ->check(CLI::Range(1, 4096));
  app.add_option("--rep", how.rep, "Printed with each line");
  app.add_flag("--random", how.random, "Tables as if at random");
  app.add_option("--phases", how.phases)->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  auto wanted = [&](const char* name) {
    return std::find(how.phases.begin(), how.phases.end(), name)
           != how.phases.end();
  };
  auto ok = true;
  if (wanted("ingest") || wanted("drain"))
    ok = ingest_and_drain(how, wanted("drain")) && ok;
  if (wanted("e2e"))
    ok = both_at_once(how, "e2e", how.rows, 0) && ok;
  if (wanted("latency"))
    ok = both_at_once(how, "latency", how.rate * how.latency_seconds, how.rate)
         && ok;
  if (wanted("scale"))
    ok = scale(how) && ok;
  return ok ? 0 : 1;
}
