// Random lives of a log on a disk that forgets what was not synced, tears what
// was being written, fails and fills up. Whatever happens, what a log has is
// what its source appended, without a hole, and all that it called durable.
//
//   SLUICE_LIVES=10000   how many
//   SLUICE_SEED=7        of the first; the others count on from it
//   SLUICE_TRACE=1       prints what happens

#include <cstdlib>
#include <map>
#include <numeric>
#include <random>

#include <fmt/format.h>

#include "tests/store/log_fixture.hpp"
#include "tests/store/replayed_source.hpp"
#include "tests/store/spools.hpp"
#include "tests/support/environment.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace log_test;
using sluice::test::dice;
using sluice::test::disk_faults;
using sluice::test::number_of;
using sluice::test::simulated_disk;

namespace {

constexpr std::uint64_t lives_default = 300;
constexpr auto steps = 60;

// How often something happened, in all lives: what never did proves nothing.
using events = std::map<std::string, std::uint64_t>;

class random_life {
public:
  random_life(std::uint64_t seed, events& seen)
    : luck_{seed}, seen_{seen}, from_{luck_},
      disk_{std::make_shared<simulated_disk>(seed)} {
    segment_bytes_ = luck_.percent(50) ? 4200 + luck_.roll(6000)
                                       : 1 + luck_.roll(20000);
    tail_bytes_ = luck_.percent(50) ? 0 : luck_.roll(20000);
    window_bytes_ = luck_.roll(5000);
    reserve_bytes_ = luck_.percent(50) ? 0 : 1 + luck_.roll(20000);
    for (auto* x : {&faults_, &full_, &stops_, &release_, &abandon_})
      *x = luck_.percent(50);
    reopen();
  }

  void run() {
    for (auto i = 0; i < steps; ++i)
      step();
    disk_->heal();
    disk_->make_space();
    end_process(true);
    const auto& counts = disk_->counts();
    note("sectors lost", counts.sectors_lost);
    note("sectors kept", counts.sectors_kept);
    note("sectors lost by a failed sync", counts.sectors_unsynced);
    note("names lost", counts.names_lost);
    note("short writes", counts.short_writes);
    note("writes refused", counts.refused_full);
  }

private:
  void note(const std::string& what, std::uint64_t count = 1) {
    static const auto trace = std::getenv("SLUICE_TRACE") != nullptr;
    if (trace && count > 0)
      fmt::print("call {:>4}, block {:>3}, synced {:>3}, row {:>3}: {} {}\n",
                 disk_->calls(), log_ ? log_->last().value : 0,
                 log_ ? log_->synced_to().value : 0, from_.appended, what,
                 count);
    seen_[what] += count;
  }

  // -- what happens -----------------------------------------------------------

  void step() {
    if (disk_->stopped())
      return end_process(luck_.percent(50));
    auto what = luck_.roll(100);
    if (what < 40)
      append();
    else if (what < 50)
      spool();
    else if (what < 65)
      sync();
    else if (what < 70)
      read_all();
    else if (what < 73)
      release();
    else if (what < 75)
      rewrite();
    else if (what < 80)
      abandon();
    else if (what < 90)
      trouble();
    else
      end_process(what < 96);
  }

  void append() {
    while (from_.rows.size() < from_.attempted + 10)
      from_.commit();
    auto first = from_.appended;
    auto count = 1 + luck_.roll(6);
    // A source that resumed lower repeats some.
    auto open = from_.complete(first) != first;
    auto again = open ? 0 : std::min<std::uint64_t>(first, luck_.roll(3));
    auto block = std::vector<row>{};
    for (auto i = first - again; i < first + count; ++i)
      block.push_back(from_.rows[i].x);
    auto resolved = timestamp{block.back().ts - (block.back().end ? 0 : 1)};
    if (luck_.percent(60))
      resolved = {};
    auto before = disk_->counts();
    auto done = log_->append(block_of(block), resolved);
    from_.attempted = std::max(from_.attempted, first + count);
    if (!done) {
      excused(before, done.error());
      note(done.error().code == errc::disk_full ? "append: disk full"
                                                : "append: failed");
      return;
    }
    REQUIRE((*done)->rows() == count);
    for (auto i = first; i < first + count; ++i)
      from_.rows[i].block = log_->last();
    from_.appended = first + count;
  }

  // The next transaction, before it commits.
  void spool() {
    auto first = from_.appended;
    if (from_.complete(first) != first)
      return;
    while (from_.rows.size() < first + 10)
      from_.commit();
    auto rows = std::vector<row>{from_.rows[first].x};
    while (!rows.back().end)
      rows.push_back(from_.rows[first + rows.size()].x);
    auto id = transaction_id{rows[0].ts};
    auto before = disk_->counts();
    auto done = spool_at_random(*log_, luck_, rows);
    if (done) {
      from_.attempted = std::max(from_.attempted, first + rows.size());
      auto end = log_->commit_spooled(id, {{id.value}, {id.value}, {}});
      done = end ? status{} : tl::unexpected{end.error()};
    }
    if (!done) {
      if (!may_be_damaged(done.error()))
        excused(before, done.error());
      for (auto x : {id, transaction_id{1}})
        (void) log_->disk()->remove(log_->abort_spooled(x));
      return note("spool: failed");
    }
    for (; from_.appended < first + rows.size(); ++from_.appended)
      from_.rows[from_.appended].block = log_->last();
    note("spool");
  }

  // The log goes on while its helper syncs.
  void sync() {
    auto order = log_->begin_sync();
    if (luck_.percent(30))
      append();
    auto before = disk_->counts();
    auto done = log_->disk()->sync(order);
    if (!done) {
      if (failures() == failures_before_)
        excused(before, done.error());
      sync_failed_ = true;
      note("sync: failed");
      if (luck_.percent(70))
        renew();
      return;
    }
    if (luck_.percent(30))
      append();
    if (abandon_ && luck_.percent(10))
      abandon();
    REQUIRE_FALSE(sync_failed_); // that of the same files was final
    log_->synced(order);
    note_durable();
    note("sync");
  }

  void note_durable() {
    while (from_.durable < from_.appended
           && from_.rows[from_.durable].block <= log_->synced_to())
      ++from_.durable;
  }

  // What the sync left out is written again.
  void renew() {
    auto before = disk_->counts();
    auto done = log_->renew();
    if (!done) {
      if (!may_be_damaged(done.error()))
        excused(before, done.error());
      note("renew: failed");
      return;
    }
    REQUIRE(log_->synced_to() == log_->last());
    sync_failed_ = false;
    note_durable();
    note("renewed");
    read_all();
  }

  void abandon() {
    if (!abandon_ || from_.complete(from_.appended) == from_.appended)
      return;
    auto before = disk_->counts();
    auto done = log_->abandon_open();
    if (!done) {
      if (!may_be_damaged(done.error()))
        excused(before, done.error());
      note("abandon: failed");
      return;
    }
    sync_failed_ = false; // perhaps that file is gone
    auto keep = from_.complete(from_.appended);
    if (from_.attempted == from_.appended)
      from_.go_back_to(keep);
    from_.appended = keep;
    from_.durable = std::min(from_.durable, keep);
    // What is complete of a block was written anew.
    for (auto i = keep; i > 0 && from_.rows[i - 1].block > log_->last(); --i)
      from_.rows[i - 1].block = log_->last();
    REQUIRE(from_.up_to(log_->appended_to()) == keep);
    note("abandon");
  }

  void release() {
    if (!release_)
      return;
    auto& floor = floors_[1 + luck_.roll(3)];
    floor = std::max(floor, luck_.roll(from_.ts));
    auto gone = log_->release(
      [&](table_id x) { return timestamp{floors_[x.value]}; });
    note("segments released", gone.size());
    if (luck_.percent(70))
      (void) log_->disk()->remove(gone);
    if (!gone.empty())
      sync_failed_ = false; // perhaps that file is gone
  }

  // The log goes on while segments are rewritten.
  void rewrite() {
    auto order = log_->plan_rewrite(
      [&](table_id x) { return timestamp{floors_[x.value]}; }, log_->last());
    if (!order)
      return;
    auto before = disk_->counts();
    auto done = log_->rewriter()->run(*order);
    if (!done) {
      if (!may_be_damaged(done.error()))
        excused(before, done.error());
      note("rewrite: failed");
      return;
    }
    if (luck_.percent(30))
      append();
    if (luck_.percent(30))
      release();
    if (luck_.percent(20))
      sync();
    auto gone = log_->rewritten(*done);
    note("segments rewritten", gone.size());
    if (luck_.percent(70))
      (void) log_->disk()->remove(gone);
  }

  void trouble() {
    auto what = luck_.roll(3);
    if (what == 0) {
      disk_->heal();
      disk_->make_space();
    } else if (what == 1 && full_) {
      disk_->fill_up(luck_.roll(6000));
    } else if (what == 2 && faults_) {
      disk_->set_faults(some_faults());
    }
    if (stops_ && luck_.percent(30))
      disk_->stop_at(1 + luck_.roll(10));
  }

  disk_faults some_faults() {
    auto result = disk_faults{};
    for (auto& x : result.fails)
      x = luck_.percent(50) ? luck_.roll(30) : 0;
    result.short_write = luck_.percent(50) ? luck_.roll(30) : 0;
    return result;
  }

  void end_process(bool power) {
    if (power)
      disk_->crash(luck_);
    else
      disk_->kill();
    note(power ? "power lost" : "killed");
    log_.reset();
    reopen();
  }

  // -- what must hold ---------------------------------------------------------

  // A call fails only if the disk made it fail, and says so.
  void excused(const simulated_disk::counters& before, const error& why) {
    CAPTURE(to_string(why));
    const auto& now = disk_->counts();
    auto failed = disk_->stopped() || now.failed != before.failed;
    // There may be no room for the reserve.
    auto full = now.refused_full != before.refused_full
                || (reserve_bytes_ > 0 && disk_->limited());
    REQUIRE((failed || full));
    if (!failed)
      REQUIRE(why.code == errc::disk_full);
    else if (!full)
      REQUIRE(why.code == errc::log_io);
  }

  [[nodiscard]] std::uint64_t failures() const {
    const auto& x = disk_->counts().failed;
    return std::accumulate(x.begin(), x.end(), std::uint64_t{0});
  }

  // What a failed sync left out is damage, and is called that.
  bool may_be_damaged(const error& why) {
    auto result = why.code == errc::log_corrupt
                  && failures() != failures_before_;
    note("damaged by a failed sync", result ? 1 : 0);
    return result;
  }

  void reopen() {
    sync_failed_ = false;
    for (auto tries = 0; log_ == nullptr; ++tries) {
      if (tries == 3) {
        disk_->heal();
        disk_->make_space();
      }
      if (stops_ && luck_.percent(30))
        disk_->stop_at(1 + luck_.roll(60));
      auto before = disk_->counts();
      auto opened = segment_log::open({"/var/sluice/log", segment_bytes_,
                                       tail_bytes_, disk_, window_bytes_,
                                       reserve_bytes_});
      if (opened) {
        log_ = std::move(*opened);
        break;
      }
      excused(before, opened.error());
      note("start: failed");
      if (disk_->stopped() || luck_.percent(30)) {
        if (luck_.percent(50))
          disk_->crash(luck_);
        else
          disk_->kill();
        note("ended while starting");
      }
    }
    failures_before_ = failures();
    recovered();
  }

  void recovered() {
    REQUIRE(log_->report().blocks_lost == 0);
    auto found = from_.up_to(log_->appended_to());
    CAPTURE(found);
    CAPTURE(from_.durable);
    CAPTURE(from_.attempted);
    REQUIRE(found >= from_.complete(from_.durable));
    REQUIRE(found <= from_.attempted);
    REQUIRE(found == from_.complete(found));
    REQUIRE(log_->last() == log_->last_closed());
    REQUIRE(log_->synced_to() == log_->last());
    note("rows lost, not synced",
         from_.appended - std::min(found, from_.appended));
    from_.go_back_to(found);
    from_.durable = found;
    for (auto& x : from_.rows)
      x.block = {};
    read_all();
  }

  void read_all() {
    for (std::uint64_t table = 1; table <= 4; ++table) {
      auto after = row_cursor::end_of({floors_[table]});
      if (luck_.percent(50))
        after = std::max(after, cursor(luck_.roll(from_.ts), luck_.roll(3)));
      read(table, after);
    }
  }

  // Delivers what the source has, up to a piece that cannot be read.
  void read(std::uint64_t table, row_cursor after) {
    auto next = std::min(from_.up_to(after), from_.appended);
    auto skip = [&] {
      while (next < from_.appended && from_.rows[next].x.table != table)
        ++next;
    };
    for (auto done = block_index{}; done < log_->last();) {
      auto plan = plan_scan(*log_, {{table}, after, log_->last(), 2000});
      for (const auto& piece : plan.pieces) {
        auto block = block_at(piece);
        if (block == nullptr)
          return;
        for (std::size_t i = 0; i < block->rows(); ++i) {
          auto x = block->row(i);
          if (x.table().value != table || x.cursor() <= after)
            continue;
          skip();
          REQUIRE(next < from_.appended);
          REQUIRE(x.bytes() == from_.rows[next++].bytes);
          after = x.cursor();
        }
      }
      REQUIRE(plan.complete_to > done);
      done = plan.complete_to;
    }
    skip();
    REQUIRE(next == from_.appended);
  }

  block_ptr block_at(const scan_block& piece) {
    if (piece.block != nullptr)
      return piece.block;
    auto before = disk_->counts();
    auto read = log_->disk()->read(piece.location);
    if (read)
      return *read;
    if (!may_be_damaged(read.error()))
      excused(before, read.error());
    return nullptr;
  }

  dice luck_;
  events& seen_;
  replayed_source from_;
  std::shared_ptr<simulated_disk> disk_;
  std::unique_ptr<segment_log> log_;
  std::uint64_t segment_bytes_ = 0;
  std::uint64_t tail_bytes_ = 0;
  std::uint64_t window_bytes_ = 0;
  std::uint64_t reserve_bytes_ = 0;
  bool faults_ = false;
  bool full_ = false;
  bool stops_ = false;
  bool release_ = false;
  bool abandon_ = false;
  bool sync_failed_ = false;
  std::uint64_t failures_before_ = 0;             // when this log was opened
  std::map<std::uint64_t, std::uint64_t> floors_; // by table
};

/// What has not come up in lives so far.
std::vector<std::string> missing(const events& seen) {
  auto result = std::vector<std::string>{};
  for (const auto* name : {"append: disk full",
                           "append: failed",
                           "sync",
                           "sync: failed",
                           "renewed",
                           "renew: failed",
                           "abandon",
                           "abandon: failed",
                           "spool",
                           "spool: failed",
                           "segments released",
                           "segments rewritten",
                           "rewrite: failed",
                           "start: failed",
                           "ended while starting",
                           "killed",
                           "power lost",
                           "sectors lost",
                           "sectors kept",
                           "sectors lost by a failed sync",
                           "names lost",
                           "short writes",
                           "writes refused",
                           "rows lost, not synced"})
    if (auto at = seen.find(name); at == seen.end() || at->second == 0)
      result.emplace_back(name);
  return result;
}

} // namespace

TEST_CASE("a log has a prefix of its rows and all that it called durable") {
  auto lives = number_of("SLUICE_LIVES", lives_default);
  auto first = number_of("SLUICE_SEED", std::random_device{}());
  fmt::print("SLUICE_SEED={} SLUICE_LIVES={}\n", first, lives);
  auto seen = events{};
  // One that is lived again need not have everything.
  auto most = lives < lives_default ? lives : 10 * lives;
  for (std::uint64_t i = 0; i < lives || (i < most && !missing(seen).empty());
       ++i) {
    INFO("SLUICE_SEED=" << first + i << " SLUICE_LIVES=1");
    random_life{first + i, seen}.run();
  }
  for (const auto& [name, count] : seen)
    fmt::print("{:<30} {:>9}\n", name, count);
  if (lives >= lives_default)
    for (const auto& name : missing(seen))
      FAIL_CHECK(name);
}
