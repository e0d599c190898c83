#pragma once

#include <array>
#include <memory>

#include "tests/store/replayed_source.hpp"
#include "tests/store/small_life.hpp"

namespace log_test {

/// A random life of a log on a disk that works, but for syncs: transactions
/// over several blocks and segments, some of them spooled; segments that were
/// abandoned, renewed, let go of and rewritten, more than once.
struct eventful_life {
  static constexpr std::uint64_t tables = 4;

  dice luck;
  replayed_source from{luck};
  std::shared_ptr<simulated_disk> disk = std::make_shared<simulated_disk>();
  std::array<std::uint64_t, tables + 1> floors = {}; // by table
  std::unique_ptr<segment_log> log = {};
  std::uint64_t segment_bytes = 0;
  std::uint64_t window_bytes = 0;
  std::uint64_t renewed = 0;
  std::uint64_t abandoned = 0;
  std::uint64_t released = 0;
  std::uint64_t rewritten_again = 0; // what was rewritten before

  explicit eventful_life(std::uint64_t seed) : luck{seed} {
    segment_bytes = luck.percent(30) ? 1 : 4200 + luck.roll(3000);
    window_bytes = luck.percent(30) ? 1 : luck.roll(4000);
    open();
  }
  eventful_life(const eventful_life&) = delete;

  void open() {
    auto opened = open_at(disk);
    INFO((opened ? "" : to_string(opened.error())));
    REQUIRE(opened);
    log = std::move(*opened);
  }

  [[nodiscard]] expected<std::unique_ptr<segment_log>>
  open_at(const std::shared_ptr<simulated_disk>& where) const {
    return segment_log::open(
      {small_directory, segment_bytes, 1U << 20U, where, window_bytes});
  }

  void run(int steps) {
    for (auto i = 0; i < steps; ++i) {
      auto what = luck.roll(100);
      if (what < 40)
        append();
      else if (what < 48)
        spool();
      else if (what < 63)
        synced();
      else if (what < 78)
        let_go();
      else if (what < 88)
        rewritten();
      else if (what < 94)
        abandon();
      else
        restart();
    }
  }

  /// Blocks that end in the middle of a transaction, or not.
  void append() {
    auto first = from.appended;
    auto count = 1 + luck.roll(5);
    while (from.rows.size() < first + count)
      from.commit();
    auto block = std::vector<row>{};
    for (auto i = first; i < first + count; ++i)
      block.push_back(from.rows[i].x);
    auto resolved = block.back().ts - (block.back().end ? 0 : 1);
    auto done = log->append(block_of(block), {luck.percent(50) ? resolved : 0});
    INFO((done ? "" : to_string(done.error())));
    REQUIRE(done);
    took(count);
  }

  void end_transaction() {
    while (from.complete(from.appended) != from.appended)
      append();
  }

  void synced() {
    auto order = log->begin_sync();
    if (luck.percent(30))
      append();
    if (luck.percent(15))
      disk->fail(disk_call::sync);
    auto done = log->disk()->sync(order);
    disk->heal();
    if (done)
      return log->synced(order);
    // What is in memory only is written once more, unless it was spooled.
    if (log->renew())
      ++renewed;
    else
      restart(log->synced_to());
  }

  /// Killed and started again. @param kept So much at least is left.
  void restart(block_index kept = block_index::max()) {
    auto least = from.appended;
    while (least > 0 && from.rows[least - 1].block > kept)
      --least;
    log.reset();
    disk->kill();
    open();
    auto found = from.up_to(log->appended_to());
    REQUIRE(found >= from.complete(least));
    REQUIRE(found == from.complete(found));
    from.go_back_to(found);
  }

  void let_go() {
    auto& floor = floors.at(1 + luck.roll(tables));
    floor = std::max(floor, luck.roll(from.ts));
    auto gone = log->release(floor_of());
    released += gone.size();
    if (luck.percent(80))
      REQUIRE(log->disk()->remove(gone));
  }

  [[nodiscard]] std::function<timestamp(table_id)> floor_of() const {
    return [this](table_id x) { return timestamp{floors.at(x.value)}; };
  }

private:
  void took(std::size_t count) {
    for (auto end = from.appended + count; from.appended < end; ++from.appended)
      from.rows[from.appended].block = log->last();
    from.attempted = from.appended;
  }

  void spool() {
    auto first = from.appended;
    if (from.complete(first) != first)
      return;
    while (from.rows.size() == first)
      from.commit();
    auto rows = std::vector<row>{from.rows[first].x};
    while (!rows.back().end)
      rows.push_back(from.rows[first + rows.size()].x);
    auto id = transaction_id{rows[0].ts};
    auto before = log->last();
    REQUIRE(spool_at_random(*log, luck, rows));
    REQUIRE(log->commit_spooled(id, {{id.value}, {id.value}, {}}));
    took(rows.size());
    for (auto i = first; i < from.appended; ++i) // of the first of its chunks
      from.rows[i].block = before.next();
  }

  void rewritten() {
    auto order = log->plan_rewrite(floor_of(), log->last());
    if (!order)
      return;
    auto done = log->rewriter()->run(*order);
    REQUIRE(done);
    if (luck.percent(30))
      append();
    for (auto segment : order->segments)
      rewritten_again += generation_of(segment) > 0 ? 1 : 0;
    auto gone = log->rewritten(*done);
    if (luck.percent(80))
      REQUIRE(log->disk()->remove(gone));
  }

  void abandon() {
    auto keep = from.complete(from.appended);
    if (keep == from.appended)
      return;
    REQUIRE(log->abandon_open());
    REQUIRE(from.up_to(log->appended_to()) == keep);
    from.go_back_to(keep);
    ++abandoned;
  }
};

} // namespace log_test
