#include "actors/sinks/json_lines/json_progress.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

#include <sqlite3.h>

#include "actors/sinks/sqlite/sink_error.hpp"

namespace sluice {

namespace {

constexpr auto application_id = std::int64_t{0x736c4a4c}; // "slJL"
constexpr auto format = std::int64_t{1};

constexpr auto tables = R"(
CREATE TABLE sluice_json_lines (
  feed TEXT NOT NULL,
  committed_bytes INTEGER NOT NULL
);
)";

std::string owner_of(const feed_record& feed) {
  return std::to_string(feed.id.value) + ':' + feed.name;
}

tl::unexpected<error> foreign(const std::string& path) {
  return fail(errc::invalid_option,
              path + ": not the state of a json_lines sink",
              "Choose another path, or move it away.");
}

} // namespace

json_progress::json_progress(std::unique_ptr<sqlite_db> db,
                             const feed_record& feed)
  : db_{std::move(db)}, progress_{*db_, feed}, feed_{owner_of(feed)} {
  // nop
}

expected<std::unique_ptr<json_progress>>
json_progress::open(const feed_record& feed, const std::string& path, bool sync,
                    bool has_lines) {
  // Looked at first: SQLite would make it.
  auto problem = std::error_code{};
  auto there = std::filesystem::file_size(path, problem);
  auto missing = problem || there == 0;
  if (missing && has_lines)
    return fail(errc::invalid_option,
                path + ": missing or empty, but the file beside it has lines",
                "Choose another path, or move that file away.");
  auto options = sqlite_options{};
  options.failure = errc::sink_unavailable;
  auto db = sqlite_db::open(path, options);
  if (!db)
    return tl::unexpected{std::move(db.error())};
  auto result = std::unique_ptr<json_progress>(
    new json_progress(std::move(*db), feed));
  auto& self = *result;
  auto empty = self.is_empty();
  if (!empty)
    return tl::unexpected{std::move(empty.error())};
  if (*empty && has_lines)
    return foreign(path);
  self.is_new_ = *empty;
  auto ready = self.db_->exec(std::string{"PRAGMA journal_mode = WAL; "
                                          "PRAGMA synchronous = "}
                              + (sync ? "FULL" : "NORMAL"));
  if (!ready)
    return self.failed(std::move(ready.error()));
  if (auto good = *empty ? self.create() : self.check_owner(); !good)
    return tl::unexpected{std::move(good.error())};
  auto opened = self.progress_.become_newest();
  if (!opened)
    return tl::unexpected{std::move(opened.error())};
  self.opened_ = std::move(*opened);
  if (auto read = self.read_bytes(); !read)
    return tl::unexpected{std::move(read.error())};
  return result;
}

// Nothing is changed in a file before it is known to be ours.
expected<bool> json_progress::is_empty() const {
  auto id = db_->query_integer("PRAGMA application_id");
  if (!id) {
    if ((db_->last_code() & 0xFF) == SQLITE_NOTADB)
      return foreign(db_->path());
    return failed(std::move(id.error()));
  }
  auto version = db_->query_integer("PRAGMA user_version");
  if (!version)
    return failed(std::move(version.error()));
  auto count = db_->query_integer("SELECT count(*) FROM sqlite_schema");
  if (!count)
    return failed(std::move(count.error()));
  if (*id == 0 && *version == 0 && *count == 0)
    return true;
  if (*id != application_id)
    return foreign(db_->path());
  if (*version > format)
    return fail(errc::log_format_newer,
                db_->path() + ": format " + std::to_string(*version)
                  + ", known is " + std::to_string(format));
  return false;
}

status json_progress::create() {
  auto work = sqlite_transaction::begin(*db_);
  if (!work)
    return failed(std::move(work.error()));
  auto done = db_->exec(tables + std::string{"PRAGMA application_id = "}
                        + std::to_string(application_id)
                        + "; PRAGMA user_version = " + std::to_string(format));
  if (done)
    done = db_->run("INSERT INTO sluice_json_lines VALUES (?, 0)",
                    [&](auto& x) { x.bind_text(1, feed_); });
  if (done)
    done = work->commit();
  if (!done)
    return failed(std::move(done.error()));
  return {};
}

status json_progress::check_owner() {
  auto owner = std::string{};
  auto read = db_->run(
    "SELECT feed FROM sluice_json_lines", [](auto&) { /* nop */ },
    [&](auto& row) { owner = row.text(0); });
  if (!read)
    return failed(std::move(read.error()));
  if (owner != feed_)
    return fail(errc::invalid_option,
                db_->path() + ": belongs to feed " + owner + ", this is "
                  + feed_,
                "Choose another path, or remove the file with its state to"
                " begin anew.");
  return {};
}

status json_progress::read_bytes() {
  auto bytes = db_->query_integer(
    "SELECT committed_bytes FROM sluice_json_lines");
  if (!bytes)
    return failed(std::move(bytes.error()));
  bytes_ = static_cast<std::uint64_t>(*bytes);
  return {};
}

expected<sqlite_transaction> json_progress::begin() {
  auto work = sqlite_transaction::begin(*db_);
  if (!work)
    return failed(std::move(work.error()));
  if (auto ours = progress_.check_fence(); !ours)
    return tl::unexpected{std::move(ours.error())};
  return work;
}

status json_progress::finish(sqlite_transaction& work, std::uint64_t bytes,
                             const std::vector<table_position>& positions,
                             std::optional<timestamp> low_watermark) {
  for (const auto& x : positions)
    if (auto done = progress_.store(x); !done)
      return done;
  if (low_watermark)
    if (auto done = progress_.store_watermark(*low_watermark); !done)
      return done;
  auto done = db_->run("UPDATE sluice_json_lines SET committed_bytes = ?",
                       [&](auto& x) { x.bind_unsigned(1, bytes); });
  if (done)
    done = work.commit();
  if (!done)
    return failed(std::move(done.error()));
  bytes_ = bytes;
  return {};
}

tl::unexpected<error> json_progress::failed(error x) const {
  return sink_failure(*db_, std::move(x), "");
}

} // namespace sluice
