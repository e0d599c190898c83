#include "actors/sinks/sqlite/sink_error.hpp"

#include <string>
#include <utility>

#include <sqlite3.h>

namespace sluice {

errc sink_errc(int sqlite_code) noexcept {
  switch (sqlite_code & 0xFF) { // the primary code
    case SQLITE_ERROR:          // SQL that does not fit the tables there
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return errc::sink_conflict;
    default:
      return errc::sink_unavailable;
  }
}

tl::unexpected<error> sink_failure(const sqlite_db& db, error x,
                                   std::string_view where) {
  x.code = sink_errc(db.last_code());
  if (!where.empty())
    x.detail += ", " + std::string{where};
  return tl::unexpected<error>{std::move(x)};
}

} // namespace sluice
