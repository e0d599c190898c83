#include "actors/retention_state.hpp"

#include <algorithm>
#include <utility>

#include "messages/partitioning.hpp"

namespace sluice {

namespace {

// Rows > the result are what a scan after `cursor` may still read.
timestamp pinned_floor(row_cursor cursor) {
  return cursor.is_end() ? cursor.commit_ts : cursor.commit_ts.previous();
}

} // namespace

timestamp retention_state::floors::of(table_id table) const {
  auto found = exceptions.find(table);
  return found == exceptions.end() ? bulk : found->second;
}

bool retention_state::floors::raise(const floors& next) {
  auto result = floors{std::max(bulk, next.bulk), {}};
  auto moved = result.bulk > bulk;
  auto take = [&](table_id table) {
    // One that is named is believed, also when it is lower: its sink was
    // restored, and what is left of its rows must stay.
    auto named = next.exceptions.find(table);
    auto floor = named != next.exceptions.end()
                   ? named->second
                   : std::max(of(table), next.bulk);
    moved = moved || floor != of(table);
    if (floor != result.bulk)
      result.exceptions.emplace(table, floor);
  };
  for (const auto& entry : exceptions)
    take(entry.first);
  for (const auto& entry : next.exceptions)
    take(entry.first);
  *this = std::move(result);
  return moved;
}

retention_state::retention_state(retention_options options)
  : options_{options} {
  // nop
}

void retention_state::on_feeds_loaded(const feeds_loaded& message) {
  loaded_ = true;
  floors_moved_ = true;
  confirm_limit_.reset();
  for (const auto& feed : message.feeds)
    feeds_[feed.id].record = feed;
  for (const auto& stored : message.floors) {
    auto found = feeds_.find(stored.feed);
    if (found == feeds_.end())
      continue;
    auto next = floors{stored.floor, {}};
    for (const auto& x : stored.exceptions)
      next.exceptions.emplace(x.table, x.checkpoint);
    (void) found->second.now.raise(next);
  }
  for (const auto& table : message.tables)
    tables_[table.table].name = table.name;
  for (const auto& entry : tables_)
    match(entry.first);
  on_noted(message.lost);
}

void retention_state::on_table(const table_info& table) {
  tables_[table.table].name = table.name;
  match(table.table);
}

void retention_state::match(table_id table) {
  auto& entry = tables_[table];
  auto own = is_own(table) ? std::size_t{1} : 0;
  for (auto id : entry.feeds)
    feeds_.at(id).own_tables -= own;
  entry.feeds.clear();
  for (auto& [id, feed] : feeds_)
    if (feed.record.rules.matches(entry.name)) {
      entry.feeds.push_back(id);
      feed.own_tables += own;
    }
  confirm_limit_.reset();
}

void retention_state::on_feed_removed(feed_id feed) {
  feeds_.erase(feed);
  for (auto& entry : tables_)
    std::erase(entry.second.feeds, feed);
  floors_moved_ = true;
  confirm_limit_.reset();
}

void retention_state::on_floor_report(const floor_report& report) {
  auto found = feeds_.find(report.feed);
  if (found == feeds_.end())
    return; // Removed meanwhile.
  auto next = floors{report.floor, {}};
  for (const auto& x : report.exceptions) {
    // A stream that was left may still be there beside the one that came.
    auto named = next.exceptions.emplace(x.table, x.floor).first;
    named->second = std::min(named->second, x.floor);
  }
  auto& feed = found->second;
  if (!feed.now.raise(next))
    return;
  floors_moved_ = true;
  confirm_limit_.reset();
  feed.unstored = true;
  unstored_ = true;
}

void retention_state::pin(table_id table, row_cursor after) {
  pins_[table].insert(pinned_floor(after));
}

void retention_state::unpin(table_id table, row_cursor after) {
  auto found = pins_.find(table);
  if (found == pins_.end())
    return;
  auto one = found->second.find(pinned_floor(after));
  if (one != found->second.end())
    found->second.erase(one);
  if (found->second.empty())
    pins_.erase(found);
  floors_moved_ = true;
}

bool retention_state::is_own(table_id table) const {
  return partition_of(table, options_.partitions) == options_.place;
}

std::vector<table_id> retention_state::own_tables() const {
  auto result = std::vector<table_id>{};
  for (const auto& entry : tables_)
    if (is_own(entry.first))
      result.push_back(entry.first);
  std::sort(result.begin(), result.end());
  return result;
}

namespace {

// Of no table at all it is 0.
template <class Floor>
timestamp lowest(const std::vector<table_id>& tables, Floor floor_of) {
  auto result = tables.empty() ? timestamp{} : timestamp::max();
  for (auto table : tables)
    result = std::min(result, floor_of(table));
  return result;
}

} // namespace

timestamp retention_state::floor_of(table_id table) const {
  if (table == all_tables)
    return lowest(own_tables(), [this](table_id x) { return floor_of(x); });
  if (retained_)
    return std::min(needed_floor_of(table), *retained_);
  auto known = tables_.find(table);
  auto matched = known != tables_.end() && !known->second.feeds.empty();
  return matched ? needed_floor_of(table) : timestamp{};
}

// Whoever makes the first feed wants what came before it.
timestamp retention_state::needed_floor_of(table_id table) const {
  auto known = tables_.find(table);
  if (!loaded_ || feeds_.empty() || known == tables_.end())
    return {};
  auto result = timestamp::max();
  for (auto id : known->second.feeds)
    result = std::min(result, feeds_.at(id).now.of(table));
  for (auto of : {table, all_tables})
    if (auto pinned = pins_.find(of); pinned != pins_.end())
      result = std::min(result, *pinned->second.begin());
  return result;
}

timestamp retention_state::floor_of(feed_id feed, table_id table) const {
  auto found = feeds_.find(feed);
  return found == feeds_.end() ? timestamp{} : found->second.now.of(table);
}

// Without a look at each table: those at the bulk floor may be a million. Of a
// feed that has no table here nothing can be missing.
timestamp retention_state::lowest_floor(const feed_entry& feed) const {
  auto result = timestamp::max();
  auto at_bulk = feed.own_tables;
  for (const auto& [table, floor] : feed.now.exceptions) {
    auto known = tables_.find(table);
    if (known == tables_.end() || !is_own(table)
        || std::count(known->second.feeds.begin(), known->second.feeds.end(),
                      feed.record.id)
             == 0)
      continue;
    result = std::min(result, floor);
    --at_bulk;
  }
  return at_bulk == 0 ? result : std::min(result, feed.now.bulk);
}

retention_state::limit retention_state::confirm_limit() {
  if (confirm_limit_)
    return *confirm_limit_;
  auto result = limit{loaded_ ? timestamp::max() : timestamp{}, {}};
  for (const auto& [id, feed] : feeds_) {
    if (feed.record.rules.confirm != confirm_level::sinks)
      continue;
    if (auto floor = lowest_floor(feed); floor < result.ts)
      result = {floor, id};
  }
  confirm_limit_ = result;
  return result;
}

timestamp retention_state::release_floor(table_id table) const {
  if (table == all_tables)
    return lowest(own_tables(),
                  [this](table_id x) { return release_floor(x); });
  return std::min(floor_of(table), lost(table));
}

timestamp retention_state::lost(table_id table) const {
  auto found = lost_.find(table);
  return found == lost_.end() ? timestamp{} : found->second;
}

timestamp retention_state::lost(const scan_entry& wanted) const {
  if (wanted.table != all_tables)
    return lost(wanted.table);
  auto result = timestamp{};
  for (const auto& [table, entry] : tables_)
    if (std::count(entry.feeds.begin(), entry.feeds.end(), wanted.feed) > 0)
      result = std::max(result, lost(table));
  return result;
}

bool retention_state::in_range(const scan_entry& wanted) const {
  auto gone = lost(wanted);
  return !gone || wanted.after >= row_cursor::end_of(gone);
}

std::vector<table_floor>
retention_state::unnoted(const std::vector<table_id>& tables) const {
  auto all = std::find(tables.begin(), tables.end(), all_tables);
  auto result = std::vector<table_floor>{};
  for (auto table : all == tables.end() ? tables : own_tables())
    if (auto floor = floor_of(table); floor > lost(table))
      result.push_back({table, floor});
  return result;
}

void retention_state::on_noted(const std::vector<table_floor>& noted) {
  for (const auto& x : noted)
    lost_[x.table] = std::max(lost_[x.table], x.floor);
}

std::vector<feed_floor> retention_state::take_unstored() {
  auto result = std::vector<feed_floor>{};
  for (auto& [id, feed] : feeds_) {
    if (!feed.unstored)
      continue;
    feed.unstored = false;
    result.push_back(options_.partitions == 1 ? whole_floor(feed)
                                              : changed_floor(feed));
  }
  unstored_ = false;
  return result;
}

feed_floor retention_state::whole_floor(const feed_entry& feed) const {
  auto result = feed_floor{feed.record.id, feed.now.bulk, {}};
  for (const auto& [table, floor] : feed.now.exceptions)
    result.exceptions.push_back({table, {}, floor});
  std::sort(result.exceptions.begin(), result.exceptions.end(),
            [](const auto& x, const auto& y) { return x.table < y.table; });
  return result;
}

// What is stored belongs to all partitions, and the bulk floor of this one
// says nothing about tables of another: so each own table is named, once per
// change. What is not named stays as it is stored.
feed_floor retention_state::changed_floor(feed_entry& feed) const {
  auto result = feed_floor{feed.record.id, {}, {}};
  for (auto table : own_tables()) {
    const auto& of = tables_.at(table).feeds;
    if (std::count(of.begin(), of.end(), feed.record.id) == 0)
      continue;
    auto floor = feed.now.of(table);
    auto [stored, first] = feed.stored.try_emplace(table, floor);
    if (!first && std::exchange(stored->second, floor) == floor)
      continue;
    result.exceptions.push_back({table, {}, floor});
  }
  return result;
}

} // namespace sluice
