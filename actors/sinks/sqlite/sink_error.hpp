#pragma once

#include <string_view>

#include "messages/errc.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// What an extended result code of SQLite means for a sink: sink_unavailable
/// if waiting may help, else sink_conflict.
[[nodiscard]] errc sink_errc(int sqlite_code) noexcept;

/// The error `x` that just came out of `db`, with the sink's code and with
/// where it happened, e.g. `table "orders"`.
[[nodiscard]] tl::unexpected<error> sink_failure(const sqlite_db& db, error x,
                                                 std::string_view where);

} // namespace sluice
