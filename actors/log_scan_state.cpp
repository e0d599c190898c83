#include "actors/log_scan_state.hpp"

#include <algorithm>
#include <utility>

#include "messages/block_ranges.hpp"

namespace sluice {

namespace {

// Those of the rows that lie in the range, as few stretches.
void append_within(std::vector<scan_rows>& to, const scan_rows& rows,
                   key_filter& within) {
  auto begun = false;
  for (auto i = rows.first; i < rows.first + rows.count; ++i) {
    if (!within(rows.block->grouped(i))) {
      begun = false;
      continue;
    }
    if (!std::exchange(begun, true))
      to.push_back({rows.block, i, 0});
    ++to.back().count;
  }
}

// The rows that an entry asks for, by full cursors: several transactions may
// share a commit_ts.
void append_asked(std::vector<scan_rows>& to, const planned_piece& piece,
                  const scan_entry& asked, key_filter& within) {
  const auto& block = piece.block;
  if (asked.table == all_tables) {
    to.push_back({block, 0, static_cast<std::uint32_t>(block->rows())});
    return;
  }
  const auto& runs = block->runs();
  for (auto i = first_run(*block, asked.table, piece.run);
       i < runs.size() && runs[i].table == asked.table; ++i) {
    const auto& run = runs[i];
    if (run.last_cursor <= asked.after)
      continue;
    auto skip = rows_up_to(*block, run.first, run.count, asked.after);
    auto rows = scan_rows{block, run.first + skip, run.count - skip};
    if (asked.range.everything())
      to.push_back(std::move(rows));
    else
      append_within(to, rows, within);
  }
}

// What is in memory goes at once.
void cut_at_disk(planned_scan& plan) {
  auto cold = std::find_if(
    plan.pieces.begin(), plan.pieces.end(),
    [](const planned_piece& x) { return x.block == nullptr; });
  if (cold == plan.pieces.end())
    return;
  plan.complete_to = cold->index.previous();
  plan.on_disk = true;
  plan.pieces.erase(cold, plan.pieces.end());
}

} // namespace

log_scan_state::effects log_scan_state::on_request(std::size_t shard,
                                                   scan_request request,
                                                   const view& log,
                                                   retention_state& floors) {
  auto ticket = ++tickets_;
  auto& scan = open_[ticket];
  scan.shard = shard;
  scan.lane = request.lane;
  scan.upper = log.resolved;
  scan.answer.scan = request.scan;
  scan.answer.store = log.store;
  // Indices of another incarnation say nothing.
  auto to = request.store == log.store ? std::min(request.to, log.announced)
                                       : log.announced;
  auto plan = plan_scans{ticket, {}};
  for (auto& entry : request.entries) {
    ++scans_;
    floors.pin(entry.table, entry.after);
    auto result = scan_result{};
    result.asked = entry;
    if (floors.in_range(entry)) {
      scan.planned.push_back(scan.answer.results.size());
      plan.wishes.push_back({entry.table, entry.after, to, entry.bytes_max});
    } else {
      refuse(result, floors, scan.upper);
    }
    scan.answer.results.push_back(std::move(result));
  }
  if (plan.wishes.empty())
    return {finish(ticket, floors)};
  return {std::move(plan)};
}

log_scan_state::effects
log_scan_state::on_planned(std::uint64_t ticket,
                           std::vector<planned_scan> plans,
                           retention_state& floors) {
  auto found = open_.find(ticket);
  if (found == open_.end())
    return {};
  auto& scan = found->second;
  scan.plans = std::move(plans);
  if (scan.lane == scan_lane::memory)
    for (auto& plan : scan.plans)
      cut_at_disk(plan);
  for (const auto& plan : scan.plans)
    for (const auto& piece : plan.pieces)
      // Tables of one block are often scanned together: read it once.
      if (piece.block == nullptr
          && scan.places.emplace(piece.location, scan.missing.size()).second)
        scan.missing.push_back(piece.location);
  if (scan.missing.empty())
    return {finish(ticket, floors)};
  return {read_blocks{ticket, scan.missing}};
}

log_scan_state::effects
log_scan_state::on_blocks_read(const blocks_read& message,
                               retention_state& floors) {
  auto found = open_.find(message.ticket);
  if (found == open_.end())
    return {};
  auto& scan = found->second;
  for (auto& plan : scan.plans)
    for (auto& piece : plan.pieces) {
      if (piece.block != nullptr)
        continue;
      auto i = scan.places.at(piece.location);
      if (i < message.blocks.size())
        piece.block = message.blocks[i];
      if (i < message.failures.size())
        piece.failure = message.failures[i];
    }
  return {finish(message.ticket, floors)};
}

void log_scan_state::refuse(scan_result& result, const retention_state& floors,
                            timestamp upper) {
  ++out_of_range_;
  result.failure = errc::out_of_range;
  result.lower = floors.lost(result.asked);
  result.upper = upper;
}

void log_scan_state::fill(open_scan& scan, std::size_t wish,
                          const retention_state& floors) {
  auto& result = scan.answer.results[scan.planned[wish]];
  const auto& plan = scan.plans[wish];
  result.complete_to = plan.complete_to;
  result.on_disk = plan.on_disk;
  result.failure = plan.failure.code;
  result.detail = plan.failure.detail;
  auto within = key_filter{result.asked.range};
  for (const auto& piece : plan.pieces) {
    if (piece.block != nullptr) {
      append_asked(result.rows, piece, result.asked, within);
      continue;
    }
    if (piece.failure.code == errc::log_corrupt && !result.rows.empty()) {
      // What precedes it may go on; the next scan begins with it.
      result.complete_to = piece.index.previous();
      return;
    }
    // Never an empty result for rows that could not be read.
    result.rows.clear();
    result.complete_to = {};
    result.failure = piece.failure ? piece.failure.code : errc::log_io;
    result.detail = piece.failure.detail;
    if (result.failure == errc::out_of_range)
      refuse(result, floors, scan.upper);
    if (result.failure == errc::log_corrupt) {
      result.damaged_tables = piece.tables;
      result.damaged_to = piece.last;
    }
    return;
  }
}

answer_scan log_scan_state::finish(std::uint64_t ticket,
                                   retention_state& floors) {
  auto scan = std::move(open_.extract(ticket).mapped());
  for (std::size_t i = 0; i < scan.planned.size(); ++i)
    fill(scan, i, floors);
  for (const auto& result : scan.answer.results)
    floors.unpin(result.asked.table, result.asked.after);
  return {scan.shard, std::move(scan.answer)};
}

} // namespace sluice
