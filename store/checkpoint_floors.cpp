#include <algorithm>
#include <map>

#include "store/checkpoint_store_impl.hpp"

/// The part of checkpoint_store that is about how far feeds are: floors of the
/// log, and positions of sinks that keep none of their own.
namespace sluice {

namespace {

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
    [&](auto& row) {
      auto x = read_position(row, 0);
      if (x.cursor.commit_ts > *low || x.checkpoint > *low)
        result.positions.push_back(x);
    });
  if (!done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

} // namespace sluice
