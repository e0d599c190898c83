#pragma once

#include "messages/errc.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// The error in `x`, for another type of result.
template <class T>
[[nodiscard]] tl::unexpected<error> pass_on(tl::expected<T, error>& x) {
  return tl::unexpected<error>{std::move(x.error())};
}

/// Whether the last failure of `db` was a lock of somebody else.
[[nodiscard]] bool is_busy(const sqlite_db& db) noexcept;

/// `x`, which just came out of `db`, with timed_out instead of
/// source_unavailable where somebody else held a lock.
[[nodiscard]] error lock_failure(const sqlite_db& db, error x);

/// `x`, which came out of `db`, with source_unsupported instead of
/// source_unavailable where trying again cannot help.
[[nodiscard]] error source_failure(const sqlite_db& db, error x);

} // namespace sluice
