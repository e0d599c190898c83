#include "actors/schema_store_state.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "messages/partitioning.hpp"

namespace sluice {

namespace {

// From where on an event is what a look-up sees.
timestamp begins(const ddl_event& event) {
  return event.dropped ? event.ts : event.schema.valid_from;
}

} // namespace

void schema_store_state::on_loaded(const std::vector<ddl_event>& events,
                                   std::size_t partitions) {
  for (const auto& event : events) {
    auto id = event.schema.table;
    tables_[id].versions.push_back(event);
    tables_[id].partition = {partition_of(id, partitions) + 1};
  }
}

// -- the source ---------------------------------------------------------------

error schema_store_state::refusal(std::size_t source,
                                  const declare_schemas& message) const {
  auto found = failures_.find(source);
  return message.follows && found != failures_.end() ? found->second : error{};
}

schema_store_state::effects schema_store_state::on_declare(
  std::size_t source, const declare_schemas& message, const error& failure) {
  if (failure) {
    failures_[source] = failure;
    return {to_source{source, {message.number, failure}}};
  }
  failures_.erase(source);
  auto out = effects{};
  auto told = known_tables{};
  auto waits = waiting_declaration{source, message.number, 0};
  ++last_declaration_;
  for (const auto& x : message.schemas) {
    auto is_new = declare_one(x, out);
    auto& table = tables_[x.event.schema.table];
    if (is_new)
      told.tables.push_back(info(table));
    if (table.unnoted.empty())
      continue;
    table.declarations.push_back(last_declaration_);
    ++waits.unnoted;
  }
  if (!told.tables.empty())
    for (auto collector : collectors_)
      out.push_back(to_collector{collector, told});
  if (waits.unnoted == 0)
    out.push_back(to_source{source, {message.number, {}}});
  else
    declarations_.emplace(last_declaration_, waits);
  return out;
}

bool schema_store_state::declare_one(const schema_declaration& x,
                                     effects& out) {
  const auto& event = x.event;
  auto& table = tables_[event.schema.table];
  auto& known = table.versions;
  auto returns = !known.empty() && known.back().dropped && !event.dropped;
  if (std::find(known.begin(), known.end(), event) == known.end()) {
    auto later = std::find_if(known.begin(), known.end(),
                              [&](const auto& y) { return y.ts > event.ts; });
    known.insert(later, event);
    for (auto shard : shards_)
      out.push_back(to_shard<ddl_notice>{shard, {event}});
  }
  if (std::exchange(table.declared, true) && !returns)
    return false;
  table.partition = x.partition;
  table.unnoted = collectors_;
  return true;
}

void schema_store_state::answer_if_noted(table_entry& table, effects& out) {
  if (!table.unnoted.empty())
    return;
  for (auto declaration : table.declarations) {
    auto found = declarations_.find(declaration);
    auto& waits = found->second;
    if (--waits.unnoted > 0)
      continue;
    out.emplace_back(to_source{waits.source, {waits.number, {}}});
    declarations_.erase(found);
  }
  table.declarations.clear();
}

schema_store_state::effects
schema_store_state::on_resolved(const schema_resolved& message) {
  if (message.resolved <= resolved_)
    return {};
  resolved_ = message.resolved;
  auto out = effects{};
  for (auto shard : shards_)
    out.push_back(to_shard<schema_resolved>{shard, {resolved_}});
  auto end = waiting_.upper_bound(resolved_);
  for (auto i = waiting_.begin(); i != end; ++i)
    out.push_back(
      to_shard<schema_answer>{i->second.first, answer(i->second.second)});
  waiting_.erase(waiting_.begin(), end);
  return out;
}

// -- the collectors -----------------------------------------------------------

table_info schema_store_state::info(const table_entry& table) {
  const auto& first = table.versions.front();
  return {first.schema.table, table.versions.back().schema.name,
          table.partition, first.ts};
}

schema_store_state::effects
schema_store_state::on_watch_tables(std::size_t collector) {
  collectors_.insert(collector);
  auto all = known_tables{};
  for (auto& [id, table] : tables_) {
    // Also those of the history that the source declares no more: a feed may
    // not have all their rows yet.
    all.tables.push_back(info(table));
    table.unnoted.insert(collector);
  }
  if (all.tables.empty())
    return {};
  return {to_collector{collector, std::move(all)}};
}

schema_store_state::effects
schema_store_state::on_table_noted(std::size_t collector, table_id id) {
  auto out = effects{};
  auto found = tables_.find(id);
  if (found == tables_.end())
    return out;
  found->second.unnoted.erase(collector);
  answer_if_noted(found->second, out);
  return out;
}

schema_store_state::effects
schema_store_state::on_collector_gone(std::size_t collector) {
  collectors_.erase(collector);
  auto out = effects{};
  for (auto& [id, table] : tables_) {
    table.unnoted.erase(collector);
    answer_if_noted(table, out);
  }
  return out;
}

// -- the shards ---------------------------------------------------------------

schema_store_state::effects
schema_store_state::on_watch_schemas(std::size_t shard) {
  shards_.insert(shard);
  return {to_shard<schema_resolved>{shard, {resolved_}}};
}

void schema_store_state::on_shard_gone(std::size_t shard) {
  shards_.erase(shard);
  std::erase_if(waiting_,
                [=](const auto& x) { return x.second.first == shard; });
}

schema_store_state::effects
schema_store_state::on_query(std::size_t shard, const schema_query& query) {
  if (query.at <= resolved_)
    return {to_shard<schema_answer>{shard, answer(query)}};
  // A dispatcher that asks again wants no answer to what it asked before.
  std::erase_if(waiting_, [&](const auto& x) {
    return x.second.first == shard
           && x.second.second.registration == query.registration;
  });
  waiting_.emplace(query.at, std::pair{shard, query});
  return {};
}

schema_answer schema_store_state::answer(const schema_query& query) const {
  auto result = schema_answer{query, {}, {}, errc::none};
  if (query.table == all_tables) {
    for (const auto& [id, table] : tables_)
      if (matches(table, query.span))
        (void) describe(table, query.at, result);
    std::stable_sort(result.later.begin(), result.later.end(),
                     [](const auto& x, const auto& y) { return x.ts < y.ts; });
    return result;
  }
  auto found = tables_.find(query.table);
  result.failure = found == tables_.end()
                     ? errc::unknown_table
                     : describe(found->second, query.at, result);
  return result;
}

// By any name it ever had: what a feed has of a table stays in it.
bool schema_store_state::matches(const table_entry& table,
                                 const feed_rules& rules) {
  return std::any_of(
    table.versions.begin(), table.versions.end(),
    [&](const ddl_event& x) { return rules.matches(x.schema.name); });
}

// Adds the schema valid at `at`, and the DDL after it.
errc schema_store_state::describe(const table_entry& table, timestamp at,
                                  schema_answer& to) {
  const auto& known = table.versions;
  auto last = std::find_if(known.rbegin(), known.rend(),
                           [&](const auto& x) { return begins(x) <= at; });
  // No row can be before the first version, or between the end of the table
  // and its coming back: there the next version serves.
  auto next = last.base();
  if ((last == known.rend() || last->dropped) && next != known.end())
    last = std::make_reverse_iterator(std::next(next));
  const auto& valid = *last;
  for (const auto& event : known)
    if (event.ts > at && event != valid)
      to.later.push_back(event);
  to.schemas.push_back(valid.schema);
  return valid.dropped ? errc::table_deleted : errc::none;
}

} // namespace sluice
