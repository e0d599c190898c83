#include <algorithm>
#include <utility>

#include "actors/collector_shard_state.hpp"
#include "messages/block_ranges.hpp"
#include "messages/schema_book.hpp"

/// COLLECTOR_SHARD's side of cohorts: rows that came for all streams of a feed
/// that are in sync.
namespace sluice {

namespace {

// Rows that are durable already: none, unless something is wrong.
std::uint64_t rows_below(const cohort_rows& x, timestamp low) {
  auto result = std::uint64_t{0};
  for_each_run(x, [&](const block_run& run) {
    result += rows_up_to(*x.block, run.first, run.count,
                         row_cursor::end_of(low));
  });
  return result;
}

} // namespace

// @returns How many rows were taken, but for those that are handed by table.
std::uint64_t
collector_shard_state::take_cohort(feed_entry& of, channel_entry& on,
                                   cohort_rows& x, write_rows& to,
                                   std::vector<handed_rows>& handed) {
  if (on.up.in_doubt()) // of whom they are is not known; the digest tells
    return 0;
  on.places[of.record.id] = x.to;
  if (!of.behind.empty()
      || x.block->first_cursor() <= on.barriers[of.record.id]) {
    x.runs = fresh_runs(of, x, to, handed);
    if (x.runs.empty())
      return 0;
  }
  auto rows = std::uint64_t{0};
  for_each_run(x, [&](const block_run& run) { rows += run.count; });
  if (x.block->first_cursor().commit_ts <= of.low_stored)
    of.counts.rows_below_checkpoint += rows_below(x, of.low_stored);
  of.counts.rows_accepted += rows;
  to.cohort.push_back(std::move(x));
  return rows;
}

// Those of it whose stream is in sync as the collector has it: it may be behind
// because of its RESET that the shard does not know yet. Of a run that the
// sink has in part, the rest is handed by itself.
std::vector<std::uint32_t>
collector_shard_state::fresh_runs(feed_entry& of, const cohort_rows& x,
                                  write_rows& to,
                                  std::vector<handed_rows>& handed) {
  const auto& runs = x.block->runs();
  auto result = std::vector<std::uint32_t>{};
  for_each_run(x, [&](const block_run& run) {
    auto found = of.streams.find(run.table);
    if (found == of.streams.end() || entries_[found->second].stream.behind())
      return;
    auto& entry = entries_[found->second];
    auto known = rows_up_to(*x.block, run.first, run.count,
                            entry.stream.barrier());
    if (known == 0)
      result.push_back(static_cast<std::uint32_t>(&run - runs.data()));
    if (known == 0 || known == run.count)
      return;
    auto after = table_position{run.table, run.last_cursor, x.to.complete_to()};
    auto first = run.first + known;
    auto fresh = run.count - known;
    of.counts.rows_accepted += fresh;
    of.counts.rows_below_checkpoint += entry.progress.on_handed(*x.block, first,
                                                                fresh);
    of.busy.insert(found->second);
    to.items.push_back(
      {entry.stream.schema(run.table), x.block, first, fresh, after});
    handed.push_back({found->second, fresh, after});
  });
  return result;
}

// Rows for a cohort got lost, or came when nobody could tell for whom: those
// who are in it on both sides were in it all the time, and lack them.
void collector_shard_state::check_places(channel_entry& on, const digest& x,
                                         time now) {
  auto places = std::map<feed_id, row_cursor>{};
  for (const auto& one : x.cohorts)
    places.emplace(one.feed, one.to);
  auto known = std::exchange(on.places, places);
  for (auto& [id, of] : feeds_) {
    if (places[id] == known[id])
      continue;
    on.places[id] = known[id]; // up to here they have all
    for (const auto& [table, number] : of.streams)
      if (auto& found = entries_[number];
          found.table.partition == on.up.partition() && !found.stream.behind())
        reset(found, now);
    on.places[id] = places[id];
  }
}

// With the next batch, once: an item brings its own. A stream that is reset
// again and again has nothing new.
void collector_shard_state::tell_schema(stream_entry& x) {
  auto schema = x.stream.schema(x.table.table);
  if (schema == nullptr || schema->version == x.told)
    return;
  x.told = schema->version;
  feed_of(x).schemas.push_back(std::move(schema));
}

void collector_shard_state::leave_cohort(stream_entry& x) {
  auto& places = channel_of(x).places;
  if (auto i = places.find(x.stream.who().feed); i != places.end())
    x.stream.note_place(i->second);
}

} // namespace sluice
