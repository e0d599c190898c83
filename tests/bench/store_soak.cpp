// A segment log under uneven consumers for minutes: ten thousand tables, most
// of them read at once, some seconds late, some not at all for a while; some
// are dropped and made anew. Every row is checked when it is read, and each
// second what the log takes of disk and memory. Exit status 1: a bound broke.
//
//   store_soak [--seconds 300] [--tables 10000] [--mib-per-second 12]
//              [--segment-mib 8] [--seed 1]
#include <fstream>
#include <future>
#include <map>
#include <optional>
#include <random>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include <CLI/CLI.hpp>

#include "store/segment_log.hpp"
#include "tests/bench/bench.hpp"

namespace {

using namespace sluice;
using namespace sluice::bench;

struct settings {
  double seconds = 300;
  std::uint64_t tables = 10'000;
  double mib_per_second = 12;
  std::uint64_t segment_mib = 8;
  std::uint64_t seed = 1;
};

constexpr std::uint64_t rows_per_block = 1'024;
constexpr std::uint64_t tail_bytes = 32U << 20;
/// How long the disk may be over its bound: floors have just moved.
constexpr double grace = 5;

std::uint64_t resident_bytes() {
  auto file = std::ifstream{"/proc/self/statm"};
  auto size = std::uint64_t{0};
  auto resident = std::uint64_t{0};
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// -- tables and who reads them ------------------------------------------------

struct consumer {
  std::uint64_t written = 0; ///< Rows of the table so far, numbered from 1.
  std::uint64_t read = 0;
  row_cursor after;     ///< Of the last row that was read.
  double late = 0;      ///< Seconds from the first unread row to its reading.
  double due = 0;       ///< When it reads again, if rows are waiting.
  bool waiting = false; ///< In the queue of those that read from disk.
};

/// Which table a row is of: by a zipf law, through a list in which dropped
/// tables are replaced by new ones.
class workload {
public:
  workload(std::uint64_t tables, std::uint64_t seed) : random_{seed} {
    auto sum = 0.0;
    for (std::uint64_t i = 1; i <= tables; ++i) {
      weights_.push_back(sum += 1.0 / static_cast<double>(i));
      ids_.push_back({i});
      consumers_[{i}] = made();
    }
    next_ = {tables + 1};
  }

  [[nodiscard]] std::uint64_t below(std::uint64_t n) { return random_() % n; }

  [[nodiscard]] table_id draw() {
    auto place = static_cast<double>(random_() >> 11) * 0x1p-53
                 * weights_.back();
    auto at = std::upper_bound(weights_.begin(), weights_.end(), place);
    auto i = static_cast<std::size_t>(at - weights_.begin());
    return ids_[std::min(i, ids_.size() - 1)];
  }

  /// A table goes, and another comes in its place.
  void replace_one() {
    auto& id = ids_[below(ids_.size())];
    consumers_.erase(id);
    id = next_;
    next_ = {next_.value + 1};
    consumers_[id] = made();
    ++replaced_;
  }

  [[nodiscard]] consumer* find(table_id table) {
    auto found = consumers_.find(table);
    return found == consumers_.end() ? nullptr : &found->second;
  }
  /// Of a table that is gone nobody needs anything.
  [[nodiscard]] timestamp floor_of(table_id table) const {
    auto found = consumers_.find(table);
    return found == consumers_.end() ? timestamp::max()
                                     : found->second.after.commit_ts;
  }
  /// From now on everybody reads at once.
  void hurry() {
    for (auto& entry : consumers_)
      entry.second.late = entry.second.due = 0;
  }
  [[nodiscard]] std::uint64_t unread() const {
    auto result = std::uint64_t{0};
    for (const auto& entry : consumers_)
      result += entry.second.written - entry.second.read;
    return result;
  }
  [[nodiscard]] const auto& consumers() const { return consumers_; }
  [[nodiscard]] std::uint64_t replaced() const { return replaced_; }

private:
  // 90 of 100 read at once, 9 are seconds late, one stands still for long.
  consumer made() {
    auto result = consumer{};
    auto kind = below(100);
    if (kind >= 99)
      result.late = 40;
    else if (kind >= 90)
      result.late = 1 + static_cast<double>(below(8));
    return result;
  }

  std::mt19937_64 random_;
  std::vector<double> weights_;
  std::vector<table_id> ids_; // by popularity
  std::unordered_map<table_id, consumer> consumers_;
  table_id next_;
  std::uint64_t replaced_ = 0;
};

// -- the log ------------------------------------------------------------------

/// A result that another thread works on; one at a time.
template <class T>
class task {
public:
  [[nodiscard]] bool idle() const { return !result_.valid(); }
  template <class Work>
  void start(Work work) {
    result_ = std::async(std::launch::async, std::move(work));
  }
  [[nodiscard]] std::optional<T> take() {
    if (idle()
        || result_.wait_for(std::chrono::seconds{0})
             != std::future_status::ready)
      return {};
    return result_.get();
  }

private:
  std::future<T> result_;
};

struct cold_read {
  table_id table;
  std::vector<block_ptr> blocks;
  block_index complete_to;
  bool gone = false; ///< Its segment was rewritten meanwhile: plan again.
};

/// Does with the log what an event store does, in one thread, and what its
/// helpers do, in others.
class soak {
public:
  soak(const settings& how, const std::string& directory)
    : how_{how}, tables_{how.tables, how.seed}, directory_{directory},
      log_{need(segment_log::open(
        {directory, how.segment_mib << 20, tail_bytes, nullptr}))} {
    // nop
  }

  /// @returns Whether every bound held.
  bool run() {
    fmt::print("{:>5} {:>11} {:>8} {:>9} {:>9} {:>6} {:>8} {:>8} {:>9}\n", "s",
               "rows", "unread", "disk MiB", "live MiB", "files", "RSS MiB",
               "dropped", "rewritten");
    while (now() < how_.seconds) {
      if (appended_bytes_ < now() * how_.mib_per_second * (1 << 20))
        append();
      else
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
      turn();
    }
    tables_.hurry();
    for (auto end = now() + 60; tables_.unread() > 0 && now() < end;)
      turn();
    check(tables_.unread() == 0, "rows were not delivered");
    for (auto end = now() + grace; now() < end;)
      turn();
    look();
    check(over_since_ == std::nullopt, "the disk is over its bound at the end");
    check(files_ <= 3, "files are left at the end");
    check(rss_late_ <= rss_early_ + (16U << 20), "memory grows");
    return !failed_;
  }

private:
  [[nodiscard]] double now() const { return seconds_since(begin_); }

  void check(bool holds, const std::string& what) {
    if (holds)
      return;
    failed_ = true;
    fmt::print("BROKEN at {:.0f} s: {}\n", now(), what);
  }

  // What others have done, and what is due.
  void turn() {
    helpers();
    cold_reads();
    if (now() >= release_at_) {
      release_at_ = now() + 0.5;
      release();
    }
    if (now() >= look_at_) {
      look_at_ = now() + 1;
      for (auto i = how_.tables / 1'000; i > 0; --i)
        tables_.replace_one();
      look();
    }
  }

  // -- rows -------------------------------------------------------------------

  void append() {
    auto builder = row_block_builder{};
    auto touched = std::unordered_set<table_id>{};
    auto text = std::string(100 + tables_.below(300), 'x');
    while (builder.rows() < rows_per_block) {
      auto table = tables_.draw();
      auto& x = *tables_.find(table);
      auto values = std::vector{
        value_view::of_integer(static_cast<std::int64_t>(++x.written)),
        value_view::of_text(text)};
      ++ts_.value;
      builder.add({table, {ts_, ts_, 0}, row_op::insert, false, {1}, 0},
                  {true, false}, {}, values);
      builder.end();
      touched.insert(table);
    }
    auto block = need(log_->append(builder.finish(), ts_));
    appended_bytes_ += static_cast<double>(block->bytes().size());
    rows_ += block->rows();
    for (auto table : touched)
      arrived(table, *block);
    if (!syncing_.idle())
      return;
    auto order = log_->begin_sync();
    syncing_.start([order, disk = log_->disk()] {
      need(disk->sync(order));
      return order;
    });
  }

  void arrived(table_id table, const row_block& block) {
    auto& x = *tables_.find(table);
    if (x.waiting)
      return;
    if (x.late == 0) {
      take(table, x, block);
      return;
    }
    x.waiting = true;
    x.due = now() + x.late;
    late_.emplace(x.due, table);
  }

  // Rows come once, in order, without a hole.
  void take(table_id table, consumer& x, const row_block& block) {
    auto run = std::lower_bound(
      block.runs().begin(), block.runs().end(), table,
      [](const block_run& y, table_id id) { return y.table < id; });
    if (run == block.runs().end() || run->table != table)
      give_up("a block without the table that it was planned for");
    for (auto i = run->first; i < run->first + run->count; ++i) {
      auto row = block.grouped(i);
      if (row.cursor() <= x.after)
        continue;
      auto number = static_cast<std::uint64_t>(row.after()[0].integer);
      if (number != x.read + 1)
        give_up(
          fmt::format("{}: row {} after {}", to_string(table), number, x.read));
      x.read = number;
      x.after = row.cursor();
    }
  }

  // -- those that read later --------------------------------------------------

  void cold_reads() {
    if (auto done = reading_.take())
      read(*done);
    while (reading_.idle() && !late_.empty()
           && (late_.begin()->first <= now() || now() >= how_.seconds)) {
      auto table = late_.begin()->second;
      late_.erase(late_.begin());
      if (tables_.find(table) != nullptr)
        plan(table);
    }
  }

  void plan(table_id table) {
    auto& x = *tables_.find(table);
    auto plan = plan_scan(*log_, {table, x.after, log_->last(), 1U << 20});
    if (plan.failure)
      give_up(to_string(plan.failure));
    reading_.start([table, plan = std::move(plan), disk = log_->disk()] {
      auto result = cold_read{table, {}, plan.complete_to, false};
      for (const auto& piece : plan.pieces) {
        auto block = piece.block != nullptr ? expected<block_ptr>{piece.block}
                                            : disk->read(piece.location);
        if (!block && block.error().code == errc::out_of_range) {
          result.gone = true;
          return result;
        }
        result.blocks.push_back(need(std::move(block)));
      }
      return result;
    });
  }

  void read(const cold_read& done) {
    auto* x = tables_.find(done.table);
    if (x == nullptr)
      return; // dropped meanwhile
    if (!done.gone)
      for (const auto& block : done.blocks)
        take(done.table, *x, *block);
    x->waiting = x->read < x->written;
    if (x->waiting)
      late_.emplace(done.gone || done.complete_to < log_->last() ? now()
                                                                 : x->due,
                    done.table);
  }

  // -- what a store does besides ----------------------------------------------

  void helpers() {
    if (auto order = syncing_.take())
      log_->synced(*order);
    if (auto done = rewriting_.take()) {
      if (*done)
        remove(log_->rewritten(**done));
      else if (done->error().code != errc::out_of_range)
        give_up(to_string(done->error()));
    }
    (void) removing_.take();
    if (removing_.idle() && !doomed_.empty())
      removing_.start([disk = log_->disk(), gone = std::exchange(doomed_, {})] {
        need(disk->remove(gone));
        return true;
      });
  }

  void remove(const std::vector<std::uint64_t>& segments) {
    doomed_.insert(doomed_.end(), segments.begin(), segments.end());
  }

  void release() {
    auto floor_of = [this](table_id x) { return tables_.floor_of(x); };
    remove(log_->release(floor_of));
    if (!rewriting_.idle())
      return;
    if (auto order = log_->plan_rewrite(floor_of, log_->last()))
      rewriting_.start([order = std::move(*order), by = log_->rewriter()] {
        return by->run(order);
      });
  }

  // -- bounds -----------------------------------------------------------------

  void look() {
    auto live = log_->live_bytes(
      [this](table_id x) { return tables_.floor_of(x); });
    auto disk = std::uint64_t{0};
    files_ = 0;
    for (const auto& x : std::filesystem::directory_iterator(directory_)) {
      auto gone = std::error_code{};
      auto size = x.file_size(gone);
      if (gone)
        continue;
      disk += size;
      files_ += x.path().extension() == ".seg" ? 1 : 0;
    }
    auto segment = how_.segment_mib << 20;
    if (disk <= 2 * live + 2 * segment)
      over_since_.reset();
    else if (!over_since_)
      over_since_ = now();
    check(!over_since_ || now() - *over_since_ <= grace,
          fmt::format("disk {} > 2 x {} + 2 x {} for {} s", disk, live, segment,
                      grace));
    check(log_->stats().memory_bytes <= tail_bytes,
          "blocks in memory exceed the budget");
    auto rss = resident_bytes();
    // Once every kind of consumer has come around.
    auto& part = now() < how_.seconds / 2 ? rss_early_ : rss_late_;
    part = std::max(part, rss);
    if (lines_++ % 10 == 0)
      fmt::print("{:>5.0f} {:>11} {:>8} {:>9} {:>9} {:>6} {:>8} {:>8} {:>9}\n",
                 now(), grouped(static_cast<double>(rows_)), tables_.unread(),
                 disk >> 20, live >> 20, files_, rss >> 20, tables_.replaced(),
                 log_->stats().bytes_rewritten >> 20);
    std::fflush(stdout);
  }

  settings how_;
  workload tables_;
  std::string directory_;
  std::unique_ptr<segment_log> log_;
  clock::time_point begin_ = clock::now();
  timestamp ts_;
  double appended_bytes_ = 0;
  std::uint64_t rows_ = 0;
  std::multimap<double, table_id> late_; // by when they read
  std::vector<std::uint64_t> doomed_;
  task<sync_order> syncing_;
  task<cold_read> reading_;
  task<expected<rewrite_result>> rewriting_;
  task<bool> removing_;
  double release_at_ = 0;
  double look_at_ = 1;
  std::optional<double> over_since_;
  std::uint64_t files_ = 0;
  std::uint64_t rss_early_ = 0;
  std::uint64_t rss_late_ = 0;
  int lines_ = 0;
  bool failed_ = false;
};

} // namespace

int main(int argc, char** argv) {
  auto how = settings{};
  auto app = CLI::App{"Runs a segment log under uneven consumers."};
  app.add_option("--seconds", how.seconds);
  app.add_option("--tables", how.tables)->check(CLI::Range(100, 1'000'000));
  app.add_option("--mib-per-second", how.mib_per_second);
  app.add_option("--segment-mib", how.segment_mib)->check(CLI::Range(1, 1024));
  app.add_option("--seed", how.seed);
  CLI11_PARSE(app, argc, argv);
  fmt::print("seed {}\n", how.seed);
  auto space = scratch{};
  auto held = soak{how, space.file("log")}.run();
  fmt::print("{}\n", held ? "every row was delivered once, every bound held"
                          : "a bound broke");
  return held ? 0 : 1;
}
