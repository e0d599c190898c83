#include "store/meta_db.hpp"

#include <filesystem>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace sluice {

namespace {

// AUTOINCREMENT: SQLite never gives such an id out twice.
constexpr const char* tables = R"(
  CREATE TABLE feeds(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    ordering INTEGER NOT NULL);
  CREATE TABLE feed_patterns(
    feed INTEGER NOT NULL, excluded INTEGER NOT NULL, place INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    PRIMARY KEY (feed, excluded, place)) WITHOUT ROWID;
  CREATE TABLE tables(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL, name TEXT NOT NULL,
    UNIQUE (source, name));
  CREATE TABLE numbers(
    kind TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (kind, name)) WITHOUT ROWID;
  CREATE TABLE notes(
    source TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (source, key)) WITHOUT ROWID;
  CREATE TABLE floors(feed INTEGER PRIMARY KEY, floor INTEGER NOT NULL);
  CREATE TABLE floor_exceptions(
    feed INTEGER NOT NULL, table_id INTEGER NOT NULL,
    commit_ts INTEGER NOT NULL, start_ts INTEGER NOT NULL,
    position INTEGER NOT NULL, checkpoint INTEGER NOT NULL,
    PRIMARY KEY (feed, table_id)) WITHOUT ROWID;
  CREATE TABLE watermarks(feed INTEGER PRIMARY KEY, low INTEGER NOT NULL);
  CREATE TABLE positions(
    feed INTEGER NOT NULL, table_id INTEGER NOT NULL,
    commit_ts INTEGER NOT NULL, start_ts INTEGER NOT NULL,
    position INTEGER NOT NULL, checkpoint INTEGER NOT NULL,
    PRIMARY KEY (feed, table_id)) WITHOUT ROWID;
  CREATE TABLE schema_events(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL, table_id INTEGER NOT NULL, name TEXT NOT NULL,
    version INTEGER NOT NULL, valid_from INTEGER NOT NULL,
    ts INTEGER NOT NULL, dropped INTEGER NOT NULL);
  CREATE TABLE schema_columns(
    number INTEGER NOT NULL, place INTEGER NOT NULL,
    name TEXT NOT NULL, type TEXT NOT NULL, key_part INTEGER NOT NULL,
    PRIMARY KEY (number, place)) WITHOUT ROWID;
  PRAGMA user_version = 2;
)";

// Feeds knew no order across tables.
constexpr const char* to_format_2 = R"(
  ALTER TABLE feeds ADD COLUMN ordering INTEGER NOT NULL DEFAULT 1;
  PRAGMA user_version = 2;
)";

// The name of a new directory or file is durable only after this.
void sync_directory(const std::filesystem::path& path) {
  auto fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    ::fsync(fd);
    ::close(fd);
  }
}

// Two connections that turn WAL on at once are not made to wait by the busy
// handler: one of them gets SQLITE_BUSY.
status use_wal(sqlite_db& db) {
  auto result = status{};
  for (int i = 0; i < 100; ++i) {
    result = db.exec("PRAGMA journal_mode = WAL");
    if (result)
      return db.exec("PRAGMA synchronous = FULL");
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return result;
}

status make_tables(sqlite_db& db) {
  auto guard = sqlite_transaction::begin(db);
  if (!guard)
    return tl::unexpected{std::move(guard.error())};
  auto version = db.query_integer("PRAGMA user_version");
  if (!version)
    return tl::unexpected{std::move(version.error())};
  if (*version > meta_format)
    return fail(errc::log_format_newer,
                db.path() + " has format " + std::to_string(*version)
                  + ", this program knows " + std::to_string(meta_format));
  if (*version == meta_format)
    return {};
  if (auto made = db.exec(*version == 1 ? to_format_2 : tables); !made)
    return made;
  return guard->commit();
}

} // namespace

expected<std::unique_ptr<sqlite_db>>
open_meta_db(const std::string& directory) {
  auto path = std::filesystem::path{directory};
  auto problem = std::error_code{};
  std::filesystem::create_directories(path, problem);
  if (problem)
    return fail(errc::log_io, directory + ": " + problem.message());
  auto db = sqlite_db::open((path / "meta.db").string());
  if (!db)
    return db;
  // The version first: a newer file must not be touched.
  auto version = (*db)->query_integer("PRAGMA user_version");
  if (!version)
    return tl::unexpected{std::move(version.error())};
  if (*version <= meta_format)
    if (auto done = use_wal(**db); !done)
      return tl::unexpected{std::move(done.error())};
  if (*version != meta_format) {
    if (auto done = make_tables(**db); !done)
      return tl::unexpected{std::move(done.error())};
    sync_directory(path);
    sync_directory(path.has_parent_path() ? path.parent_path() : ".");
  }
  return db;
}

} // namespace sluice
