#include "actors/sinks/sqlite/replica_progress.hpp"

#include <utility>

#include "actors/sinks/sqlite/sink_error.hpp"

namespace sluice {

namespace {

constexpr auto tables = R"(
CREATE TABLE IF NOT EXISTS sluice_sink_fence (
  feed TEXT NOT NULL PRIMARY KEY,
  incarnation INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sluice_sink_position (
  feed TEXT NOT NULL,
  table_id INTEGER NOT NULL,
  span TEXT NOT NULL,
  commit_ts INTEGER NOT NULL,
  start_ts INTEGER NOT NULL,
  position INTEGER NOT NULL,
  checkpoint INTEGER NOT NULL,
  PRIMARY KEY (feed, table_id, span)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sluice_sink_watermark (
  feed TEXT NOT NULL PRIMARY KEY,
  ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sluice_sink_owner (
  feed TEXT NOT NULL PRIMARY KEY,
  directory TEXT NOT NULL
) WITHOUT ROWID;
)";

constexpr const char* forget_sql[] = {
  "DELETE FROM sluice_sink_position WHERE feed = ?1 AND EXISTS "
  "(SELECT 1 FROM sluice_sink_owner WHERE feed = ?1 AND directory <> ?2)",
  "DELETE FROM sluice_sink_watermark WHERE feed = ?1 AND EXISTS "
  "(SELECT 1 FROM sluice_sink_owner WHERE feed = ?1 AND directory <> ?2)",
  "INSERT INTO sluice_sink_owner (feed, directory) VALUES (?1, ?2) "
  "ON CONFLICT (feed) DO UPDATE SET directory = excluded.directory",
};

constexpr auto raise_sql =
  "INSERT INTO sluice_sink_fence (feed, incarnation) VALUES (?, 1) "
  "ON CONFLICT (feed) DO UPDATE SET incarnation = incarnation + 1 "
  "RETURNING incarnation";

// Touches the row although nothing changes: how many rows it meets counts.
constexpr auto fence_sql = "UPDATE sluice_sink_fence SET incarnation = ?2 "
                           "WHERE feed = ?1 AND incarnation = ?2";

constexpr auto positions_sql =
  "SELECT table_id, commit_ts, start_ts, position, checkpoint "
  "FROM sluice_sink_position WHERE feed = ? AND span = ''";

constexpr auto store_sql =
  "INSERT INTO sluice_sink_position (feed, table_id, span, commit_ts, "
  "start_ts, position, checkpoint) VALUES (?, ?, '', ?, ?, ?, ?) "
  "ON CONFLICT (feed, table_id, span) DO UPDATE SET "
  "commit_ts = excluded.commit_ts, start_ts = excluded.start_ts, "
  "position = excluded.position, checkpoint = excluded.checkpoint";

constexpr auto watermark_sql =
  "INSERT INTO sluice_sink_watermark (feed, ts) VALUES (?, ?) "
  "ON CONFLICT (feed) DO UPDATE SET ts = excluded.ts";

constexpr auto read_watermark_sql =
  "SELECT ts FROM sluice_sink_watermark WHERE feed = ?";

tl::unexpected<error> failed(const sqlite_db& db, error x) {
  return sink_failure(db, std::move(x), "");
}

} // namespace

// By id and name: a feed that was removed and created anew starts anew, and
// feeds of two services have the same ids.
replica_progress::replica_progress(sqlite_db& db, const feed_record& feed)
  : db_{db}, feed_{std::to_string(feed.id.value) + ':' + feed.name} {
  // nop
}

expected<sink_position>
replica_progress::become_newest(std::string_view directory) {
  auto work = sqlite_transaction::begin(db_);
  if (!work)
    return failed(db_, std::move(work.error()));
  if (auto made = make_tables(); !made)
    return tl::unexpected{std::move(made.error())};
  auto writer = raise_incarnation();
  if (!writer)
    return tl::unexpected{std::move(writer.error())};
  if (!directory.empty())
    if (auto done = forget_others(directory); !done)
      return tl::unexpected{std::move(done.error())};
  auto positions = read_positions();
  if (!positions)
    return tl::unexpected{std::move(positions.error())};
  auto watermark = read_watermark();
  if (!watermark)
    return tl::unexpected{std::move(watermark.error())};
  if (auto done = work->commit(); !done)
    return failed(db_, std::move(done.error()));
  writer_ = *writer;
  return sink_position{*writer, std::move(*positions), *watermark};
}

status replica_progress::make_tables() {
  if (auto made = db_.exec(tables); !made)
    return failed(db_, std::move(made.error()));
  return {};
}

expected<incarnation> replica_progress::raise_incarnation() {
  auto query = db_.cached(raise_sql);
  if (!query)
    return failed(db_, std::move(query.error()));
  auto row = query->bind_text(1, feed_).step();
  if (!row)
    return failed(db_, std::move(row.error()));
  auto result = incarnation{query->unsigned_integer(0)};
  // To its end, or the statement is still running at COMMIT.
  if (row = query->step(); !row)
    return failed(db_, std::move(row.error()));
  return result;
}

// The numbers of another directory's log would pass for ours, and rows below
// them for rows that are here already.
status replica_progress::forget_others(std::string_view directory) {
  for (const auto* sql : forget_sql) {
    auto query = db_.cached(sql);
    if (!query)
      return failed(db_, std::move(query.error()));
    query->bind_text(1, feed_).bind_text(2, directory);
    if (auto done = query->run(); !done)
      return failed(db_, std::move(done.error()));
  }
  return {};
}

expected<std::vector<table_position>> replica_progress::read_positions() {
  auto query = db_.cached(positions_sql);
  if (!query)
    return failed(db_, std::move(query.error()));
  query->bind_text(1, feed_);
  auto result = std::vector<table_position>{};
  for (;;) {
    auto row = query->step();
    if (!row)
      return failed(db_, std::move(row.error()));
    if (!*row)
      return result;
    auto cursor = row_cursor{{query->unsigned_integer(1)},
                             {query->unsigned_integer(2)},
                             query->unsigned_integer(3)};
    result.push_back(
      {{query->unsigned_integer(0)}, cursor, {query->unsigned_integer(4)}});
  }
}

expected<timestamp> replica_progress::read_watermark() {
  auto query = db_.cached(read_watermark_sql);
  if (!query)
    return failed(db_, std::move(query.error()));
  auto row = query->bind_text(1, feed_).step();
  if (!row)
    return failed(db_, std::move(row.error()));
  return *row ? timestamp{query->unsigned_integer(0)} : timestamp{};
}

status replica_progress::check_fence() {
  auto query = db_.cached(fence_sql);
  if (!query)
    return failed(db_, std::move(query.error()));
  query->bind_text(1, feed_).bind_unsigned(2, writer_.value);
  if (auto done = query->run(); !done)
    return failed(db_, std::move(done.error()));
  if (db_.changes() != 1)
    return fail(errc::sink_fenced, db_.path() + ": feed " + feed_
                                     + ", incarnation "
                                     + std::to_string(writer_.value)
                                     + " is not the newest any more");
  return {};
}

status replica_progress::store(const table_position& x) {
  auto query = db_.cached(store_sql);
  if (!query)
    return failed(db_, std::move(query.error()));
  query->bind_text(1, feed_)
    .bind_unsigned(2, x.table.value)
    .bind_unsigned(3, x.cursor.commit_ts.value)
    .bind_unsigned(4, x.cursor.start_ts.value)
    .bind_unsigned(5, x.cursor.position)
    .bind_unsigned(6, x.checkpoint.value);
  if (auto done = query->run(); !done)
    return failed(db_, std::move(done.error()));
  return {};
}

status replica_progress::store_watermark(timestamp ts) {
  auto query = db_.cached(watermark_sql);
  if (!query)
    return failed(db_, std::move(query.error()));
  query->bind_text(1, feed_).bind_unsigned(2, ts.value);
  if (auto done = query->run(); !done)
    return failed(db_, std::move(done.error()));
  return {};
}

} // namespace sluice
