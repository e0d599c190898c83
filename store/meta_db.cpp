#include "store/meta_db.hpp"

#include <filesystem>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "store/segment_directory.hpp"

namespace sluice {

namespace {

// AUTOINCREMENT: SQLite never gives such an id out twice.
constexpr const char* tables = R"(
  CREATE TABLE feeds(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    ordering INTEGER NOT NULL,
    confirm INTEGER NOT NULL);
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
  PRAGMA user_version = 3;
)";

// Feeds knew no order across tables.
constexpr const char* to_format_2 = R"(
  ALTER TABLE feeds ADD COLUMN ordering INTEGER NOT NULL DEFAULT 1;
  PRAGMA user_version = 2;
)";

// What was in the log was confirmed.
constexpr const char* to_format_3 = R"(
  ALTER TABLE feeds ADD COLUMN confirm INTEGER NOT NULL DEFAULT 1;
  PRAGMA user_version = 3;
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

constexpr auto other_directory = "Give it another directory, or an empty one.";

error not_ours(const sqlite_db& db, error x) {
  if ((db.last_code() & 0xFF) != SQLITE_NOTADB)
    return x;
  return {errc::invalid_option, db.path() + ": not ours, it is no database",
          other_directory};
}

// The format, or 0 for a new file. Another program's database of that name has
// other tables. In one statement: another thread may be making ours.
expected<std::int64_t> format_of(sqlite_db& db) {
  auto version = std::int64_t{0};
  auto is_ours = false;
  auto done = db.run(
    "SELECT (SELECT user_version FROM pragma_user_version), count(*),"
    " total(name IN ('feeds', 'notes')) FROM sqlite_schema"
    " WHERE type = 'table'",
    [](sqlite_statement&) { /* nop */ },
    [&](sqlite_statement& row) {
      version = row.integer(0);
      auto is_new = version == 0 && row.integer(1) == 0;
      auto is_known = version > 0 && row.integer(2) == 2;
      is_ours = is_new || is_known || version > meta_format;
    });
  if (!done)
    return tl::unexpected{not_ours(db, std::move(done.error()))};
  if (!is_ours)
    return fail(errc::invalid_option,
                db.path() + ": not ours, it is another program's database",
                other_directory);
  return version;
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
                db.path() + ": format " + std::to_string(*version)
                  + ", this program knows " + std::to_string(meta_format));
  if (*version == meta_format)
    return {};
  auto made = status{};
  if (*version == 0)
    made = db.exec(tables);
  if (*version == 1)
    made = db.exec(to_format_2);
  if (made && *version > 0)
    made = db.exec(to_format_3);
  if (!made)
    return made;
  return guard->commit();
}

} // namespace

status check_meta_db(const std::string& directory) {
  auto how = sqlite_options{};
  how.immutable = true;
  auto db = sqlite_db::open(directory + "/meta.db", how);
  if (!db)
    return {}; // It is opened again, and says what is wrong.
  auto version = format_of(**db);
  if (!version && version.error().code == errc::invalid_option)
    return tl::unexpected{std::move(version.error())};
  return {};
}

expected<std::unique_ptr<sqlite_db>>
open_meta_db(const std::string& directory) {
  auto path = std::filesystem::path{directory};
  auto problem = std::error_code{};
  std::filesystem::create_directories(path, problem);
  if (problem)
    return directory_failure(directory, problem);
  auto db = sqlite_db::open((path / "meta.db").string());
  if (!db)
    return db;
  // The version first: a newer file must not be touched.
  auto version = format_of(**db);
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
