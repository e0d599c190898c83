#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/errc.hpp"

struct pg_conn;   // libpq's PGconn
struct pg_result; // and PGresult

namespace sluice::postgres {

/// Rows of text; libpq's result, owned.
class result {
public:
  explicit result(pg_result* handle) noexcept : handle_{handle, &clear} {
    // nop
  }
  [[nodiscard]] int rows() const noexcept;
  /// Empty for NULL, too. @pre The row and the column are there.
  [[nodiscard]] std::string_view text(int row, int column) const noexcept;
  [[nodiscard]] bool is_null(int row, int column) const noexcept;
  [[nodiscard]] pg_result* handle() const noexcept { return handle_.get(); }

private:
  static void clear(pg_result* x) noexcept;
  std::unique_ptr<pg_result, void (*)(pg_result*)> handle_;
};

/// One connection to a server. Blocking; used by one thread.
class connection {
public:
  enum class kind {
    plain,
    replication, ///< replication=database: also takes replication commands.
  };

  /// @param conninfo As libpq takes it: keywords and values, or a URI; TLS and
  ///        passwords as there, also PGPASSWORD, .pgpass and services.
  /// @error source_unavailable with the server's own text; source_unsupported
  ///        when only the user can mend it: no such database or role, a wrong
  ///        password, no replication allowed by pg_hba.conf. Never a secret.
  [[nodiscard]] static expected<connection>
  open(const std::string& conninfo, kind how,
       std::chrono::milliseconds timeout = std::chrono::seconds{10});

  /// One command, or several without parameters.
  /// @error The server's text, its SQLSTATE in `last_state`.
  [[nodiscard]] expected<result> run(const std::string& sql);
  [[nodiscard]] expected<result>
  run(const std::string& sql,
      const std::vector<std::optional<std::string>>& values);
  /// One command that ends with an error when its time is over.
  /// @param late Whether it was.
  [[nodiscard]] expected<result> run_within(std::chrono::milliseconds time,
                                            const std::string& sql, bool& late);
  /// SQLSTATE of the last error of `run`, as "42704"; empty if it had none.
  [[nodiscard]] const std::string& last_state() const noexcept {
    return state_;
  }
  /// One line: what went wrong on the connection itself.
  [[nodiscard]] std::string last_error() const;
  /// From another thread: what runs ends with an error.
  void cancel() const noexcept;

  /// `dbname on host:port as user`, without a secret.
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  /// Its name.
  [[nodiscard]] std::string database() const;
  /// server_version_num, as 150020.
  [[nodiscard]] int version() const noexcept;
  [[nodiscard]] pg_conn* handle() const noexcept { return handle_.get(); }

private:
  explicit connection(pg_conn* handle);
  expected<result> take(pg_result* handle);
  static void finish(pg_conn* x) noexcept;

  std::unique_ptr<pg_conn, void (*)(pg_conn*)> handle_;
  std::string where_;
  std::string state_;
};

/// `"a ""quoted"" name"`, `'it''s'`: for SQL that takes no parameters.
[[nodiscard]] std::string quoted_name(std::string_view name);
[[nodiscard]] std::string quoted_text(std::string_view text);
/// @error invalid_option: libpq can't parse it, or would take a part of the
///        password for something else, and print it.
[[nodiscard]] status validate_conninfo(const std::string& conninfo);
/// `conninfo` for logs: the password, and what else libpq marks secret, is
/// replaced. Whatever libpq can't parse is replaced as a whole.
[[nodiscard]] std::string without_secrets(const std::string& conninfo);

} // namespace sluice::postgres
