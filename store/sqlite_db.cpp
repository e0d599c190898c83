#include "store/sqlite_db.hpp"

#include <bit>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <sqlite3.h>

namespace sluice {

namespace {

// A null pointer would bind NULL instead of an empty value.
const char* not_null(std::string_view x) noexcept {
  return x.data() == nullptr ? "" : x.data();
}

// What helps when it is the file and not the SQL; empty: it is the SQL.
std::string_view file_remedy(int code) noexcept {
  if (code == SQLITE_READONLY_DBMOVED)
    return "Put the file back: it was moved or removed while it was open.";
  switch (code & 0xFF) { // the primary code
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "Let the program that has the lock end its transaction.";
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return "Let this program read and write the file and its directory.";
    case SQLITE_FULL:
      return "Make space on its disk.";
    case SQLITE_NOTADB:
      return "Name another file: this one is not SQLite's.";
    case SQLITE_CORRUPT:
      return "Restore the file from a backup: it is damaged.";
    default:
      return {};
  }
}

std::string immutable_uri(const std::string& path) {
  auto result = std::string{"file:"};
  for (auto c : path) {
    auto plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                 || (c >= '0' && c <= '9') || c == '/' || c == '.';
    constexpr auto digits = "0123456789ABCDEF";
    auto byte = static_cast<unsigned char>(c);
    if (plain)
      result += c;
    else
      (result += '%').append({digits[byte >> 4], digits[byte & 15]});
  }
  return result + "?immutable=1";
}

bool is_missing(const std::string& path) {
  auto problem = std::error_code{};
  return !std::filesystem::exists(path, problem) && !problem;
}

} // namespace

// -- sqlite_statement ---------------------------------------------------------

sqlite_statement::sqlite_statement(sqlite_db* db, sqlite3_stmt* handle,
                                   std::string cache_key)
  : db_{db}, handle_{handle}, cache_key_{std::move(cache_key)} {
  // nop
}

sqlite_statement::sqlite_statement(sqlite_statement&& x) noexcept
  : db_{x.db_}, handle_{std::exchange(x.handle_, nullptr)},
    cache_key_{std::move(x.cache_key_)}, failed_{x.failed_} {
  // nop
}

sqlite_statement& sqlite_statement::operator=(sqlite_statement&& x) noexcept {
  if (this != &x) {
    release();
    db_ = x.db_;
    handle_ = std::exchange(x.handle_, nullptr);
    cache_key_ = std::move(x.cache_key_);
    failed_ = x.failed_;
  }
  return *this;
}

sqlite_statement::~sqlite_statement() {
  release();
}

void sqlite_statement::release() noexcept {
  if (handle_ == nullptr)
    return;
  sqlite3_reset(handle_);
  // Bound bytes are not ours and may be gone when it is used next.
  sqlite3_clear_bindings(handle_);
  auto kept = !cache_key_.empty()
              && db_->cache_.try_emplace(std::move(cache_key_), handle_).second;
  if (!kept)
    sqlite3_finalize(handle_);
  handle_ = nullptr;
}

void sqlite_statement::check(int result) noexcept {
  if (result != SQLITE_OK && failed_ == SQLITE_OK)
    failed_ = result;
}

sqlite_statement& sqlite_statement::bind_integer(int i, std::int64_t x) {
  check(sqlite3_bind_int64(handle_, i, x));
  return *this;
}

sqlite_statement& sqlite_statement::bind_unsigned(int i, std::uint64_t x) {
  return bind_integer(i, std::bit_cast<std::int64_t>(x));
}

sqlite_statement& sqlite_statement::bind_real(int i, double x) {
  check(sqlite3_bind_double(handle_, i, x));
  return *this;
}

sqlite_statement& sqlite_statement::bind_text(int i, std::string_view x) {
  check(sqlite3_bind_text64(handle_, i, not_null(x), x.size(), SQLITE_STATIC,
                            SQLITE_UTF8));
  return *this;
}

sqlite_statement& sqlite_statement::bind_blob(int i, std::string_view x) {
  check(sqlite3_bind_blob64(handle_, i, not_null(x), x.size(), SQLITE_STATIC));
  return *this;
}

sqlite_statement& sqlite_statement::bind_null(int i) {
  check(sqlite3_bind_null(handle_, i));
  return *this;
}

sqlite_statement& sqlite_statement::bind_value(int i, const value_view& x) {
  switch (x.type) {
    case value_type::integer:
      return bind_integer(i, x.integer);
    case value_type::real:
      return bind_real(i, x.real);
    case value_type::text:
      return bind_text(i, x.bytes);
    case value_type::blob:
      return bind_blob(i, x.bytes);
    default:
      return bind_null(i);
  }
}

int sqlite_statement::parameters() const noexcept {
  return sqlite3_bind_parameter_count(handle_);
}

expected<bool> sqlite_statement::step() {
  if (failed_ != SQLITE_OK)
    return db_->failed(std::exchange(failed_, SQLITE_OK), "bind");
  auto result = sqlite3_step(handle_);
  if (result == SQLITE_ROW)
    return true;
  if (result == SQLITE_DONE)
    return false;
  return db_->failed(result, sqlite3_sql(handle_));
}

status sqlite_statement::run() {
  auto row = step();
  while (row && *row)
    row = step();
  reset();
  if (!row)
    return tl::unexpected{std::move(row.error())};
  return {};
}

void sqlite_statement::reset() noexcept {
  sqlite3_reset(handle_);
}

int sqlite_statement::columns() const noexcept {
  return sqlite3_column_count(handle_);
}

std::string_view sqlite_statement::column_name(int i) const {
  const auto* name = sqlite3_column_name(handle_, i);
  return name == nullptr ? std::string_view{} : std::string_view{name};
}

bool sqlite_statement::is_null(int i) const {
  return sqlite3_column_type(handle_, i) == SQLITE_NULL;
}

std::int64_t sqlite_statement::integer(int i) const {
  return sqlite3_column_int64(handle_, i);
}

std::uint64_t sqlite_statement::unsigned_integer(int i) const {
  return std::bit_cast<std::uint64_t>(integer(i));
}

double sqlite_statement::real(int i) const {
  return sqlite3_column_double(handle_, i);
}

std::string_view sqlite_statement::text(int i) const {
  // The pointer first: asking for it may convert and so change the length.
  const auto* data = sqlite3_column_text(handle_, i);
  auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, i));
  return {reinterpret_cast<const char*>(data), data == nullptr ? 0 : size};
}

std::string_view sqlite_statement::blob(int i) const {
  const auto* data = sqlite3_column_blob(handle_, i);
  auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, i));
  return {static_cast<const char*>(data), data == nullptr ? 0 : size};
}

value_view sqlite_statement::value(int i) const {
  switch (sqlite3_column_type(handle_, i)) {
    case SQLITE_INTEGER:
      return value_view::of_integer(integer(i));
    case SQLITE_FLOAT:
      return value_view::of_real(real(i));
    case SQLITE_TEXT:
      return value_view::of_text(text(i));
    case SQLITE_BLOB:
      return value_view::of_blob(blob(i));
    default:
      return {};
  }
}

// -- sqlite_db ----------------------------------------------------------------

expected<std::unique_ptr<sqlite_db>>
sqlite_db::open(const std::string& path, const sqlite_options& options) {
  auto result = std::unique_ptr<sqlite_db>(new sqlite_db);
  result->path_ = path;
  result->failure_ = options.failure;
  auto flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (options.read_only || options.immutable)
    flags |= SQLITE_OPEN_READONLY | (options.immutable ? SQLITE_OPEN_URI : 0);
  else
    flags |= SQLITE_OPEN_READWRITE | (options.create ? SQLITE_OPEN_CREATE : 0);
  auto name = options.immutable ? immutable_uri(path) : path;
  auto code = sqlite3_open_v2(name.c_str(), &result->handle_, flags, nullptr);
  if (code == SQLITE_CANTOPEN && !options.create && is_missing(path))
    return fail(options.failure, path + ": there is no such file",
                "Check the path: the database must be there.");
  if (code != SQLITE_OK)
    return result->failed(code, "open");
  sqlite3_busy_timeout(result->handle_,
                       static_cast<int>(options.busy_timeout.count()));
  return result;
}

sqlite_db::~sqlite_db() {
  for (auto& entry : cache_)
    sqlite3_finalize(entry.second);
  sqlite3_close_v2(handle_);
}

status sqlite_db::exec(const std::string& sql) {
  auto code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK)
    return failed(code, sql);
  return {};
}

expected<sqlite_statement> sqlite_db::prepare(std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  auto code = sqlite3_prepare_v2(
    handle_, sql.data(), static_cast<int>(sql.size()), &handle, nullptr);
  if (code != SQLITE_OK)
    return failed(code, sql);
  if (handle == nullptr)
    return failed(SQLITE_MISUSE, "prepare: no statement");
  return sqlite_statement{this, handle, {}};
}

expected<sqlite_statement> sqlite_db::cached(std::string_view sql) {
  auto found = cache_.find(sql);
  if (found == cache_.end()) {
    auto result = prepare(sql);
    if (result)
      result->cache_key_ = sql;
    return result;
  }
  auto entry = cache_.extract(found);
  return sqlite_statement{this, entry.mapped(), std::move(entry.key())};
}

expected<std::int64_t> sqlite_db::query_integer(std::string_view sql) {
  auto query = cached(sql);
  if (!query)
    return tl::unexpected{std::move(query.error())};
  auto row = query->step();
  if (!row)
    return tl::unexpected{std::move(row.error())};
  return *row ? query->integer(0) : 0;
}

std::int64_t sqlite_db::last_insert_id() const noexcept {
  return sqlite3_last_insert_rowid(handle_);
}

std::int64_t sqlite_db::changes() const noexcept {
  return sqlite3_changes64(handle_);
}

bool sqlite_db::in_transaction() const noexcept {
  return sqlite3_get_autocommit(handle_) == 0;
}

error sqlite_db::last_error(std::string_view what) const {
  auto code = last_code_;
  // The handle keeps the text of the latest call only.
  const auto* text = handle_ != nullptr
                         && sqlite3_extended_errcode(handle_) == code
                       ? sqlite3_errmsg(handle_)
                       : sqlite3_errstr(code);
  // Of a file beside the database, a full disk is just an error to SQLite.
  auto primary = code & 0xFF;
  if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN)
      && sqlite3_system_errno(handle_) == ENOSPC) {
    primary = code = SQLITE_FULL;
    text = sqlite3_errstr(code);
  }
  auto result = error{failure_, path_ + ": " + text,
                      std::string{file_remedy(code)}};
  if (!what.empty() && result.remedy.empty() && primary != SQLITE_CONSTRAINT)
    result.detail += " (" + std::string{what.substr(0, 200)} + ')';
  if (failure_ == errc::log_io && primary == SQLITE_FULL)
    result = {errc::disk_full, std::move(result.detail)};
  return result;
}

tl::unexpected<error> sqlite_db::failed(int result, std::string_view what) {
  last_code_ = result;
  return tl::unexpected<error>{last_error(what)};
}

// -- sqlite_transaction -------------------------------------------------------

expected<sqlite_transaction> sqlite_transaction::begin(sqlite_db& db,
                                                       mode kind) {
  const auto* sql = kind == mode::deferred    ? "BEGIN DEFERRED"
                    : kind == mode::immediate ? "BEGIN IMMEDIATE"
                                              : "BEGIN EXCLUSIVE";
  auto query = db.cached(sql);
  if (!query)
    return tl::unexpected{std::move(query.error())};
  if (auto begun = query->run(); !begun)
    return tl::unexpected{std::move(begun.error())};
  return sqlite_transaction{db};
}

sqlite_transaction::sqlite_transaction(sqlite_transaction&& x) noexcept
  : db_{std::exchange(x.db_, nullptr)} {
  // nop
}

sqlite_transaction::~sqlite_transaction() {
  rollback();
}

status sqlite_transaction::commit() {
  auto query = db_->cached("COMMIT");
  if (!query)
    return tl::unexpected{std::move(query.error())};
  auto result = query->run();
  if (result)
    db_ = nullptr;
  return result;
}

void sqlite_transaction::rollback() noexcept {
  // SQLite itself may have rolled back, e.g. when the disk was full.
  if (db_ != nullptr && db_->in_transaction())
    sqlite3_exec(db_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  db_ = nullptr;
}

std::string sqlite_quoted(std::string_view identifier) {
  auto result = std::string{'"'};
  for (auto c : identifier) {
    if (c == '"')
      result += c;
    result += c;
  }
  return result + '"';
}

} // namespace sluice
