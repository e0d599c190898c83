#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sqlite3.h>

/// SQLite as an ordinary application uses it; errors are exceptions. For the
/// example programs that are not sluice: the application and the check.
namespace plain_sqlite {

/// Says what went wrong and in which file.
struct failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class statement {
public:
  statement(sqlite3* db, std::string_view sql) : db_{db} {
    sqlite3_stmt* made = nullptr;
    if (sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &made,
                           nullptr)
        != SQLITE_OK)
      fail();
    handle_.reset(made);
  }

  void bind(int i, std::int64_t x) { sqlite3_bind_int64(get(), i, x); }
  void bind(int i, int x) { sqlite3_bind_int64(get(), i, x); }
  void bind(int i, double x) { sqlite3_bind_double(get(), i, x); }
  void bind(int i, std::nullptr_t) { sqlite3_bind_null(get(), i); }
  void bind(int i, const std::string& x) {
    sqlite3_bind_text(get(), i, x.data(), static_cast<int>(x.size()),
                      SQLITE_TRANSIENT);
  }
  void bind_blob(int i, const std::string& x) {
    sqlite3_bind_blob(get(), i, x.data(), static_cast<int>(x.size()),
                      SQLITE_TRANSIENT);
  }
  /// A value of another statement's present row, as it is.
  void bind_column(int i, const statement& from, int column) {
    sqlite3_bind_value(get(), i, sqlite3_column_value(from.get(), column));
  }

  /// Whether there is a row.
  bool step() {
    auto code = sqlite3_step(get());
    if (code != SQLITE_ROW && code != SQLITE_DONE)
      fail();
    return code == SQLITE_ROW;
  }
  void reset() { sqlite3_reset(get()); }
  /// Runs a statement that gives no rows.
  /// @returns How many rows it changed.
  std::int64_t run() {
    while (step()) {
      // nop
    }
    reset();
    return sqlite3_changes64(db_);
  }

  [[nodiscard]] int columns() const { return sqlite3_column_count(get()); }
  [[nodiscard]] int type(int i) const { return sqlite3_column_type(get(), i); }
  [[nodiscard]] std::int64_t integer(int i) const {
    return sqlite3_column_int64(get(), i);
  }
  [[nodiscard]] double real(int i) const {
    return sqlite3_column_double(get(), i);
  }
  /// Of text and blobs; nothing of NULL.
  [[nodiscard]] std::string_view bytes(int i) const {
    const auto* data = sqlite3_column_blob(get(), i);
    auto size = static_cast<std::size_t>(sqlite3_column_bytes(get(), i));
    return {static_cast<const char*>(data), data == nullptr ? 0 : size};
  }
  [[nodiscard]] sqlite3_stmt* get() const { return handle_.get(); }

private:
  [[noreturn]] void fail() const {
    const auto* path = sqlite3_db_filename(db_, "main");
    throw failure{std::string{path == nullptr ? "" : path} + ": "
                  + sqlite3_errmsg(db_)};
  }
  struct finalize {
    void operator()(sqlite3_stmt* x) const { sqlite3_finalize(x); }
  };
  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, finalize> handle_;
};

class database {
public:
  /// @param flags SQLITE_OPEN_*
  database(const std::string& path, int flags) {
    sqlite3* made = nullptr;
    auto code = sqlite3_open_v2(path.c_str(), &made, flags, nullptr);
    handle_.reset(made);
    if (code != SQLITE_OK)
      throw failure{path + ": " + sqlite3_errstr(code)};
    sqlite3_busy_timeout(made, 30'000); // Every application needs one.
  }
  void exec(const std::string& sql) {
    if (sqlite3_exec(get(), sql.c_str(), nullptr, nullptr, nullptr)
        != SQLITE_OK)
      throw failure{std::string{sqlite3_db_filename(get(), "main")} + ": "
                    + sqlite3_errmsg(get())};
  }
  [[nodiscard]] sqlite3* get() const { return handle_.get(); }

private:
  struct close {
    void operator()(sqlite3* x) const { sqlite3_close_v2(x); }
  };
  std::unique_ptr<sqlite3, close> handle_;
};

/// "a""b" for an identifier of any text.
[[nodiscard]] inline std::string sql_name(std::string_view name) {
  auto result = std::string{'"'};
  for (auto c : name)
    result += c == '"' ? std::string{"\"\""} : std::string{c};
  return result + '"';
}

} // namespace plain_sqlite
