#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "actors/event_store_state.hpp"
#include "tests/support/rows.hpp"

namespace sluice::test {

/// The state under test with the least that an engine can be: blocks in a
/// vector, of which the first `gone` were released.
class event_store_bench {
public:
  using milliseconds = std::chrono::milliseconds;

  explicit event_store_bench(event_store_options options = {}) : uut{options} {
    run(uut.on_opened(at, now));
  }

  // -- the engine -------------------------------------------------------------

  log_position at;
  std::map<std::uint64_t, block_ptr> blocks;
  bool on_disk = false;           ///< Scans must read.
  std::uint64_t in_memory_to = 0; ///< But not these blocks.
  error in_the_way;               ///< Scans come to a gap at once.
  bool syncs_by_itself = false;   ///< As a log in memory does.
  error append_failure;
  error renew_failure;
  error abandon_failure;
  bool notes_by_itself = true; ///< What is lost, as DISK does.
  error note_failure;
  retained_rows retained{timestamp::max(), {}}; ///< What the budget comes to.
  std::optional<retention_budget> budget;       ///< As the engine was told.
  std::optional<rewrite_order> to_rewrite;      ///< What the next look finds.
  bool rewritten_in_vain = false;

  // -- what came out ----------------------------------------------------------

  event_store_state uut;
  milliseconds now{0};
  std::vector<event_store_state::effect> sent;
  std::vector<timestamp> released_up_to;     ///< Floor of table 7 at a release.
  std::vector<block_index> rewritable_up_to; ///< At a look for a rewrite.
  std::vector<std::uint64_t> left;           ///< Segments not to rewrite.

  /// All messages of this type, which are forgotten then.
  template <class Message>
  std::vector<Message> take() {
    auto result = std::vector<Message>{};
    for (auto& x : sent)
      if (auto* found = std::get_if<Message>(&x))
        result.push_back(std::move(*found));
    std::erase_if(sent,
                  [](auto& x) { return std::holds_alternative<Message>(x); });
    return result;
  }

  void run(event_store_state::effects effects) {
    for (auto& effect : effects)
      std::visit([this](auto& x) { perform(x); }, effect);
  }

  // -- shorter ----------------------------------------------------------------

  void attach_source(std::uint64_t writer = 1) {
    number = 0;
    run(uut.on_attach_source({{writer}}));
  }
  void append(const block_ptr& block, std::uint64_t resolved) {
    run(uut.on_append({{1}, ++number, block, {resolved}}, now));
  }
  void resolve(std::uint64_t ts) { append(nullptr, ts); }
  void attach_shard(std::size_t shard = 0) {
    run(uut.on_attach_shard(shard));
    take_progress(shard);
  }
  /// The progress that was sent, acknowledged.
  std::vector<progress> take_progress(std::size_t shard = 0) {
    auto result = std::vector<progress>{};
    for (auto& x : take<send_progress>()) {
      result.push_back(x.message);
      run(uut.on_progress_taken(shard, {x.message.store, x.message.last}));
    }
    return result;
  }
  void advance(std::uint64_t ms) {
    now += milliseconds{ms};
    run(uut.on_tick(now));
  }
  void finish_sync() {
    for (auto& x : take<sync_log>())
      run(uut.on_log_synced({x.order, {}}));
  }
  void load_feeds(std::vector<feed_record> feeds = {}) {
    auto message = feeds_loaded{};
    message.feeds = std::move(feeds);
    message.tables = {{{7}, "t7", {1}, {}}, {{8}, "t8", {1}, {}}};
    run(uut.on_feeds_loaded(message, now));
  }
  void load_feed(std::uint64_t floor, std::vector<table_floor> lost = {}) {
    auto message = feeds_loaded{};
    message.feeds = {{{1}, "all", {}}};
    message.floors = {{{1}, {floor}, {}}};
    message.tables = {{{7}, "t7", {1}, {}}, {{8}, "t8", {1}, {}}};
    message.lost = std::move(lost);
    run(uut.on_feeds_loaded(message, now));
  }
  void scan(std::uint64_t table, row_cursor after,
            scan_lane lane = scan_lane::disk) {
    auto entry = scan_entry{};
    entry.table = {table};
    entry.after = after;
    entry.bytes_max = 1000;
    run(uut.on_scan_request(0, {{5}, {1}, at.last, {entry}, lane}));
  }
  scan_result take_result() {
    auto answers = take<answer_scan>();
    REQUIRE(answers.size() == 1);
    REQUIRE(answers[0].message.results.size() == 1);
    return answers[0].message.results[0];
  }

  std::uint64_t number = 0;

private:
  template <class Message>
  void perform(Message& x) {
    sent.emplace_back(std::move(x));
  }
  void perform(call_append& x) {
    if (append_failure)
      return run(uut.on_appended(x, nullptr, append_failure, at, now));
    at.last = at.last.next();
    blocks[at.last.value] = x.block;
    if (!x.block->ends().empty())
      at.appended_to = x.block->row(x.block->ends().back() - 1).cursor();
    if (x.block->closed())
      at.last_closed = at.last;
    if (syncs_by_itself)
      at.synced = at.last;
    run(uut.on_appended(x, x.block, {}, at, now));
  }
  void perform(call_abandon&) {
    if (abandon_failure)
      return run(uut.on_abandoned(abandon_failure, at, now));
    blocks.erase(blocks.upper_bound(at.last_closed.value), blocks.end());
    at.last = at.last_closed;
    run(uut.on_abandoned({}, at, now));
  }
  void perform(call_begin_sync&) { run(uut.on_sync_begun({{1}, at.last})); }
  void perform(call_synced& x) {
    at.synced = x.order.through;
    run(uut.on_synced(at, now));
  }
  void perform(call_retained& x) {
    budget = x.budget;
    run(uut.on_retained(retained, now));
  }
  void perform(call_renew&) {
    if (!renew_failure)
      at.synced = at.last;
    run(uut.on_renewed(renew_failure, at, now));
  }
  void perform(call_releasable&) {
    auto floor = uut.floor_of({7});
    auto some = std::any_of(blocks.begin(), blocks.end(), [&](const auto& x) {
      return x.second->last_cursor().commit_ts <= floor;
    });
    run(uut.on_releasable(some ? std::vector<table_id>{{7}}
                               : std::vector<table_id>{}));
  }
  void perform(note_lost& x) {
    sent.emplace_back(x);
    if (notes_by_itself)
      run(uut.on_lost_noted({x.lost, note_failure, x.rewrite}, now));
  }
  void perform(call_release&) {
    auto floor = uut.release_floor({7});
    released_up_to.push_back(floor);
    auto gone = std::erase_if(blocks, [&](const auto& x) {
      return x.second->last_cursor().commit_ts <= floor;
    });
    if (gone > 0)
      run(uut.on_released({1}));
  }
  void perform(call_plan_rewrite& x) {
    rewritable_up_to.push_back(x.up_to);
    run(uut.on_rewrite_planned(std::exchange(to_rewrite, {})));
  }
  void perform(rewrite_order& x) { sent.emplace_back(x); }
  void perform(call_rewritten& x) {
    auto gone = rewritten_in_vain ? std::vector<std::uint64_t>{x.result.into}
                                  : x.result.segments;
    run(uut.on_rewritten(x.result, std::move(gone), now));
  }
  void perform(call_rewrite_failed& x) {
    if (x.at_fault != 0)
      left.push_back(x.at_fault);
  }
  void perform(plan_scans& x) {
    auto found = planned_scans{};
    for (const auto& [index, block] : blocks)
      found.blocks.push_back({{index},
                              on_disk && index > in_memory_to ? nullptr : block,
                              {index, 0, 0}});
    for (const auto& wish : x.wishes) {
      found.scans.push_back({found.pieces.size(), 0, wish.to, in_the_way});
      auto place = std::uint32_t{0};
      for (const auto& [index, block] : blocks) {
        if (!in_the_way && index <= wish.to.value
            && block->last_cursor() > wish.after) {
          found.pieces.push_back({place});
          ++found.scans.back().count;
        }
        ++place;
      }
    }
    run(uut.on_planned(x.ticket, std::move(found), now));
  }
};

} // namespace sluice::test
