// How many rows a second go the whole way: generator, log on disk, function.
// Beside it, from the same run, what the same bytes take when they are only
// appended to a file, and what making them takes.
//
//   generator_to_callback [--runs 3] [--transactions 3000000]
//
// Every row is encoded in the row format, and each block has its checksum. The
// function checks order and number of all rows and decodes every column of one
// row in sixteen.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <benchmark/benchmark.h>
#include <CLI/CLI.hpp>
#include <fcntl.h>

#include "actors/event_store_state.hpp"
#include "actors/service.hpp"
#include "actors/source_state.hpp"
#include "actors/sources/generator/generator.hpp"
#include "actors/sources/journal.hpp"
#include "tests/bench/bench.hpp"

namespace {

using namespace sluice;
using namespace sluice::bench;

struct settings {
  int runs = 3;
  std::uint64_t transactions = 3'000'000; ///< Of eleven rows on average.
};

/// Updates of 255 bytes, with both images, in tables taken at random.
generator_options bank_of(const settings& how) {
  auto result = generator_options{};
  result.tables = 100;
  result.accounts = 1'000;
  result.transactions = how.transactions;
  result.transfers_per_transaction = 10;
  result.payload_bytes = 74;
  return result;
}

struct measured {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;

  [[nodiscard]] double rate() const {
    return static_cast<double>(rows) / seconds;
  }
};

// -- the same rows, without sluice around them --------------------------------

/// Only makes and encodes the rows, in blocks like those of a service.
measured make_rows(const settings& how, std::vector<block_ptr>& first_blocks) {
  auto source = make_generator(bank_of(how));
  auto journal = make_memory_journal();
  auto result = measured{};
  auto begin = bench::clock::now();
  need(source->open({}, *journal));
  for (auto more = true; more;) {
    auto batch = need(source->read(source_options{}.read_bytes));
    more = batch.more;
    if (!batch.rows)
      continue;
    result.rows += batch.rows->rows();
    result.bytes += batch.rows->bytes().size();
    if (first_blocks.size() < 64)
      first_blocks.push_back(batch.rows);
  }
  result.seconds = seconds_since(begin);
  return result;
}

/// Syncs a file in a thread of its own, as often as a log does.
class background_sync {
public:
  explicit background_sync(int file) : thread_{[this, file] { run(file); }} {
    // nop
  }
  ~background_sync() {
    {
      auto lock = std::lock_guard{mutex_};
      ending_ = true;
    }
    wanted_.notify_one();
    thread_.join();
  }
  void want() {
    {
      auto lock = std::lock_guard{mutex_};
      want_ = true;
    }
    wanted_.notify_one();
  }

private:
  void run(int file) {
    auto lock = std::unique_lock{mutex_};
    for (;;) {
      wanted_.wait(lock, [&] { return want_ || ending_; });
      if (!std::exchange(want_, false))
        return;
      lock.unlock();
      if (::fdatasync(file) != 0)
        give_up("fdatasync failed");
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wanted_;
  bool want_ = false;
  bool ending_ = false;
  std::thread thread_; // last: it uses the others
};

/// Appends as many bytes to a file, as fast as it goes.
measured append_raw(const measured& like,
                    const std::vector<block_ptr>& blocks) {
  auto place = scratch{};
  auto file = ::open(place.file("raw").c_str(), O_RDWR | O_CREAT | O_EXCL,
                     0600);
  if (file < 0)
    give_up("cannot make a file");
  auto result = like;
  auto sync_bytes = event_store_options{}.sync_bytes;
  auto begin = bench::clock::now();
  {
    auto sync = background_sync{file};
    auto at = std::uint64_t{0};
    auto synced = std::uint64_t{0};
    for (std::size_t i = 0; at < like.bytes; ++i) {
      auto bytes = blocks[i % blocks.size()]->bytes();
      auto done = ::pwrite(file, bytes.data(), bytes.size(),
                           static_cast<off_t>(at));
      if (done != static_cast<ssize_t>(bytes.size()))
        give_up("pwrite failed");
      at += bytes.size();
      if (at - synced >= sync_bytes) {
        synced = at;
        sync.want();
      }
    }
    result.seconds = seconds_since(begin);
  }
  ::close(file);
  return result;
}

// -- sluice -------------------------------------------------------------------

/// The application: looks at every row, closely at one in sixteen.
class reader {
public:
  status take(const change_batch& batch) {
    for (const auto& x : batch) {
      auto at = x.cursor();
      if (at <= last_)
        return fail(errc::append_out_of_order, to_string(at));
      last_ = at;
      if (++rows_ % 16 == 0)
        look_at(x);
    }
    delivered_ = rows_;
    return {};
  }

  /// For another thread.
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }

private:
  void look_at(const change& x) {
    for (const auto& image : {x.row.before(), x.row.after()}) {
      if (!image)
        continue;
      image.decode(values_);
      benchmark::DoNotOptimize(values_.data());
    }
  }

  row_cursor last_;
  std::uint64_t rows_ = 0;
  std::vector<value_view> values_;
  std::atomic<std::uint64_t> delivered_{0};
};

measured run_sluice(const settings& how, const measured& like) {
  auto place = scratch{};
  auto seen = reader{};
  auto options = service_options{};
  options.directory = place.file("state");
  auto service = need(sluice::service::open(options));
  need(service.create_feed("all"));
  auto result = like;
  auto begin = bench::clock::now();
  need(service.add_source("bank", make_generator(bank_of(how))));
  need(service.subscribe(
    "all", [&](const change_batch& batch, const acknowledger& done) -> status {
      if (auto taken = seen.take(batch); !taken)
        give_up(to_string(taken.error()));
      done.ack();
      return {};
    }));
  while (seen.delivered() < like.rows) {
    auto feed = need(service.status_of("all"));
    if (feed.failure)
      give_up(to_string(feed.failure));
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  result.seconds = seconds_since(begin);
  if (!service.stop(std::chrono::seconds{30}).empty())
    give_up("not everything was acknowledged");
  if (seen.delivered() != like.rows)
    give_up("more rows came than were made");
  return result;
}

void print(const char* what, const std::vector<measured>& runs, double whole) {
  auto rates = std::vector<double>{};
  for (const auto& x : runs)
    rates.push_back(x.rate());
  auto rate = median(rates);
  fmt::print("{:<34} {:>11} rows/s {:>8.0f} MiB/s {:>8.2f} x\n", what,
             grouped(rate),
             rate * static_cast<double>(runs[0].bytes)
               / static_cast<double>(runs[0].rows) / (1 << 20),
             whole / rate);
}

} // namespace

int main(int argc, char** argv) {
  auto how = settings{};
  auto app = CLI::App{"Rows a second from the generator to a function."};
  app.add_option("--runs", how.runs, "Medians of so many")
    ->check(CLI::PositiveNumber);
  app.add_option("--transactions", how.transactions, "Eleven rows each")
    ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  auto sluice_runs = std::vector<measured>{};
  auto raw_runs = std::vector<measured>{};
  auto made_runs = std::vector<measured>{};
  for (auto i = 0; i < how.runs; ++i) {
    auto blocks = std::vector<block_ptr>{};
    made_runs.push_back(make_rows(how, blocks));
    sluice_runs.push_back(run_sluice(how, made_runs.back()));
    raw_runs.push_back(append_raw(made_runs.back(), blocks));
    fmt::print("run {}: {:.1f} s\n", i + 1, sluice_runs.back().seconds);
  }
  const auto& one = sluice_runs.front();
  fmt::print("{} rows of {:.0f} bytes on average in 100 tables, medians of {}\n"
             "(x: sluice's rate over this one)\n",
             grouped(static_cast<double>(one.rows)),
             static_cast<double>(one.bytes) / static_cast<double>(one.rows),
             how.runs);
  auto rates = std::vector<double>{};
  for (const auto& x : sluice_runs)
    rates.push_back(x.rate());
  auto whole = median(rates);
  print("generator -> log -> function", sluice_runs, whole);
  print("the same bytes, appended to a file", raw_runs, whole);
  print("making and encoding the rows", made_runs, whole);
}
