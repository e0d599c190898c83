#include <algorithm>
#include <utility>

#include "actors/dispatcher_shard_state.hpp"
#include "messages/block_ranges.hpp"

/// DISPATCHER_SHARD's cohorts: the streams of a feed that are in sync get whole
/// blocks together, at the cost of a look at the tables in a block. Who joins
/// or leaves is told before the next rows.
namespace sluice {

namespace {

// Of its credit; a larger part of a block does not wait for all of that.
constexpr std::uint64_t wait_part = 4;

} // namespace

// -- who is in it -------------------------------------------------------------

dispatcher_shard_state::table_entry*
dispatcher_shard_state::table_of(table_id table) {
  auto i = table_places_.find(table);
  return i == table_map::none ? nullptr : &tables_[i];
}

dispatcher_shard_state::table_entry&
dispatcher_shard_state::add_table(table_id table) {
  if (auto* known = table_of(table))
    return *known;
  table_places_.exchange(table, tables_.size());
  return tables_.emplace_back();
}

void dispatcher_shard_state::note_version(table_id table,
                                          schema_version version) {
  auto& known = add_table(table).known;
  known = std::max(known, version);
}

/// @pre It has every row up to the cohort's place, and none behind it.
void dispatcher_shard_state::join_cohort(slot stream, feed_on_channel& feed) {
  ++feed.members;
  auto& cohorts = add_table(at(stream).who().table).cohorts;
  auto found = std::find_if(
    cohorts.begin(), cohorts.end(),
    [&](const table_cohort& x) { return x.feed == feed.number; });
  if (found == cohorts.end())
    cohorts.push_back({feed.number, 1});
  else
    ++found->streams;
}

void dispatcher_shard_state::quit_cohort(slot stream) {
  auto& dispatcher = at(stream);
  auto& feed = feeds_.at(dispatcher.who().feed);
  feed.ahead.erase(stream);
  if (!std::exchange(dispatcher.joined, false) || dispatcher.has_all_tables())
    return;
  for (auto& x : table_of(dispatcher.who().table)->cohorts)
    if (x.feed == feed.number)
      --x.streams;
  std::erase_if(table_of(dispatcher.who().table)->cohorts,
                [](const table_cohort& x) { return x.streams == 0; });
  if (--feed.members == 0)
    wake_ahead(feed);
}

// What its cohort was sent while it was in it, it has.
void dispatcher_shard_state::take_place_along(slot stream) {
  auto& dispatcher = at(stream);
  if (dispatcher.joined && !dispatcher.has_all_tables())
    dispatcher.skip_to(feeds_.at(dispatcher.who().feed).at);
}

// There is nobody that they could wait for.
void dispatcher_shard_state::wake_ahead(feed_on_channel& feed) {
  for (auto [stream, complete_to] : std::exchange(feed.ahead, {}))
    want_scan(stream);
}

// No row that the cohort has not got is before the next block, or <= what this
// store has resolved.
void dispatcher_shard_state::raise_place(feed_on_channel& feed) {
  if (feed.reading)
    return;
  auto to = row_cursor::end_of(log_resolved_);
  if (feed.taken < last_)
    to = window_[next_in_window(feed)].block->first_cursor().previous();
  feed.at = std::max(feed.at, to);
}

// Of the block that a late feed, which does not read, stands in front of.
std::size_t
dispatcher_shard_state::next_in_window(const feed_on_channel& feed) const {
  return feed.taken.value + 1 - window_.front().index.value;
}

// As far as it is known. A log that starts anew may have lost its tail.
row_cursor dispatcher_shard_state::log_end() const {
  return std::max(last_row_, row_cursor::end_of(log_resolved_));
}

// Who waits for the cohort to come to where it is.
void dispatcher_shard_state::let_join(feed_on_channel& feed) {
  if (feed.ahead.empty() || feed.reading)
    return;
  auto may_join = std::vector<std::pair<slot, block_index>>{};
  auto end = log_end();
  for (const auto& [stream, complete_to] : feed.ahead)
    if (complete_to <= feed.taken && at(stream).cursor() <= end
        && feed.at <= end)
      may_join.emplace_back(stream, complete_to);
  for (auto [stream, complete_to] : may_join) {
    feed.ahead.erase(stream);
    (void) join(stream, complete_to);
  }
}

// The collector must not take rows for who is not in it, or leave out who is.
void dispatcher_shard_state::tell_changes() {
  if (!behind_now_.empty() || !joined_now_.empty())
    send_watermark();
}

// -- what it gets of a block --------------------------------------------------

// Rows of a schema that nobody has told of wait for it.
void dispatcher_shard_state::leave_unknown(const row_block& block) {
  for (const auto& run : block.runs())
    if (const auto* table = table_of(run.table);
        table != nullptr && run.schema > table->known)
      for (auto stream : table->streams)
        if (at(stream).joined)
          leave_fast_path(stream);
}

dispatcher_shard_state::cohort_parts
dispatcher_shard_state::parts_of(const row_block& block) {
  auto result = cohort_parts(feed_numbers_);
  auto unknown = false;
  for (const auto& run : block.runs()) {
    const auto* table = table_of(run.table);
    if (table == nullptr)
      continue;
    unknown = unknown || (run.schema > table->known && !table->cohorts.empty());
    for (const auto& x : table->cohorts) {
      ++result[x.feed].runs;
      result[x.feed].bytes += run.bytes;
    }
  }
  if (!unknown)
    return result;
  leave_unknown(block);
  return parts_of(block);
}

bool dispatcher_shard_state::wants(const feed_on_channel& feed,
                                   table_id table) {
  const auto* found = table_of(table);
  return found != nullptr
         && std::any_of(
           found->cohorts.begin(), found->cohorts.end(),
           [&](const table_cohort& x) { return x.feed == feed.number; });
}

std::vector<std::uint32_t>
dispatcher_shard_state::runs_for(const feed_on_channel& feed,
                                 const row_block& block) {
  auto result = std::vector<std::uint32_t>{};
  for (std::uint32_t i = 0; i < block.runs().size(); ++i)
    if (wants(feed, block.runs()[i].table))
      result.push_back(i);
  return result;
}

// Rows behind the next DDL of a member wait for it.
row_cursor dispatcher_shard_state::up_to_ddl(feed_id id, row_cursor limit) {
  for (auto stream : with_ddl_)
    if (const auto& x = at(stream); x.who().feed == id && x.next_ddl())
      limit = std::min(limit, row_cursor::end_of(x.next_ddl()->ts));
  return limit;
}

// -- sending it ---------------------------------------------------------------

// What it has got already is passed over, so that it may be offered again.
// @returns Whether it has all of it.
bool dispatcher_shard_state::offer(feed_id id, feed_on_channel& feed,
                                   const block_ptr& block,
                                   const cohort_part& part) {
  auto last = block->last_cursor();
  while (part.runs > 0) {
    auto limit = up_to_ddl(id, last);
    if (limit > feed.at && !send_part(id, feed, block, part, limit))
      return false;
    feed.at = std::max(feed.at, limit);
    if (limit >= last)
      break;
    auto due = std::vector<slot>(with_ddl_.begin(), with_ddl_.end());
    for (auto stream : due)
      if (at(stream).who().feed == id)
        send_due_ddl(stream, limit.commit_ts);
    std::erase_if(with_ddl_, [&](slot x) { return !at(x).next_ddl(); });
  }
  feed.at = std::max(feed.at, last);
  return true;
}

bool dispatcher_shard_state::send_part(feed_id id, feed_on_channel& feed,
                                       const block_ptr& block,
                                       const cohort_part& part,
                                       row_cursor limit) {
  tell_changes();
  auto whole = feed.at < block->first_cursor() && limit >= block->last_cursor();
  auto packed = parcels_[id].charge + static_cast<std::uint64_t>(asked_for(id));
  if (whole && waits_for_credit(id, part.bytes, packed))
    return false; // no look at its rows
  if (!whole || !worth_pinning(*block, part.bytes)
      || !down_.credit.covers(id, block->footprint(), packed))
    return send_copies(id, feed, *block, limit);
  auto& to = parcels_[id];
  to.charge += block->footprint();
  auto runs = std::vector<std::uint32_t>{};
  if (part.runs < block->runs().size())
    runs = runs_for(feed, *block);
  to.cohort.push_back({block, std::move(runs), limit});
  return true;
}

// Where the credit ends, a part that is small beside it waits for all of it;
// a larger one is cut.
bool dispatcher_shard_state::waits_for_credit(feed_id id, std::uint64_t bytes,
                                              std::uint64_t packed) const {
  return !down_.credit.covers(id, bytes, packed)
         && bytes <= down_.credit.limit(id) / wait_part;
}

bool dispatcher_shard_state::send_copies(feed_id id, feed_on_channel& feed,
                                         const row_block& block,
                                         row_cursor limit) {
  auto rows = std::vector<row_view>{};
  auto used = std::uint64_t{0};
  for (std::size_t i = 0; i < block.rows(); ++i) {
    auto row = block.row(i);
    if (row.cursor() <= feed.at || !wants(feed, row.table()))
      continue;
    if (row.cursor() > limit)
      break;
    rows.push_back(row);
    used += row.size_bytes();
  }
  auto& to = parcels_[id];
  auto kept = static_cast<std::uint64_t>(asked_for(id)); // for scans
  if (waits_for_credit(id, used, to.charge + kept))
    return rows.empty();
  auto all = down_.credit.covers(id, used, to.charge + kept);
  auto copy = row_block_builder{};
  for (auto row : rows) {
    if (!all && !down_.credit.covers_row(id, row.size_bytes(), to.charge))
      break;
    copy.add(row);
    to.charge += row.size_bytes();
    feed.at = row.cursor();
  }
  auto copied = copy.rows();
  if (copied > 0)
    to.cohort.push_back({copy.finish(), {}, feed.at});
  return copied == rows.size();
}

} // namespace sluice
