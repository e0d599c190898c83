#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "messages/errc.hpp"
#include "messages/row.hpp"

struct sqlite3;
struct sqlite3_stmt;

/// SQLite without exceptions: a database, its statements, a transaction.
/// Nothing here knows what is stored. Users need not include <sqlite3.h>.
namespace sluice {

class sqlite_db;

/// A prepared statement. Must not outlive its database.
///
/// Errors of `bind_*` are kept and come out of the next `step` or `run`.
/// Parameters count from 1 and columns from 0, as in SQLite.
class sqlite_statement {
public:
  sqlite_statement(sqlite_statement&& x) noexcept;
  sqlite_statement& operator=(sqlite_statement&& x) noexcept;
  ~sqlite_statement();

  // -- parameters -------------------------------------------------------------

  sqlite_statement& bind_integer(int i, std::int64_t x);
  /// The bits of `x`: above 2^63 the order in SQL differs from ours.
  sqlite_statement& bind_unsigned(int i, std::uint64_t x);
  /// SQLite stores NaN as NULL.
  sqlite_statement& bind_real(int i, double x);
  /// Text and blobs are not copied: they must stay until the last `step`.
  sqlite_statement& bind_text(int i, std::string_view x);
  sqlite_statement& bind_blob(int i, std::string_view x);
  sqlite_statement& bind_null(int i);
  /// By its type; `unchanged` becomes NULL.
  sqlite_statement& bind_value(int i, const value_view& x);
  /// How many parameters the statement has.
  [[nodiscard]] int parameters() const noexcept;

  // -- running ----------------------------------------------------------------

  /// @returns Whether there is a row to read.
  [[nodiscard]] expected<bool> step();
  /// Runs to the end, drops rows, and makes it ready to run again.
  [[nodiscard]] status run();
  /// Ready to run again; parameters keep their values.
  void reset() noexcept;

  // -- the present row; views stay until the next `step` or `reset` -----------

  [[nodiscard]] int columns() const noexcept;
  [[nodiscard]] std::string_view column_name(int i) const;
  [[nodiscard]] bool is_null(int i) const;
  [[nodiscard]] std::int64_t integer(int i) const;
  [[nodiscard]] std::uint64_t unsigned_integer(int i) const;
  [[nodiscard]] double real(int i) const;
  [[nodiscard]] std::string_view text(int i) const;
  [[nodiscard]] std::string_view blob(int i) const;
  /// By the storage class it has in this row.
  [[nodiscard]] value_view value(int i) const;

  /// What C functions of SQLite want.
  [[nodiscard]] sqlite3_stmt* handle() const noexcept { return handle_; }

private:
  friend class sqlite_db;
  sqlite_statement(sqlite_db* db, sqlite3_stmt* handle, std::string cache_key);
  void check(int result) noexcept;
  void release() noexcept;

  sqlite_db* db_ = nullptr;
  sqlite3_stmt* handle_ = nullptr;
  std::string cache_key_; // empty: finalized at the end, not kept
  int failed_ = 0;        // first failed bind
};

/// How `sqlite_db::open` opens a file.
struct sqlite_options {
  /// The code of every error that comes out of the database.
  errc failure = errc::log_io;
  std::chrono::milliseconds busy_timeout{10'000};
  bool create = true;
  bool read_only = false;
  /// As the file stands, without a look at its WAL; nothing is made beside it.
  bool immutable = false;
};

/// One connection. Belongs to one thread at a time. Stays at its address:
/// statements point to it.
class sqlite_db {
public:
  /// @param path As SQLite takes it, ":memory:" too.
  [[nodiscard]] static expected<std::unique_ptr<sqlite_db>>
  open(const std::string& path, const sqlite_options& options = {});

  sqlite_db(const sqlite_db&) = delete;
  sqlite_db& operator=(const sqlite_db&) = delete;
  ~sqlite_db();

  /// Runs one or more statements and drops their rows.
  [[nodiscard]] status exec(const std::string& sql);
  /// Compiles one statement.
  [[nodiscard]] expected<sqlite_statement> prepare(std::string_view sql);
  /// The same, compiled once per text and kept. It may be nested: one that is
  /// in use is not given out twice.
  [[nodiscard]] expected<sqlite_statement> cached(std::string_view sql);
  /// The first column of the first row as integer; 0 when there is no row.
  [[nodiscard]] expected<std::int64_t> query_integer(std::string_view sql);

  /// Runs `sql` (kept, see `cached`); `bind` gets the statement before and
  /// `on_row` with each row.
  template <class Bind, class OnRow>
  [[nodiscard]] status run(std::string_view sql, Bind&& bind, OnRow&& on_row) {
    auto query = cached(sql);
    if (!query)
      return tl::unexpected<error>{std::move(query.error())};
    bind(*query);
    for (;;) {
      auto row = query->step();
      if (!row)
        return tl::unexpected<error>{std::move(row.error())};
      if (!*row)
        return {};
      on_row(*query);
    }
  }
  template <class Bind>
  [[nodiscard]] status run(std::string_view sql, Bind&& bind) {
    return run(sql, std::forward<Bind>(bind), [](sqlite_statement&) {});
  }

  [[nodiscard]] std::int64_t last_insert_id() const noexcept;
  /// Rows changed by the last statement.
  [[nodiscard]] std::int64_t changes() const noexcept;
  [[nodiscard]] bool in_transaction() const noexcept;
  /// SQLite's extended code of the last failed call, e.g. SQLITE_BUSY.
  [[nodiscard]] int last_code() const noexcept { return last_code_; }
  /// The failure with SQLite's text and the file's name.
  [[nodiscard]] error last_error(std::string_view what) const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] sqlite3* handle() const noexcept { return handle_; }

private:
  friend class sqlite_statement;
  sqlite_db() = default;
  tl::unexpected<error> failed(int result, std::string_view what);

  sqlite3* handle_ = nullptr;
  std::string path_;
  errc failure_ = errc::log_io;
  int last_code_ = 0;
  std::map<std::string, sqlite3_stmt*, std::less<>> cache_; // not in use
};

/// Rolls back at its end unless it was committed.
class sqlite_transaction {
public:
  enum class mode { deferred, immediate, exclusive };

  /// `immediate` takes the write lock here, where waiting is harmless.
  [[nodiscard]] static expected<sqlite_transaction>
  begin(sqlite_db& db, mode kind = mode::immediate);

  sqlite_transaction(sqlite_transaction&& x) noexcept;
  sqlite_transaction& operator=(sqlite_transaction&&) = delete;
  ~sqlite_transaction();

  /// After a failure the transaction is still open: again, or roll back.
  [[nodiscard]] status commit();
  void rollback() noexcept;

private:
  explicit sqlite_transaction(sqlite_db& db) : db_{&db} {
    // nop
  }
  sqlite_db* db_;
};

/// "a""b" for an identifier of any text.
[[nodiscard]] std::string sqlite_quoted(std::string_view identifier);

} // namespace sluice
