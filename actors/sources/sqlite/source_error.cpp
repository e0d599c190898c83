#include "actors/sources/sqlite/source_error.hpp"

#include <sqlite3.h>

namespace sluice {

bool is_busy(const sqlite_db& db) noexcept {
  auto code = db.last_code() & 0xFF;
  return code == SQLITE_BUSY || code == SQLITE_LOCKED;
}

error lock_failure(const sqlite_db& db, error x) {
  if (x.code == errc::source_unavailable && is_busy(db))
    x.code = errc::timed_out;
  return x;
}

error source_failure(const sqlite_db& db, error x) {
  if (x.code != errc::source_unavailable)
    return x;
  switch (db.last_code() & 0xFF) {
    case SQLITE_ERROR: // e.g. a collation that only the application has
    case SQLITE_READONLY:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_TOOBIG:
      x.code = errc::source_unsupported;
      break;
    default:
      break;
  }
  return x;
}

} // namespace sluice
