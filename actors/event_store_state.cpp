#include "actors/event_store_state.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace sluice {

event_store_state::event_store_state(event_store_options options)
  : options_{options}, retention_{{options.partition, options.partitions,
                                   options.place}},
    confirmed_{options.partition, {}, {}} {
  // nop
}

event_store_state::effects event_store_state::on_opened(const log_position& log,
                                                        milliseconds now) {
  log_ = log;
  resolved_ = log.resolved;
  promises_.push_back({log.last_closed, log.resolved});
  auto out = effects{};
  advance(out);
  schedule(out, now);
  return out;
}

// -- the source ---------------------------------------------------------------

append_failed event_store_state::refuse(std::uint64_t number, errc code,
                                        std::string detail) const {
  return {options_.partition, number, {code, std::move(detail)}};
}

event_store_state::effects
event_store_state::on_attach_source(const attach_source& message) {
  if (message.writer < writer_)
    return {refuse_source{
      refuse(0, errc::stale_source,
             to_string(message.writer) + " came after " + to_string(writer_))}};
  writer_ = message.writer;
  number_ = 0;
  give_up_waiting();
  return {adopt_source{}, call_abandon{}};
}

event_store_state::effects
event_store_state::on_abandoned(const error& failure, const log_position& log,
                                milliseconds now) {
  attaching_ = waits_after(failure);
  if (attaching_)
    return wait_for_room(failure, now);
  if (failure)
    return {append_failed{options_.partition, 0, failure}};
  full_ = {};
  // The indices of open blocks are given out again, and a block that was open
  // in part has other contents now.
  while (!window_.empty() && window_.back().index > log_.last_closed) {
    window_bytes_ -= window_.back().block->footprint();
    window_.pop_back();
  }
  while (!promises_.empty() && promises_.back().index > log.last)
    promises_.pop_back();
  log_ = log;
  resolved_ = std::max({log.resolved, announced_resolved_, durable_resolved_});
  if (!promises_.empty())
    resolved_ = std::max(resolved_, promises_.back().resolved);
  // The new source has not heard of it.
  confirmed_ = {options_.partition, {}, {}};
  auto out = effects{};
  advance(out);
  // No row stands between the last end mark and the promise.
  auto from = raised_to(log.appended_to, resolved_);
  out.push_back(source_attached{options_.partition, from, resolved_});
  schedule(out, now);
  return out;
}

event_store_state::effects
event_store_state::on_append(const append_rows& message, milliseconds now) {
  if (message.writer != writer_)
    return {
      refuse_source{refuse(message.number, errc::stale_source,
                           to_string(message.writer) + " is not attached")}};
  if (message.number <= number_)
    return {rows_appended{options_.partition, message.number}};
  auto last = waiting_.empty() ? number_ : waiting_.back().number;
  if (message.number <= last)
    return {}; // answered when it does not wait any more
  if (message.number != last + 1)
    return {refuse(message.number, errc::append_out_of_order,
                   "append " + std::to_string(message.number) + " after "
                     + std::to_string(last))};
  if (failure_)
    return {append_failed{options_.partition, message.number, failure_}};
  if (waiting_.empty())
    return take(message, now);
  queue(message);
  return {};
}

event_store_state::effects event_store_state::take(const append_rows& message,
                                                   milliseconds now) {
  auto block = without_promised(message.block);
  auto resolved = std::max(resolved_, message.resolved);
  if (block != nullptr && !block->empty())
    return {call_append{message.number, std::move(block), resolved}};
  auto out = effects{};
  accept(message.number, resolved, out);
  schedule(out, now);
  return out;
}

// Rows at or below the promise would never be announced. Repeated ones are
// left to the engine, which knows and counts them.
block_ptr event_store_state::without_promised(const block_ptr& block) {
  if (block == nullptr || block->empty()
      || block->first_cursor().commit_ts > resolved_)
    return block;
  auto kept = row_block_builder{};
  auto end = block->ends().begin();
  auto dropped = std::uint64_t{0};
  for (std::size_t i = 0; i < block->rows(); ++i) {
    auto row = block->row(i);
    if (row.commit_ts() > resolved_ || row.cursor() <= log_.appended_to)
      kept.add(row);
    else
      ++dropped;
    if (end != block->ends().end() && *end == i + 1) {
      kept.end();
      ++end;
    }
  }
  rows_below_resolved_ += dropped;
  return dropped == 0 ? block : kept.finish();
}

event_store_state::effects
event_store_state::on_appended(const call_append& call, block_ptr block,
                               const error& failure, const log_position& log,
                               milliseconds now) {
  log_ = log;
  if (waits_after(failure)) {
    waiting_.push_front({writer_, call.number, call.block, call.resolved});
    return wait_for_room(failure, now);
  }
  auto out = effects{};
  if (failure) {
    give_up_waiting();
    out.push_back(append_failed{options_.partition, call.number, failure});
    if (failure.code == errc::disk_full)
      retention_.on_more_to_release(); // what the log has closed may go
    schedule(out, now);
    return out;
  }
  full_ = {};
  if (block != nullptr) {
    unsynced_bytes_ += block->bytes().size();
    keep(log.last, std::move(block));
    retention_.on_more_to_release();
  }
  accept(call.number, call.resolved, out);
  if (unsynced_bytes_ >= options_.sync_bytes)
    begin_sync(out);
  schedule(out, now);
  return out;
}

void event_store_state::accept(std::uint64_t number, timestamp resolved,
                               effects& out) {
  number_ = number;
  out.push_back(rows_appended{options_.partition, number});
  if (waiting_.empty()) {
    full_ = {};
  } else {
    append_at_ = milliseconds{0};
    out.push_back(wake_store{});
  }
  if (resolved > resolved_) {
    resolved_ = resolved;
    if (!promises_.empty() && promises_.back().index == log_.last)
      promises_.back().resolved = resolved;
    else
      promises_.push_back({log_.last, resolved});
  }
  advance(out);
}

// -- the shards ---------------------------------------------------------------

void event_store_state::keep(block_index index, block_ptr block) {
  if (!window_.empty() && window_.back().index.next() != index) {
    window_.clear(); // Blocks were abandoned in between.
    window_bytes_ = 0;
  }
  window_bytes_ += block->footprint();
  window_.push_back({index, std::move(block)});
  while (window_bytes_ > options_.window_bytes) {
    window_bytes_ -= window_.front().block->footprint();
    window_.pop_front();
  }
}

// Announces and confirms what may be by now.
void event_store_state::advance(effects& out) {
  auto closed = log_.last_closed;
  if (options_.level == durability::synced)
    closed = std::min(closed, log_.synced);
  announced_ = std::max(announced_, closed);
  raise_promises();
  for (std::size_t shard = 0; shard < shards_.size(); ++shard)
    send_progress_to(shard, out);
  drop_sent_blocks();
}

void event_store_state::raise_promises() {
  for (const auto& x : promises_) {
    if (x.index <= announced_)
      announced_resolved_ = std::max(announced_resolved_, x.resolved);
    if (x.index <= log_.synced)
      durable_resolved_ = std::max(durable_resolved_, x.resolved);
  }
  auto done = std::min(announced_, log_.synced);
  while (!promises_.empty() && promises_.front().index <= done)
    promises_.pop_front();
}

void event_store_state::send_progress_to(std::size_t shard, effects& out) {
  auto& x = shards_[shard];
  if (!x.attached || x.waiting
      || (x.sent >= announced_ && x.sent_resolved >= announced_resolved_))
    return;
  auto message = progress{options_.store, {}, announced_, announced_resolved_};
  for (const auto& block : window_)
    if (block.index > x.sent && block.index <= announced_)
      message.blocks.push_back(block);
  // They end with `last`, or a shard could take an old block for the newest.
  if (!message.blocks.empty() && message.blocks.back().index != announced_)
    message.blocks.clear();
  x.waiting = true;
  x.sent = announced_;
  x.sent_resolved = announced_resolved_;
  out.push_back(send_progress{shard, std::move(message)});
}

void event_store_state::drop_sent_blocks() {
  auto sent = announced_;
  for (const auto& x : shards_)
    if (x.attached)
      sent = std::min(sent, x.sent);
  while (!window_.empty() && window_.front().index <= sent) {
    window_bytes_ -= window_.front().block->footprint();
    window_.pop_front();
  }
}

event_store_state::effects
event_store_state::on_attach_shard(std::size_t shard) {
  if (shards_.size() <= shard)
    shards_.resize(shard + 1);
  shards_[shard] = {true, true, announced_, announced_resolved_, {}};
  return {send_progress{shard,
                        {options_.store, {}, announced_, announced_resolved_}}};
}

event_store_state::effects
event_store_state::on_progress_taken(std::size_t shard,
                                     const progress_taken& message) {
  if (shard >= shards_.size() || message.store != options_.store)
    return {};
  auto& x = shards_[shard];
  if (message.last != x.sent)
    return {}; // Of a progress before it attached again.
  x.waiting = false;
  x.taken = message.last;
  auto out = effects{};
  send_progress_to(shard, out);
  drop_sent_blocks();
  return out;
}

void event_store_state::on_shard_gone(std::size_t shard) {
  if (shard < shards_.size())
    shards_[shard] = {};
  drop_sent_blocks();
}

event_store_state::effects
event_store_state::on_scan_request(std::size_t shard, scan_request request) {
  auto view = log_scan_state::view{options_.store, announced_,
                                   announced_resolved_};
  auto out = effects{};
  for (auto& x : scans_.on_request(shard, std::move(request), view, retention_))
    std::visit([&](auto& y) { out.emplace_back(std::move(y)); }, x);
  return out;
}

event_store_state::effects event_store_state::on_planned(std::uint64_t ticket,
                                                         planned_scans found,
                                                         milliseconds now) {
  return with_schedule(scans_.on_planned(ticket, std::move(found), retention_),
                       now);
}

event_store_state::effects
event_store_state::on_blocks_read(const blocks_read& message,
                                  milliseconds now) {
  return with_schedule(scans_.on_blocks_read(message, retention_), now);
}

event_store_state::effects
event_store_state::with_schedule(log_scan_state::effects scan,
                                 milliseconds now) {
  auto out = effects{};
  for (auto& x : scan)
    std::visit([&](auto& y) { out.emplace_back(std::move(y)); }, x);
  schedule(out, now);
  return out;
}

} // namespace sluice
