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
void append_asked(std::vector<scan_rows>& to, const block_ptr& block,
                  std::size_t hint, const scan_entry& asked,
                  key_filter& within) {
  if (asked.table == all_tables) {
    to.push_back({block, 0, static_cast<std::uint32_t>(block->rows())});
    return;
  }
  const auto& runs = block->runs();
  for (auto i = first_run(*block, asked.table, hint);
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
    // What is read for a feed as a whole is for streams that have joined: what
    // they have not got is above their checkpoints, and so above the floors.
    auto of_feed = entry.table == all_tables && !entry.registration;
    if (of_feed || floors.in_range(entry)) {
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

log_scan_state::effects log_scan_state::on_planned(std::uint64_t ticket,
                                                   planned_scans found,
                                                   retention_state& floors) {
  auto asked = open_.find(ticket);
  if (asked == open_.end())
    return {};
  auto& scan = asked->second;
  scan.found = std::move(found);
  if (scan.lane == scan_lane::memory)
    cut_at_disk(scan);
  for (const auto& plan : scan.found.scans)
    for (const auto& piece : scan.found.pieces_of(plan)) {
      const auto& x = scan.found.blocks[piece.block];
      // Tables of one block are often scanned together: read it once.
      if (x.block == nullptr
          && scan.places.emplace(piece.block, scan.missing.size()).second)
        scan.missing.push_back(x.location);
    }
  if (scan.missing.empty())
    return {finish(ticket, floors)};
  return {read_blocks{ticket, scan.missing}};
}

// What is in memory goes at once.
void log_scan_state::cut_at_disk(open_scan& scan) {
  for (std::size_t i = 0; i < scan.found.scans.size(); ++i) {
    auto& plan = scan.found.scans[i];
    auto pieces = scan.found.pieces_of(plan);
    auto cold = std::find_if(
      pieces.begin(), pieces.end(), [&](const scan_piece& x) {
        return scan.found.blocks[x.block].block == nullptr;
      });
    if (cold == pieces.end())
      continue;
    plan.complete_to = scan.found.blocks[cold->block].index.previous();
    plan.count = static_cast<std::size_t>(cold - pieces.begin());
    scan.answer.results[scan.planned[i]].on_disk = true;
  }
}

log_scan_state::effects
log_scan_state::on_blocks_read(const blocks_read& message,
                               retention_state& floors) {
  auto found = open_.find(message.ticket);
  if (found == open_.end())
    return {};
  auto& scan = found->second;
  scan.failures = message.failures;
  for (auto [block, i] : scan.places)
    if (i < message.blocks.size())
      scan.found.blocks[block].block = message.blocks[i];
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
  const auto& plan = scan.found.scans[wish];
  result.complete_to = plan.complete_to;
  result.failure = plan.failure.code;
  result.detail = plan.failure.detail;
  auto within = key_filter{result.asked.range};
  for (auto i = plan.first; i < plan.first + plan.count; ++i) {
    prefetch_behind(scan.found, i);
    auto [place, run] = scan.found.pieces[i];
    const auto& block = scan.found.blocks[place].block;
    if (block == nullptr)
      return fill_unread(scan, place, result, floors);
    append_asked(result.rows, block, run, result.asked, within);
  }
}

void log_scan_state::fill_unread(const open_scan& scan, std::uint32_t block,
                                 scan_result& result,
                                 const retention_state& floors) {
  const auto& unread = scan.found.blocks[block];
  auto i = scan.places.at(block);
  auto failure = i < scan.failures.size() ? scan.failures[i] : error{};
  if (failure.code == errc::log_corrupt && !result.rows.empty()) {
    // What precedes it may go on; the next scan begins with it.
    result.complete_to = unread.index.previous();
    return;
  }
  // Never an empty result for rows that could not be read.
  result.rows.clear();
  result.complete_to = {};
  result.failure = failure ? failure.code : errc::log_io;
  result.detail = failure.detail;
  if (result.failure == errc::out_of_range)
    refuse(result, floors, scan.upper);
  if (result.failure == errc::log_corrupt) {
    if (result.asked.table == all_tables)
      result.damaged_tables = unread.tables;
    result.damaged_to = unread.last;
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
