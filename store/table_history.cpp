#include "store/table_history.hpp"

#include <algorithm>
#include <map>

#include "store/meta_db.hpp"

namespace sluice {

struct table_history::impl {
  struct entry {
    schema_ptr schema;
    timestamp ts;
    bool dropped = false;

    // From where on it is what `at` sees.
    [[nodiscard]] timestamp from() const {
      return dropped ? ts : schema->valid_from;
    }
    [[nodiscard]] ddl_event event() const { return {*schema, ts, dropped}; }
    [[nodiscard]] bool is(const ddl_event& x) const {
      return ts == x.ts && dropped == x.dropped && *schema == x.schema;
    }
  };
  using versions = std::vector<entry>; // of a table, ascending by ts

  std::unique_ptr<sqlite_db> db; // null: nothing is durable
  std::string source;
  std::map<table_id, versions> tables;
  std::multimap<timestamp, table_id> by_ts;

  status load();
  status write(const std::vector<const ddl_event*>& events);
  status write(const ddl_event& event);
  static status check(const versions& known, const ddl_event& event);
  static void append(versions& to, const ddl_event& event);
  using place = std::multimap<timestamp, table_id>::const_iterator;
  [[nodiscard]] std::vector<ddl_event> collect(place begin, place end) const;
};

namespace {

status out_of_order(const ddl_event& event, std::string_view why) {
  return fail(errc::append_out_of_order,
              "schema of '" + event.schema.name + "', "
                + to_string(event.schema.version) + " at " + to_string(event.ts)
                + ": " + std::string{why});
}

} // namespace

status table_history::impl::load() {
  auto events = std::vector<ddl_event>{};
  auto numbers = std::map<std::int64_t, std::size_t>{};
  auto bind = [&](auto& x) { x.bind_text(1, source); };
  auto done = db->run(
    "SELECT number, table_id, name, version, valid_from, ts, dropped "
    "FROM schema_events WHERE source = ?1 ORDER BY number",
    bind, [&](auto& row) {
      numbers.emplace(row.integer(0), events.size());
      auto schema = table_schema{{row.unsigned_integer(1)},
                                 std::string{row.text(2)},
                                 {row.unsigned_integer(3)},
                                 {row.unsigned_integer(4)},
                                 {}};
      events.push_back(
        {std::move(schema), {row.unsigned_integer(5)}, row.integer(6) != 0});
    });
  if (done)
    done = db->run(
      "SELECT c.number, c.name, c.type, c.key_part FROM schema_columns c "
      "JOIN schema_events e ON e.number = c.number WHERE e.source = ?1 "
      "ORDER BY c.number, c.place",
      bind, [&](auto& row) {
        auto& event = events[numbers.at(row.integer(0))];
        event.schema.columns.push_back(
          {std::string{row.text(1)}, std::string{row.text(2)},
           static_cast<std::uint16_t>(row.integer(3))});
      });
  for (const auto& event : events) {
    append(tables[event.schema.table], event);
    by_ts.emplace(event.ts, event.schema.table);
  }
  return done;
}

status table_history::impl::write(const std::vector<const ddl_event*>& events) {
  auto guard = sqlite_transaction::begin(*db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  for (const auto* event : events)
    if (auto done = write(*event); !done)
      return done;
  return guard->commit();
}

status table_history::impl::write(const ddl_event& event) {
  const auto& schema = event.schema;
  auto done = db->run(
    "INSERT INTO schema_events(source, table_id, name, version, valid_from, "
    "ts, dropped) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [&](auto& x) {
      x.bind_text(1, source)
        .bind_unsigned(2, schema.table.value)
        .bind_text(3, schema.name)
        .bind_unsigned(4, schema.version.value)
        .bind_unsigned(5, schema.valid_from.value)
        .bind_unsigned(6, event.ts.value)
        .bind_integer(7, event.dropped ? 1 : 0);
    });
  auto number = db->last_insert_id();
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    if (!done)
      return done;
    const auto& column = schema.columns[i];
    done = db->run("INSERT INTO schema_columns VALUES (?1, ?2, ?3, ?4, ?5)",
                   [&](auto& x) {
                     x.bind_integer(1, number)
                       .bind_unsigned(2, i)
                       .bind_text(3, column.name)
                       .bind_text(4, column.type)
                       .bind_integer(5, column.key_part);
                   });
  }
  return done;
}

status table_history::impl::check(const versions& known,
                                  const ddl_event& event) {
  if (known.empty())
    return {};
  const auto& last = known.back();
  if (event.ts < last.ts || event.schema.valid_from < last.schema->valid_from)
    return out_of_order(event, "there is a later one");
  if (event.dropped ? event.schema.version < last.schema->version
                    : event.schema.version <= last.schema->version)
    return out_of_order(event, "the version does not rise");
  if (event.dropped && last.dropped)
    return out_of_order(event, "the table is dropped already");
  return {};
}

void table_history::impl::append(versions& to, const ddl_event& event) {
  to.push_back({std::make_shared<const table_schema>(event.schema), event.ts,
                event.dropped});
}

std::vector<ddl_event> table_history::impl::collect(place begin,
                                                    place end) const {
  auto result = std::vector<ddl_event>{};
  for (auto i = begin; i != end;) {
    // All tables of one ts, each once, in their order.
    auto ts = i->first;
    auto found = std::vector<table_id>{};
    for (; i != end && i->first == ts; ++i)
      found.push_back(i->second);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    for (auto table : found)
      for (const auto& x : tables.at(table))
        if (x.ts == ts)
          result.push_back(x.event());
  }
  return result;
}

// -- table_history ------------------------------------------------------------

table_history::table_history(std::unique_ptr<impl> x) : impl_{std::move(x)} {
  // nop
}

table_history::table_history(table_history&&) noexcept = default;
table_history& table_history::operator=(table_history&&) noexcept = default;
table_history::~table_history() = default;

expected<table_history> table_history::open(const std::string& directory,
                                            const std::string& source) {
  auto db = open_meta_db(directory);
  if (!db)
    return tl::unexpected{std::move(db.error())};
  auto result = std::make_unique<impl>();
  result->db = std::move(*db);
  result->source = source;
  if (auto loaded = result->load(); !loaded)
    return tl::unexpected{std::move(loaded.error())};
  return table_history{std::move(result)};
}

table_history table_history::in_memory() {
  return table_history{std::make_unique<impl>()};
}

status table_history::add(const std::vector<ddl_event>& events) {
  // Shows only once it is written.
  auto changed = std::map<table_id, impl::versions>{};
  auto news = std::vector<const ddl_event*>{};
  for (const auto& event : events) {
    auto table = event.schema.table;
    auto [known, first] = changed.try_emplace(table);
    if (auto old = impl_->tables.find(table);
        first && old != impl_->tables.end())
      known->second = old->second;
    auto& versions = known->second;
    if (std::any_of(versions.begin(), versions.end(),
                    [&](const impl::entry& x) { return x.is(event); }))
      continue;
    if (auto fits = impl::check(versions, event); !fits)
      return fits;
    impl::append(versions, event);
    news.push_back(&event);
  }
  if (impl_->db != nullptr && !news.empty())
    if (auto written = impl_->write(news); !written)
      return written;
  for (const auto* event : news)
    impl_->by_ts.emplace(event->ts, event->schema.table);
  for (auto& [table, versions] : changed)
    impl_->tables[table] = std::move(versions);
  return {};
}

expected<schema_ptr> table_history::at(table_id table, timestamp at) const {
  auto found = impl_->tables.find(table);
  if (found == impl_->tables.end())
    return fail(errc::unknown_table, to_string(table));
  const auto& known = found->second;
  auto last = std::find_if(known.rbegin(), known.rend(),
                           [&](const auto& x) { return x.from() <= at; });
  if (last == known.rend())
    return fail(errc::unknown_table, "'" + known.front().schema->name
                                       + "' is not there yet at "
                                       + to_string(at));
  if (last->dropped)
    return fail(errc::table_deleted,
                "'" + last->schema->name + "' at " + to_string(at));
  return last->schema;
}

expected<schema_ptr> table_history::version(table_id table,
                                            schema_version version) const {
  auto found = impl_->tables.find(table);
  if (found != impl_->tables.end())
    for (const auto& x : found->second)
      if (x.schema->version == version)
        return x.schema;
  return fail(errc::unknown_table, to_string(table) + ' ' + to_string(version));
}

std::vector<ddl_event> table_history::all() const {
  return impl_->collect(impl_->by_ts.begin(), impl_->by_ts.end());
}

std::vector<ddl_event> table_history::between(timestamp from,
                                              timestamp to) const {
  if (to <= from)
    return {};
  return impl_->collect(impl_->by_ts.upper_bound(from),
                        impl_->by_ts.upper_bound(to));
}

std::vector<schema_ptr> table_history::tables() const {
  auto result = std::vector<schema_ptr>{};
  for (const auto& [table, known] : impl_->tables)
    if (!known.back().dropped)
      result.push_back(known.back().schema);
  return result;
}

} // namespace sluice
