#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "messages/errc.hpp"

struct pg_conn;   // libpq's PGconn
struct pg_result; // and PGresult

/// What libpq and the server say of a failure, as an error of ours.
namespace sluice::postgres {

/// The error in `x`, for another type of result.
template <class T>
[[nodiscard]] tl::unexpected<error> pass_on(tl::expected<T, error>& x) {
  return tl::unexpected<error>{std::move(x.error())};
}

/// A message of libpq in one line: without its preambles, severities, source
/// locations and guesses at the cause, and each line only once.
[[nodiscard]] std::string one_line(std::string_view text);

/// SQLSTATE of the first error in a verbose message, `FATAL:  3D000: ...`;
/// empty if there is none.
[[nodiscard]] std::string state_in(std::string_view text);

/// source_unsupported if only the user can mend what an SQLSTATE stands for,
/// else source_unavailable: trying again may help.
[[nodiscard]] errc code_of(std::string_view state) noexcept;

/// Why `handle`, whose errors are verbose, has no connection.
[[nodiscard]] error connect_error(const pg_conn* handle, std::string detail);

/// Why a command failed: the server's text, its hint as the remedy.
/// @param failed May be null: then the connection says why.
[[nodiscard]] error command_error(const pg_conn* handle,
                                  const pg_result* failed,
                                  const std::string& where);

} // namespace sluice::postgres
