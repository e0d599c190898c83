#include "store/checkpoint_store.hpp"

#include <algorithm>
#include <map>

#include "store/meta_db.hpp"

namespace sluice {

struct checkpoint_store::impl {
  std::unique_ptr<sqlite_db> db;

  expected<std::uint64_t> next_number(std::string_view kind,
                                      std::string_view name);
  expected<std::uint64_t> latest_number(std::string_view kind,
                                        std::string_view name);
  expected<std::optional<feed_record>> find_feed(std::string_view name);
  status load_rules(feed_record& feed);
  status store_rules(const feed_record& feed);
  expected<bool> feed_exists(feed_id feed);
  expected<std::optional<feed_floor>> floor_of(feed_id feed);
  status write_floor(const feed_floor& floor);
  expected<timestamp> low_watermark(feed_id feed);
};

namespace {

auto nothing_bound = [](sqlite_statement&) { /* nop */ };

table_position read_position(const sqlite_statement& row, int first) {
  auto result = table_position{};
  result.table = {row.unsigned_integer(first)};
  result.cursor.commit_ts = {row.unsigned_integer(first + 1)};
  result.cursor.start_ts = {row.unsigned_integer(first + 2)};
  result.cursor.position = row.unsigned_integer(first + 3);
  result.checkpoint = {row.unsigned_integer(first + 4)};
  return result;
}

void bind_position(sqlite_statement& to, feed_id feed,
                   const table_position& x) {
  to.bind_unsigned(1, feed.value)
    .bind_unsigned(2, x.table.value)
    .bind_unsigned(3, x.cursor.commit_ts.value)
    .bind_unsigned(4, x.cursor.start_ts.value)
    .bind_unsigned(5, x.cursor.position)
    .bind_unsigned(6, x.checkpoint.value);
}

// What is stored after `next` came when `before` was stored: only the floor
// of a table that `next` names goes back.
feed_floor merged(const feed_floor& before, const feed_floor& next) {
  auto result = feed_floor{next.feed, std::max(before.floor, next.floor), {}};
  auto olds = std::map<table_id, table_position>{};
  auto news = std::map<table_id, table_position>{};
  auto all = std::map<table_id, table_position>{};
  for (const auto& x : before.exceptions)
    all[x.table] = olds[x.table] = x;
  for (const auto& x : next.exceptions)
    all[x.table] = news[x.table] = x;
  auto in = [](const auto& exceptions, table_id table, timestamp otherwise) {
    auto found = exceptions.find(table);
    return found == exceptions.end() ? otherwise : found->second.checkpoint;
  };
  for (auto& [table, x] : all) {
    // One that `next` names is believed, also when it is lower.
    auto named = news.find(table);
    x.checkpoint = named != news.end()
                     ? named->second.checkpoint
                     : std::max(in(olds, table, before.floor), next.floor);
    if (x.checkpoint != result.floor)
      result.exceptions.push_back(x);
  }
  return result;
}

} // namespace

// -- impl ---------------------------------------------------------------------

expected<std::uint64_t>
checkpoint_store::impl::next_number(std::string_view kind,
                                    std::string_view name) {
  std::uint64_t result = 0;
  auto done = db->run(
    "INSERT INTO numbers(kind, name, value) VALUES (?1, ?2, 1) "
    "ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value",
    [&](auto& x) { x.bind_text(1, kind).bind_text(2, name); },
    [&](auto& row) { result = row.unsigned_integer(0); });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

expected<std::uint64_t>
checkpoint_store::impl::latest_number(std::string_view kind,
                                      std::string_view name) {
  std::uint64_t result = 0;
  auto done = db->run(
    "SELECT value FROM numbers WHERE kind = ?1 AND name = ?2",
    [&](auto& x) { x.bind_text(1, kind).bind_text(2, name); },
    [&](auto& row) { result = row.unsigned_integer(0); });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

expected<std::optional<feed_record>>
checkpoint_store::impl::find_feed(std::string_view name) {
  auto result = std::optional<feed_record>{};
  auto done = db->run(
    "SELECT id FROM feeds WHERE name = ?1",
    [&](auto& x) { x.bind_text(1, name); },
    [&](auto& row) {
      result = feed_record{{row.unsigned_integer(0)}, std::string{name}, {}};
    });
  if (done && result)
    done = load_rules(*result);
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

status checkpoint_store::impl::load_rules(feed_record& feed) {
  feed.rules = {{}, {}};
  auto known = false;
  auto done = db->run(
    "SELECT ordering FROM feeds WHERE id = ?1",
    [&](auto& x) { x.bind_unsigned(1, feed.id.value); },
    [&](auto& row) {
      feed.rules.order = static_cast<feed_order>(row.integer(0));
      known = feed.rules.order == feed_order::table
              || feed.rules.order == feed_order::transaction;
    });
  if (done && !known)
    return fail(errc::log_corrupt,
                db->path() + ": feed \"" + feed.name + "\" has no order");
  if (!done)
    return done;
  return db->run(
    "SELECT excluded, pattern FROM feed_patterns WHERE feed = ?1 "
    "ORDER BY excluded, place",
    [&](auto& x) { x.bind_unsigned(1, feed.id.value); },
    [&](auto& row) {
      auto& to = row.integer(0) == 0 ? feed.rules.include : feed.rules.exclude;
      to.emplace_back(row.text(1));
    });
}

status checkpoint_store::impl::store_rules(const feed_record& feed) {
  for (auto excluded : {0, 1}) {
    const auto& list = excluded == 0 ? feed.rules.include : feed.rules.exclude;
    for (std::size_t i = 0; i < list.size(); ++i) {
      auto done = db->run("INSERT INTO feed_patterns VALUES (?1, ?2, ?3, ?4)",
                          [&](auto& x) {
                            x.bind_unsigned(1, feed.id.value)
                              .bind_integer(2, excluded)
                              .bind_unsigned(3, i)
                              .bind_text(4, list[i]);
                          });
      if (!done)
        return done;
    }
  }
  return {};
}

expected<bool> checkpoint_store::impl::feed_exists(feed_id feed) {
  auto result = false;
  auto done = db->run(
    "SELECT 1 FROM feeds WHERE id = ?1",
    [&](auto& x) { x.bind_unsigned(1, feed.value); },
    [&](auto&) { result = true; });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

expected<std::optional<feed_floor>>
checkpoint_store::impl::floor_of(feed_id feed) {
  auto result = std::optional<feed_floor>{};
  auto bind = [&](auto& x) { x.bind_unsigned(1, feed.value); };
  auto done = db->run(
    "SELECT floor FROM floors WHERE feed = ?1", bind, [&](auto& row) {
      result = feed_floor{feed, {row.unsigned_integer(0)}, {}};
    });
  if (done && result)
    done = db->run("SELECT table_id, commit_ts, start_ts, position, checkpoint "
                   "FROM floor_exceptions WHERE feed = ?1 ORDER BY table_id",
                   bind, [&](auto& row) {
                     result->exceptions.push_back(read_position(row, 0));
                   });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

status checkpoint_store::impl::write_floor(const feed_floor& floor) {
  auto done = db->run(
    "INSERT OR REPLACE INTO floors VALUES (?1, ?2)", [&](auto& x) {
      x.bind_unsigned(1, floor.feed.value).bind_unsigned(2, floor.floor.value);
    });
  if (done)
    done = db->run("DELETE FROM floor_exceptions WHERE feed = ?1",
                   [&](auto& x) { x.bind_unsigned(1, floor.feed.value); });
  for (const auto& exception : floor.exceptions) {
    if (!done)
      return done;
    done = db->run("INSERT INTO floor_exceptions "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                   [&](auto& x) { bind_position(x, floor.feed, exception); });
  }
  return done;
}

expected<timestamp> checkpoint_store::impl::low_watermark(feed_id feed) {
  auto result = timestamp{};
  auto done = db->run(
    "SELECT low FROM watermarks WHERE feed = ?1",
    [&](auto& x) { x.bind_unsigned(1, feed.value); },
    [&](auto& row) { result = {row.unsigned_integer(0)}; });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

// -- checkpoint_store ---------------------------------------------------------

checkpoint_store::checkpoint_store(std::unique_ptr<impl> x)
  : impl_{std::move(x)} {
  // nop
}

checkpoint_store::checkpoint_store(checkpoint_store&&) noexcept = default;
checkpoint_store&
checkpoint_store::operator=(checkpoint_store&&) noexcept = default;
checkpoint_store::~checkpoint_store() = default;

expected<checkpoint_store>
checkpoint_store::open(const std::string& directory) {
  auto db = open_meta_db(directory);
  if (!db)
    return tl::unexpected{std::move(db.error())};
  auto result = std::make_unique<impl>();
  result->db = std::move(*db);
  return checkpoint_store{std::move(result)};
}

// -- feeds --------------------------------------------------------------------

expected<feed_record> checkpoint_store::create_feed(std::string_view name,
                                                    const feed_rules& rules) {
  auto guard = sqlite_transaction::begin(*impl_->db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto found = impl_->find_feed(name);
  if (!found)
    return tl::unexpected{std::move(found.error())};
  if (*found && (*found)->rules == rules)
    return **found;
  if (*found)
    return fail(errc::duplicate_name,
                "feed \"" + std::string{name}
                  + "\" exists with other tables or another order",
                "Use its rules, another name, or remove it first.");
  auto done = impl_->db->run(
    "INSERT INTO feeds(name, ordering) VALUES (?1, ?2)", [&](auto& x) {
      x.bind_text(1, name).bind_integer(2,
                                        static_cast<std::int64_t>(rules.order));
    });
  auto result = feed_record{{}, std::string{name}, rules};
  result.id = {static_cast<std::uint64_t>(impl_->db->last_insert_id())};
  if (done)
    done = impl_->store_rules(result);
  if (done)
    done = guard->commit();
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

status checkpoint_store::remove_feed(std::string_view name) {
  auto guard = sqlite_transaction::begin(*impl_->db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto found = impl_->find_feed(name);
  if (!found)
    return tl::unexpected{std::move(found.error())};
  if (!*found)
    return fail(errc::unknown_feed, '"' + std::string{name} + '"');
  for (const auto* sql : {"DELETE FROM feeds WHERE id = ?1",
                          "DELETE FROM feed_patterns WHERE feed = ?1",
                          "DELETE FROM floors WHERE feed = ?1",
                          "DELETE FROM floor_exceptions WHERE feed = ?1",
                          "DELETE FROM positions WHERE feed = ?1",
                          "DELETE FROM watermarks WHERE feed = ?1"}) {
    auto id = (*found)->id.value;
    auto done = impl_->db->run(sql, [id](auto& x) { x.bind_unsigned(1, id); });
    if (!done)
      return done;
  }
  // numbers stay: a feed of the same name must not get an old incarnation.
  return guard->commit();
}

expected<std::vector<feed_record>> checkpoint_store::feeds() {
  auto guard = sqlite_transaction::begin(*impl_->db,
                                         sqlite_transaction::mode::deferred);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto result = std::vector<feed_record>{};
  auto done = impl_->db->run(
    "SELECT id, name FROM feeds ORDER BY id", nothing_bound, [&](auto& row) {
      result.push_back(
        {{row.unsigned_integer(0)}, std::string{row.text(1)}, {}});
    });
  for (auto& feed : result)
    if (done)
      done = impl_->load_rules(feed);
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

// -- numbers and notes --------------------------------------------------------

expected<table_id> checkpoint_store::table_of(std::string_view source,
                                              std::string_view name) {
  auto bind = [&](auto& x) { x.bind_text(1, source).bind_text(2, name); };
  auto result = table_id{};
  auto read = [&](auto& row) { result = {row.unsigned_integer(0)}; };
  auto find = "SELECT id FROM tables WHERE source = ?1 AND name = ?2";
  auto done = impl_->db->run(find, bind, read);
  if (done && !result)
    done = impl_->db->run("INSERT INTO tables(source, name) VALUES (?1, ?2) "
                          "ON CONFLICT DO NOTHING",
                          bind);
  if (done && !result)
    done = impl_->db->run(find, bind, read);
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

expected<std::vector<table_record>> checkpoint_store::tables() {
  auto result = std::vector<table_record>{};
  auto done = impl_->db->run("SELECT id, source, name FROM tables ORDER BY id",
                             nothing_bound, [&](auto& row) {
                               result.push_back({{row.unsigned_integer(0)},
                                                 std::string{row.text(1)},
                                                 std::string{row.text(2)}});
                             });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

expected<generation>
checkpoint_store::next_generation(std::string_view source) {
  return impl_->next_number("generation", source).map([](auto x) {
    return generation{x};
  });
}

expected<incarnation>
checkpoint_store::next_incarnation(std::string_view name) {
  return impl_->next_number("incarnation", name).map([](auto x) {
    return incarnation{x};
  });
}

expected<std::optional<std::string>>
checkpoint_store::note(std::string_view source, std::string_view key) {
  auto result = std::optional<std::string>{};
  auto done = impl_->db->run(
    "SELECT value FROM notes WHERE source = ?1 AND key = ?2",
    [&](auto& x) { x.bind_text(1, source).bind_text(2, key); },
    [&](auto& row) { result = std::string{row.blob(0)}; });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

status checkpoint_store::set_note(std::string_view source, std::string_view key,
                                  std::string_view value) {
  return impl_->db->run(
    "INSERT OR REPLACE INTO notes VALUES (?1, ?2, ?3)", [&](auto& x) {
      x.bind_text(1, source).bind_text(2, key).bind_blob(3, value);
    });
}

// -- floors and positions -----------------------------------------------------

status checkpoint_store::store_floor(const feed_floor& floor) {
  auto guard = sqlite_transaction::begin(*impl_->db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  // A late report must not bring back the floors of a removed feed.
  auto exists = impl_->feed_exists(floor.feed);
  if (!exists)
    return tl::unexpected{std::move(exists.error())};
  if (!*exists)
    return fail(errc::unknown_feed, to_string(floor.feed));
  auto before = impl_->floor_of(floor.feed);
  if (!before)
    return tl::unexpected{std::move(before.error())};
  auto done = impl_->write_floor(*before ? merged(**before, floor) : floor);
  if (!done)
    return done;
  return guard->commit();
}

expected<std::vector<feed_floor>> checkpoint_store::floors() {
  auto guard = sqlite_transaction::begin(*impl_->db,
                                         sqlite_transaction::mode::deferred);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto ids = std::vector<feed_id>{};
  auto done = impl_->db->run(
    "SELECT feed FROM floors ORDER BY feed", nothing_bound,
    [&](auto& row) { ids.push_back({row.unsigned_integer(0)}); });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  auto result = std::vector<feed_floor>{};
  for (auto id : ids) {
    auto floor = impl_->floor_of(id);
    if (!floor)
      return tl::unexpected{std::move(floor.error())};
    if (*floor)
      result.push_back(std::move(**floor));
  }
  return result;
}

status
checkpoint_store::store_positions(const feed_record& feed, incarnation writer,
                                  const std::vector<table_position>& positions,
                                  timestamp low_watermark) {
  auto guard = sqlite_transaction::begin(*impl_->db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto exists = impl_->feed_exists(feed.id);
  if (!exists)
    return tl::unexpected{std::move(exists.error())};
  if (!*exists)
    return fail(errc::unknown_feed, feed.name);
  auto newest = impl_->latest_number("incarnation", "sink:" + feed.name);
  if (!newest)
    return tl::unexpected{std::move(newest.error())};
  if (*newest != writer.value)
    return fail(errc::sink_fenced, "feed '" + feed.name + "': writer "
                                     + std::to_string(writer.value)
                                     + ", newest is "
                                     + std::to_string(*newest));
  auto low = impl_->low_watermark(feed.id);
  if (!low)
    return tl::unexpected{std::move(low.error())};
  // What is durable at the target stays so: nothing here goes back.
  auto next = std::max(*low, low_watermark);
  auto done = impl_->db->run(
    "INSERT OR REPLACE INTO watermarks "
    "VALUES (?1, ?2)",
    [&](auto& x) {
      x.bind_unsigned(1, feed.id.value).bind_unsigned(2, next.value);
    });
  for (auto position : positions) {
    if (!done)
      return done;
    done = impl_->db->run(
      "SELECT table_id, commit_ts, start_ts, position, checkpoint "
      "FROM positions WHERE feed = ?1 AND table_id = ?2",
      [&](auto& x) {
        x.bind_unsigned(1, feed.id.value)
          .bind_unsigned(2, position.table.value);
      },
      [&](auto& row) {
        auto old = read_position(row, 0);
        position.cursor = std::max(position.cursor, old.cursor);
        position.checkpoint = std::max(position.checkpoint, old.checkpoint);
      });
    if (done)
      done = impl_->db->run(
        "INSERT OR REPLACE INTO positions VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        [&](auto& x) { bind_position(x, feed.id, position); });
  }
  if (!done)
    return done;
  return guard->commit();
}

expected<checkpoint_store::stored_positions>
checkpoint_store::positions(feed_id feed) {
  auto guard = sqlite_transaction::begin(*impl_->db,
                                         sqlite_transaction::mode::deferred);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto low = impl_->low_watermark(feed);
  if (!low)
    return tl::unexpected{std::move(low.error())};
  auto result = stored_positions{{}, *low};
  auto done = impl_->db->run(
    "SELECT table_id, commit_ts, start_ts, position, checkpoint "
    "FROM positions WHERE feed = ?1 ORDER BY table_id",
    [&](auto& x) { x.bind_unsigned(1, feed.value); },
    [&](auto& row) { result.positions.push_back(read_position(row, 0)); });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

} // namespace sluice
