#include "actors/sources/postgres/pg_error.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

#include <libpq-fe.h>

#include "actors/sources/postgres/pg_connection.hpp"

namespace sluice::postgres {

namespace {

constexpr std::size_t state_size = 5;

// `XXXXX: ` at the start of `text`.
bool begins_with_state(std::string_view text) {
  auto is_part = [](unsigned char c) {
    return std::isdigit(c) != 0 || (c >= 'A' && c <= 'Z');
  };
  return text.size() > state_size + 1 && text.substr(state_size, 2) == ": "
         && std::all_of(text.begin(), text.begin() + state_size, is_part);
}

// The text behind `FATAL:  `, in whatever language the server speaks.
std::string_view without_severity(std::string_view line) {
  auto end = line.find(":  ");
  auto is_word = end != std::string_view::npos
                 && line.substr(0, end).find(' ') == std::string_view::npos;
  return is_word ? line.substr(end + 3) : line;
}

std::string_view without_preamble(std::string_view line) {
  constexpr auto preamble = std::string_view{"connection to server "};
  constexpr auto end = std::string_view{" failed: "};
  auto found = line.find(end);
  if (line.substr(0, preamble.size()) == preamble
      && found != std::string_view::npos)
    line.remove_prefix(found + end.size());
  return without_severity(line);
}

// `LOCATION:  InitPostgres, postinit.c:894`
bool is_location(std::string_view line) {
  auto dot = line.rfind(".c:");
  return dot != std::string_view::npos && line.find(":  ") < dot
         && line.find_first_not_of("0123456789", dot + 3)
              == std::string_view::npos;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  auto result = std::vector<std::string_view>{};
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    if (end > 0)
      result.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

std::string field(const PGresult* x, int code) {
  const auto* text = PQresultErrorField(x, code);
  return text == nullptr ? std::string{} : text;
}

std::string connect_remedy(const PGconn* handle, std::string_view state) {
  const auto* user = PQuser(handle);
  auto role = quoted_name(user == nullptr ? "" : user);
  if (PQconnectionNeedsPassword(handle) != 0 || state == "28P01")
    return "Give the role's password in the connection string, in .pgpass or "
           "in PGPASSWORD.";
  if (state == "28000")
    return "Run CREATE ROLE " + role
           + " LOGIN REPLICATION; as a superuser, or let it in by pg_hba.conf.";
  if (state == "3D000")
    return "Correct the database's name, or make it.";
  if (state == "42501")
    return "Give the role that right: for replication, run ALTER ROLE " + role
           + " REPLICATION; as a superuser.";
  if (state == "53300")
    return "Close other connections, or raise max_connections, and for "
           "replication max_wal_senders.";
  if (state == "57P03")
    return "Wait until the server has started.";
  if (code_of(state) == errc::source_unsupported)
    return "Correct the connection string.";
  return "Check that the server runs and may be reached from here.";
}

} // namespace

std::string one_line(std::string_view text) {
  auto said = std::vector<std::string_view>{};
  for (auto line : lines_of(text)) {
    if (line.front() == '\t' || is_location(line))
      continue; // `Is the server running on that host ...`
    line = without_preamble(line);
    if (begins_with_state(line))
      line.remove_prefix(state_size + 2);
    if (std::find(said.begin(), said.end(), line) == said.end())
      said.push_back(line);
  }
  auto result = std::string{};
  for (auto line : said)
    result.append(result.empty() ? "" : "; ").append(line);
  return result;
}

std::string state_in(std::string_view text) {
  for (auto line : lines_of(text)) {
    line = without_preamble(line);
    if (begins_with_state(line))
      return std::string{line.substr(0, state_size)};
  }
  return {};
}

errc code_of(std::string_view state) noexcept {
  // Not supported, bad data, not in that state, authorization, no such
  // database, no such schema, syntax or rights.
  constexpr std::string_view final[] = {"0A", "22", "28",   "3D",
                                        "3F", "42", "55000"};
  auto covers = [&](std::string_view x) {
    return state.substr(0, x.size()) == x;
  };
  return std::any_of(std::begin(final), std::end(final), covers)
           ? errc::source_unsupported
           : errc::source_unavailable;
}

error connect_error(const PGconn* handle, std::string detail) {
  auto text = std::string_view{PQerrorMessage(handle)};
  auto state = state_in(text);
  auto code = PQconnectionNeedsPassword(handle) != 0 ? errc::source_unsupported
                                                     : code_of(state);
  detail += ": " + one_line(text);
  return {code, std::move(detail), connect_remedy(handle, state)};
}

error command_error(const PGconn* handle, const PGresult* failed,
                    const std::string& where) {
  auto text = field(failed, PG_DIAG_MESSAGE_PRIMARY);
  if (auto more = field(failed, PG_DIAG_MESSAGE_DETAIL); !more.empty())
    text += ": " + more;
  if (text.empty())
    text = one_line(PQerrorMessage(handle));
  return {code_of(field(failed, PG_DIAG_SQLSTATE)), where + ": " + text,
          field(failed, PG_DIAG_MESSAGE_HINT)};
}

} // namespace sluice::postgres
