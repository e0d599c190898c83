#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <libpq-fe.h>

/// PostgreSQL as an ordinary application uses it; errors are exceptions. For
/// the parts of the example programs that are not sluice.
namespace plain_postgres {

/// Says what went wrong, in the server's words.
struct failure : std::runtime_error {
  failure(const std::string& what, std::string sql_state)
    : std::runtime_error{what}, state{std::move(sql_state)} {
    // nop
  }
  std::string state; ///< SQLSTATE; empty if the connection failed.
};

/// Rows of text.
class result {
public:
  explicit result(PGresult* handle) : handle_{handle} {
    // nop
  }
  [[nodiscard]] int rows() const { return PQntuples(get()); }
  [[nodiscard]] int columns() const { return PQnfields(get()); }
  [[nodiscard]] bool is_null(int row, int column) const {
    return PQgetisnull(get(), row, column) != 0;
  }
  [[nodiscard]] std::string_view text(int row, int column) const {
    return {PQgetvalue(get(), row, column),
            static_cast<std::size_t>(PQgetlength(get(), row, column))};
  }
  [[nodiscard]] PGresult* get() const { return handle_.get(); }

private:
  struct clear {
    void operator()(PGresult* x) const { PQclear(x); }
  };
  std::unique_ptr<PGresult, clear> handle_;
};

class database {
public:
  explicit database(const std::string& conninfo)
    : handle_{PQconnectdb(conninfo.c_str())} {
    if (PQstatus(handle_.get()) != CONNECTION_OK)
      fail(nullptr);
    PQsetNoticeProcessor(
      handle_.get(), [](void*, const char*) {}, nullptr);
  }

  /// One statement, or several as one transaction.
  result run(const std::string& sql) {
    auto got = result{PQexec(handle_.get(), sql.c_str())};
    auto how = PQresultStatus(got.get());
    if (how != PGRES_COMMAND_OK && how != PGRES_TUPLES_OK)
      fail(got.get());
    return got;
  }
  /// The first column of the first row.
  std::string ask(const std::string& sql) {
    auto got = run(sql);
    return got.rows() == 0 ? std::string{} : std::string{got.text(0, 0)};
  }

private:
  [[noreturn]] void fail(const PGresult* from) const {
    auto text = std::string{PQerrorMessage(handle_.get())};
    for (auto& c : text)
      c = c == '\n' ? ' ' : c;
    const auto* state = PQresultErrorField(from, PG_DIAG_SQLSTATE);
    throw failure{text, state == nullptr ? "" : state};
  }
  struct finish {
    void operator()(PGconn* x) const { PQfinish(x); }
  };
  std::unique_ptr<PGconn, finish> handle_;
};

/// "a""b" for an identifier of any text.
[[nodiscard]] inline std::string sql_name(std::string_view name) {
  auto result = std::string{'"'};
  for (auto c : name)
    result += c == '"' ? std::string{"\"\""} : std::string{c};
  return result + '"';
}

} // namespace plain_postgres
