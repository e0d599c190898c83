#include "actors/collector_state.hpp"

#include <string>

namespace sluice {

collector_state::effects collector_state::on_serve_feeds() {
  auto out = effects{};
  ++shards_;
  for (auto& [id, entry] : feeds_)
    if (!entry.shard)
      begin(entry, out);
  return out;
}

collector_state::effects
collector_state::on_watch_tables(schema_store_number store) {
  return {ask_tables{store}};
}

collector_state::effects
collector_state::on_subscribe_feed(const subscribe_feed& x) {
  auto out = effects{};
  auto& entry = feeds_[x.feed.id];
  entry.feed = x.feed;
  if (shards_ > 0)
    begin(entry, out);
  return out;
}

collector_state::effects
collector_state::on_unsubscribe_feed(const unsubscribe_feed& x) {
  auto out = effects{};
  auto found = feeds_.find(x.feed);
  if (found == feeds_.end())
    return out;
  // Tables it has not noted yet are still waited for: the shard handles
  // add_tables before this, and so answers it.
  if (found->second.shard)
    out.emplace_back(end_feed{*found->second.shard, x});
  feeds_.erase(found);
  return out;
}

collector_state::effects
collector_state::on_known_tables(schema_store_number store,
                                 const known_tables& x) {
  auto out = effects{};
  auto news = std::vector<table_info>{};
  for (const auto& info : x.tables) {
    auto [entry, added] = tables_.try_emplace(info.table);
    if (added || entry->second.info != info)
      news.push_back(info);
    entry->second.info = info;
  }
  for (const auto& [id, feed] : feeds_) {
    auto wanted = std::vector<table_info>{};
    for (const auto& info : news)
      if (feed.shard && feed.feed.rules.matches(info.name))
        wanted.push_back(info);
    if (!wanted.empty())
      extend(feed, std::move(wanted), out);
  }
  for (const auto& info : x.tables) {
    auto& table = tables_.at(info.table);
    if (table.missing.empty())
      out.emplace_back(acknowledge_table{store, {info.table}});
    else
      table.waiting.insert(store);
  }
  return out;
}

collector_state::effects collector_state::on_table_noted(shard_number shard,
                                                         const table_noted& x) {
  auto out = effects{};
  auto entry = tables_.find(x.table);
  if (entry == tables_.end())
    return out;
  auto& [id, table] = *entry;
  auto missing = table.missing.find(shard);
  if (missing == table.missing.end())
    return out;
  if (--missing->second == 0)
    table.missing.erase(missing);
  if (!table.missing.empty())
    return out;
  for (auto store : table.waiting)
    out.emplace_back(acknowledge_table{store, x});
  table.waiting.clear();
  return out;
}

std::optional<shard_number> collector_state::shard_of(feed_id feed) const {
  auto found = feeds_.find(feed);
  return found == feeds_.end() ? std::nullopt : found->second.shard;
}

feed_status collector_state::unknown(const feed_status_query& x) {
  auto result = feed_status{};
  result.feed = x.feed;
  result.failure = {errc::unknown_feed,
                    to_string(x.feed) + " is not subscribed"};
  return result;
}

void collector_state::begin(feed_entry& entry, effects& out) {
  if (!entry.shard)
    entry.shard = shard_number{
      static_cast<std::size_t>(entry.feed.id.value % shards_)};
  out.emplace_back(begin_feed{*entry.shard, {entry.feed}});
  auto tables = std::vector<table_info>{};
  for (const auto& [id, table] : tables_)
    if (entry.feed.rules.matches(table.info.name))
      tables.push_back(table.info);
  if (!tables.empty())
    extend(entry, std::move(tables), out);
}

void collector_state::extend(const feed_entry& entry,
                             std::vector<table_info> tables, effects& out) {
  for (const auto& info : tables)
    ++tables_[info.table].missing[*entry.shard];
  out.emplace_back(
    extend_feed{*entry.shard, {entry.feed.id, std::move(tables)}});
}

} // namespace sluice
