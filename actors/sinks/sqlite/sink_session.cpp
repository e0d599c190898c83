#include "actors/sinks/sqlite/sink_session.hpp"

#include <algorithm>
#include <utility>

#include <sqlite3.h>

#include "actors/sinks/sqlite/sink_error.hpp"
#include "messages/block_ranges.hpp"

namespace sluice {

namespace {

status set_up(sqlite_db& db, const sqlite_sink_options& options) {
  // Else a misspelt "column" in our SQL would be the text 'column'.
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  auto mode = db.prepare("PRAGMA journal_mode = WAL");
  if (!mode)
    return sink_failure(db, std::move(mode.error()), "");
  auto row = mode->step();
  if (!row)
    return sink_failure(db, std::move(row.error()), "");
  if (!*row || mode->text(0) != "wal")
    return fail(errc::invalid_option,
                db.path() + ": cannot be in WAL mode, only in mode "
                  + std::string{mode->text(0)},
                "Put the replica where SQLite can use WAL: on a local disk.");
  mode->reset();
  auto full = options.synchronous == sqlite_sink_options::durability::full;
  auto done = db.exec(std::string{"PRAGMA synchronous = "}
                      + (full ? "FULL" : "NORMAL")
                      + "; PRAGMA wal_autocheckpoint = "
                      + std::to_string(options.wal_autocheckpoint_pages)
                      + "; PRAGMA cache_size = -"
                      + std::to_string(options.cache_kib)
                      // Tables of a feed are at different places in time.
                      + "; PRAGMA foreign_keys = OFF");
  if (!done)
    return sink_failure(db, std::move(done.error()), "");
  return {};
}

} // namespace

sink_session::sink_session(std::unique_ptr<sqlite_db> db,
                           const feed_record& feed,
                           const sqlite_sink_options& options)
  : options_{options}, order_{feed.rules.order}, db_{std::move(db)}, progress_{
                                                                       *db_,
                                                                       feed} {
  // nop
}

expected<std::unique_ptr<sink_session>>
sink_session::open(const feed_record& feed, const sqlite_sink_options& options,
                   std::string_view directory) {
  auto file = sqlite_options{};
  file.failure = errc::sink_unavailable;
  file.busy_timeout = options.busy_timeout;
  auto db = sqlite_db::open(options.path, file);
  if (!db)
    return tl::unexpected{std::move(db.error())};
  if (auto ready = set_up(**db, options); !ready)
    return tl::unexpected{std::move(ready.error())};
  auto result = std::unique_ptr<sink_session>(
    new sink_session(std::move(*db), feed, options));
  auto position = result->progress_.become_newest(directory);
  if (!position)
    return tl::unexpected{std::move(position.error())};
  result->opened_ = std::move(*position);
  for (const auto& x : result->opened_.positions)
    result->reached_.emplace(x.table, x);
  return result;
}

status sink_session::begin() {
  if (work_)
    return {};
  auto work = sqlite_transaction::begin(*db_);
  if (!work)
    return sink_failure(*db_, std::move(work.error()), "");
  work_.emplace(std::move(*work));
  return {};
}

status sink_session::write(const sink_rows& rows) {
  if (rows.count == 0)
    return {};
  auto table = rows.schema->table;
  auto& reached =
    reached_.try_emplace(table, table_position{table, {}, {}}).first->second;
  // All tables share the position that is stored; between two commits their
  // rows come table by table.
  auto shared = reached_.find(all_tables);
  auto barrier = shared == reached_.end()
                   ? reached.cursor
                   : std::max(reached.cursor, shared->second.cursor);
  auto first = rows.first
               + rows_up_to(*rows.block, rows.first, rows.count, barrier);
  auto end = rows.first + rows.count;
  if (first == end)
    return {};
  if (auto begun = begin(); !begun)
    return begun;
  auto op = rows.block->grouped(first).op();
  auto writer = writer_of(rows.schema, op == row_op::snapshot_begin);
  if (!writer)
    return tl::unexpected{std::move(writer.error())};
  if (auto done = (*writer)->apply(*rows.block, first, end - first); !done) {
    // What is wrong with a row is found without a look at the file.
    auto& what = done.error().detail;
    if (!what.starts_with(db_->path()))
      what.insert(0, db_->path() + ": ");
    return done;
  }
  reached.cursor = rows.block->grouped(end - 1).cursor();
  if (order_ == feed_order::table)
    written_.insert(table);
  return {};
}

expected<table_writer*> sink_session::writer_of(const schema_ptr& schema,
                                                bool copy_starts) {
  auto& writer = writers_[schema->table];
  if (writer && writer->schema().version == schema->version)
    return writer.get();
  writer.reset(); // Before its table is changed.
  auto fresh = table_writer::open(*db_, schema, options_, copy_starts);
  if (!fresh)
    return tl::unexpected{std::move(fresh.error())};
  const auto& name = (*fresh)->key().table;
  auto owner = owners_.try_emplace(name, schema->table).first->second;
  if (owner != schema->table)
    return fail(errc::invalid_option,
                db_->path() + ": two tables of the feed, " + to_string(owner)
                  + " and " + to_string(schema->table)
                  + ", would both be written to \"" + name + '"',
                "Exclude one of them in the feed's rules.");
  writer = std::move(*fresh);
  return writer.get();
}

status sink_session::commit(const std::vector<table_position>& positions,
                            std::optional<timestamp> low_watermark) {
  auto done = begin();
  if (done)
    done = progress_.check_fence();
  if (done)
    done = store_positions(positions);
  if (done && low_watermark)
    done = progress_.store_watermark(*low_watermark);
  if (done)
    done = check_place();
  if (!done)
    return done;
  if (done = work_->commit(); !done)
    return sink_failure(*db_, std::move(done.error()), "");
  work_.reset();
  written_.clear();
  return {};
}

status
sink_session::store_positions(const std::vector<table_position>& positions) {
  for (const auto& x : positions) {
    auto& reached = reached_.try_emplace(x.table, x).first->second;
    reached.checkpoint = x.checkpoint;
    // What was written here counts, whatever the caller knows of it.
    reached.cursor = std::max(reached.cursor, x.cursor);
    if (auto done = progress_.store(reached); !done)
      return done;
    written_.erase(x.table);
  }
  for (auto table : written_)
    if (auto done = progress_.store(reached_.at(table)); !done)
      return done;
  return {};
}

// A file that was moved away, or replaced by an older copy, takes commits
// that nobody will ever see.
status sink_session::check_place() const {
  int moved = 0;
  auto code = sqlite3_file_control(db_->handle(), "main",
                                   SQLITE_FCNTL_HAS_MOVED, &moved);
  if (code == SQLITE_OK && moved != 0)
    return fail(errc::sink_unavailable,
                db_->path() + ": the file was moved or replaced",
                "Nothing, if that was meant: the file there now is opened.");
  return {};
}

} // namespace sluice
