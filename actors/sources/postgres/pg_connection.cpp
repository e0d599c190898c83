#include "actors/sources/postgres/pg_connection.hpp"

#include <algorithm>
#include <array>

#include <libpq-fe.h>
#include <poll.h>

#include "actors/sources/postgres/pg_error.hpp"

namespace sluice::postgres {

namespace {

// -- connection strings -------------------------------------------------------

using conninfo_ptr =
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

// In a URI an unescaped @ or / of a password makes libpq take the rest of the
// password for the host or the database, and print it.
bool has_stray_at(const std::string& conninfo,
                  const PQconninfoOption* options) {
  if (conninfo.find("://") == std::string::npos)
    return false;
  for (const auto* x = options; x->keyword != nullptr; ++x) {
    auto name = std::string_view{x->keyword};
    if (x->val != nullptr && (name == "host" || name == "dbname")
        && std::string_view{x->val}.find('@') != std::string_view::npos)
      return true;
  }
  return false;
}

// Null if libpq can't parse it, or would take a part of the password for
// something else.
conninfo_ptr parse(const std::string& conninfo) {
  char* reason = nullptr; // quotes what it can't parse: maybe a secret
  auto result = conninfo_ptr{PQconninfoParse(conninfo.c_str(), &reason),
                             &PQconninfoFree};
  PQfreemem(reason);
  if (result && has_stray_at(conninfo, result.get()))
    result.reset();
  return result;
}

// As it stands between keywords and values.
std::string quoted_value(std::string_view x) {
  if (!x.empty() && x.find_first_of(" '\\") == std::string_view::npos)
    return std::string{x};
  auto result = std::string{"'"};
  for (auto c : x) {
    if (c == '\'' || c == '\\')
      result += '\\';
    result += c;
  }
  return result + '\'';
}

// -- opening ------------------------------------------------------------------

std::string where_of(const PGconn* handle) {
  auto text = [](const char* x) { return std::string{x == nullptr ? "" : x}; };
  return text(PQdb(handle)) + " on " + text(PQhost(handle)) + ':'
         + text(PQport(handle)) + " as " + text(PQuser(handle));
}

void ignore_notice(void*, const char*) {
  // nop
}

// What stands behind the connection string overrides it.
PGconn* connect(const std::string& conninfo, connection::kind how,
                std::chrono::milliseconds timeout) {
  // libpq's own: it goes on to the next host when one does not answer.
  auto seconds = std::to_string(
    std::chrono::ceil<std::chrono::seconds>(timeout).count());
  const auto* replication = how == connection::kind::replication ? "database"
                                                                 : nullptr;
  auto keywords = std::array{
    "fallback_application_name", "connect_timeout",
    // A host that is gone is noticed within about a minute, not two hours.
    "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout",
    // Expanded: all that the user gave.
    "dbname", "client_encoding", "replication",
    static_cast<const char*>(nullptr)};
  auto values = std::array{"sluice",
                           seconds.c_str(),
                           "30",
                           "10",
                           "3",
                           "60000",
                           conninfo.c_str(),
                           "UTF8",
                           replication,
                           static_cast<const char*>(nullptr)};
  static_assert(keywords.size() == values.size());
  return PQconnectdbParams(keywords.data(), values.data(), 1);
}

// libpq tells the SQLSTATE of a refused connection only in verbose texts, and
// those only from the second attempt on.
void ask_for_state(PGconn* handle) {
  auto server_spoke = std::string_view{PQerrorMessage(handle)}.find(":  ")
                      != std::string_view::npos;
  if (!server_spoke)
    return;
  PQsetErrorVerbosity(handle, PQERRORS_VERBOSE);
  PQreset(handle);
  PQsetErrorVerbosity(handle, PQERRORS_DEFAULT);
}

// What a value looks like must not depend on the role or the server. One
// command: in a replication connection PostgreSQL 14 takes no list of them.
constexpr auto fixed_style =
  "SELECT pg_catalog.set_config('datestyle', 'ISO', false),"
  " pg_catalog.set_config('intervalstyle', 'postgres', false),"
  " pg_catalog.set_config('bytea_output', 'hex', false),"
  " pg_catalog.set_config('extra_float_digits', '3', false),"
  " pg_catalog.set_config('timezone', 'UTC', false),"
  // Else names in values depend on it, and others could put operators in it.
  " pg_catalog.set_config('search_path', '', false)";

// A copy takes as long as its sink does.
constexpr auto no_timeouts =
  "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings"
  " WHERE name IN ('statement_timeout', 'transaction_timeout',"
  " 'idle_in_transaction_session_timeout', 'idle_session_timeout')";

std::string doubled(std::string_view text, std::string_view special) {
  auto result = std::string{};
  for (auto c : text) {
    if (special.find(c) != std::string_view::npos)
      result += c;
    result += c;
  }
  return result;
}

} // namespace

// -- result -------------------------------------------------------------------

void result::clear(pg_result* x) noexcept {
  PQclear(x);
}

int result::rows() const noexcept {
  return PQntuples(handle_.get());
}

std::string_view result::text(int row, int column) const noexcept {
  return {PQgetvalue(handle_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(handle_.get(), row, column))};
}

bool result::is_null(int row, int column) const noexcept {
  return PQgetisnull(handle_.get(), row, column) != 0;
}

// -- connection ---------------------------------------------------------------

connection::connection(pg_conn* handle) : handle_{handle, &finish} {
  PQsetNoticeProcessor(handle, &ignore_notice, nullptr);
}

void connection::finish(pg_conn* x) noexcept {
  PQfinish(x);
}

expected<connection> connection::open(const std::string& conninfo, kind how,
                                      std::chrono::milliseconds timeout) {
  if (auto valid = validate_conninfo(conninfo); !valid)
    return pass_on(valid);
  auto result = connection{connect(conninfo, how, timeout)};
  auto* handle = result.handle_.get();
  if (handle == nullptr)
    return fail(errc::source_unavailable, "no memory for a connection");
  if (PQstatus(handle) != CONNECTION_OK)
    ask_for_state(handle);
  result.where_ = where_of(handle);
  if (PQstatus(handle) != CONNECTION_OK)
    return tl::unexpected<error>{connect_error(handle, result.where_)};
  for (const auto* sql : {no_timeouts, fixed_style})
    if (auto done = result.run(sql); !done)
      return pass_on(done);
  return result;
}

expected<result> connection::run(const std::string& sql) {
  return take(PQexec(handle_.get(), sql.c_str()));
}

expected<result>
connection::run(const std::string& sql,
                const std::vector<std::optional<std::string>>& values) {
  auto texts = std::vector<const char*>{};
  for (const auto& x : values)
    texts.push_back(x ? x->c_str() : nullptr);
  return take(PQexecParams(handle_.get(), sql.c_str(),
                           static_cast<int>(texts.size()), nullptr,
                           texts.data(), nullptr, nullptr, 0));
}

expected<result> connection::run_within(std::chrono::milliseconds time,
                                        const std::string& sql, bool& late) {
  using clock = std::chrono::steady_clock;
  late = false;
  auto end = clock::now() + time;
  if (PQsendQuery(handle_.get(), sql.c_str()) == 1)
    while (PQisBusy(handle_.get()) == 1) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(end
                                                               - clock::now());
      if (!late && left.count() <= 0) {
        late = true;
        cancel(); // what it answers is taken below
      }
      auto input = pollfd{PQsocket(handle_.get()), POLLIN, 0};
      poll(&input, 1, late ? -1 : static_cast<int>(left.count()));
      if (PQconsumeInput(handle_.get()) == 0)
        break;
    }
  auto* first = PQgetResult(handle_.get());
  while (auto* more = PQgetResult(handle_.get()))
    PQclear(more);
  return take(first);
}

expected<result> connection::take(pg_result* handle) {
  auto got = result{handle};
  const auto* state = PQresultErrorField(handle, PG_DIAG_SQLSTATE);
  state_ = state == nullptr ? "" : state;
  switch (PQresultStatus(handle)) {
    case PGRES_EMPTY_QUERY:
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
      return got;
    default:
      return tl::unexpected<error>{
        command_error(handle_.get(), handle, where_)};
  }
}

std::string connection::last_error() const {
  return one_line(PQerrorMessage(handle_.get()));
}

void connection::cancel() const noexcept {
  auto* request = PQgetCancel(handle_.get());
  char reason[256];
  if (request != nullptr)
    static_cast<void>(PQcancel(request, reason, sizeof reason));
  PQfreeCancel(request);
}

std::string connection::database() const {
  return PQdb(handle_.get());
}

int connection::version() const noexcept {
  return PQserverVersion(handle_.get());
}

// -- texts --------------------------------------------------------------------

std::string quoted_name(std::string_view name) {
  return '"' + doubled(name, "\"") + '"';
}

std::string quoted_text(std::string_view text) {
  // Whatever standard_conforming_strings says.
  auto escaped = text.find('\\') != std::string_view::npos;
  return (escaped ? "E'" : "'") + doubled(text, "'\\") + '\'';
}

status validate_conninfo(const std::string& conninfo) {
  if (!parse(conninfo))
    return fail(errc::invalid_option,
                "the connection string is neither keywords and values nor a "
                "URI of PostgreSQL",
                "Write host=... dbname=... user=..., with '' around values "
                "that have spaces, or postgresql://user@host/dbname, with @ : "
                "/ ? # % in its parts written as %40 %3A %2F %3F %23 %25.");
  return {};
}

std::string without_secrets(const std::string& conninfo) {
  auto options = parse(conninfo);
  if (!options)
    return "***";
  auto result = std::string{};
  for (const auto* x = options.get(); x->keyword != nullptr; ++x) {
    if (x->val == nullptr)
      continue;
    // libpq marks with * what a form would not show.
    auto secret = x->dispchar[0] == '*';
    result.append(result.empty() ? "" : " ").append(x->keyword).append("=");
    result += secret ? "***" : quoted_value(x->val);
  }
  return result;
}

} // namespace sluice::postgres
