#include <algorithm>
#include <utility>

#include "actors/dispatcher_shard_state.hpp"
#include "messages/block_ranges.hpp"

/// DISPATCHER_SHARD's rows for who wants all tables of a feed in commit
/// order. A block is sent as one cut or, where a DDL stands between its rows
/// or the credit ends, as several; each is grouped by table as the block is.
namespace sluice {

dispatcher_shard_state::sent
dispatcher_shard_state::deliver_all_tables(slot stream,
                                           const block_ptr& block) {
  for (;;) {
    const auto* ddl = at(stream).next_ddl();
    auto limit = block->last_cursor();
    if (ddl != nullptr)
      limit = std::min(limit, row_cursor::end_of(ddl->ts));
    if (auto what = deliver_cut(stream, block, limit); what != sent::all)
      return what;
    at(stream).skip_to(limit); // also rows of tables that it does not want
    if (limit == block->last_cursor())
      return sent::all;
    send_ddl(stream);
  }
}

dispatcher_shard_state::sent
dispatcher_shard_state::deliver_cut(slot stream, const block_ptr& block,
                                    row_cursor limit) {
  auto& dispatcher = at(stream);
  auto feed = dispatcher.who().feed;
  auto shares = shares_of(stream, *block, limit);
  if (shares.empty()) {
    // The transaction that is open may end here without a row of the feed.
    if (dispatcher.torn() && block->last_cursor() > dispatcher.cursor()
        && end_at(stream, *block, dispatcher.cursor()) == item_end::transaction)
      parcels_[feed].items.push_back(dispatcher.send_promise(stream));
    return sent::all;
  }
  auto last = row_cursor{};
  auto used = std::uint64_t{0};
  for (const auto& x : shares) {
    auto row = block->grouped(x.first);
    if (dispatcher.waits_for_ddl(row.table(), row.schema()))
      return sent::no_schema;
    last = std::max(last, block->grouped(x.first + x.count - 1).cursor());
    used += x.bytes;
  }
  auto& to = parcels_[feed];
  auto how = cut{last, item_end::cut};
  if (!down_.credit.covers(feed, used, to.charge)) {
    how.to = affordable(stream, *block, last);
    shares = shares_of(stream, *block, how.to);
    if (shares.empty())
      return sent::no_credit;
  }
  how.end = end_at(stream, *block, how.to);
  pack(to, block, shares, &how);
  return how.to == last ? sent::all : sent::no_credit;
}

// What is not sent yet and <= `to`, a share per run.
std::vector<dispatcher_shard_state::share>
dispatcher_shard_state::shares_of(slot stream, const row_block& block,
                                  row_cursor to) {
  const auto& dispatcher = at(stream);
  auto from = dispatcher.cursor();
  auto result = std::vector<share>{};
  for (const auto& run : block.runs()) {
    if (!dispatcher.version_of(run.table))
      continue;
    auto skip = rows_up_to(block, run.first, run.count, from);
    auto end = run.last_cursor <= to
                 ? run.count
                 : rows_up_to(block, run.first, run.count, to);
    if (skip >= end)
      continue;
    auto first = run.first + skip;
    auto count = end - skip;
    result.push_back(
      {stream, first, count,
       count == run.count ? run.bytes : bytes_of(block, first, count)});
  }
  return result;
}

// The last row up to `limit` that the credit covers; else where it stands.
row_cursor dispatcher_shard_state::affordable(slot stream,
                                              const row_block& block,
                                              row_cursor limit) {
  const auto& dispatcher = at(stream);
  auto feed = dispatcher.who().feed;
  auto result = dispatcher.cursor();
  auto taken = parcels_[feed].charge;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    auto row = block.row(i);
    if (row.cursor() > limit)
      break;
    if (row.cursor() <= dispatcher.cursor()
        || !dispatcher.version_of(row.table()))
      continue;
    if (!down_.credit.covers_row(feed, row.size_bytes(), taken))
      break;
    taken += row.size_bytes();
    result = row.cursor();
    if (down_.credit.allowed(feed) < static_cast<std::int64_t>(taken))
      break; // the one oversized row
  }
  return result;
}

// Whether the source's transactions with rows <= `to` are complete there, as
// far as the dispatcher's tables are concerned.
item_end dispatcher_shard_state::end_at(slot stream, const row_block& block,
                                        row_cursor to) {
  const auto& dispatcher = at(stream);
  auto low = std::size_t{0};
  for (auto n = block.rows(); n > 0;) { // rows stand in commit order
    auto half = n / 2;
    if (block.row(low + half).cursor() <= to) {
      low += half + 1;
      n -= half + 1;
    } else {
      n = half;
    }
  }
  const auto& ends = block.ends();
  auto end = std::lower_bound(ends.begin(), ends.end(), low);
  if (end == ends.end())
    return item_end::cut;
  for (; low < *end; ++low)
    if (dispatcher.version_of(block.row(low).table()))
      return item_end::cut;
  return item_end::transaction;
}

} // namespace sluice
