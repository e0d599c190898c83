#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "actors/sources/source_connector.hpp"
#include "actors/sources/sqlite/capture_catalog.hpp"
#include "actors/sources/sqlite/source_identity.hpp"
#include "actors/sources/sqlite/source_table.hpp"
#include "messages/feed.hpp"

namespace sluice {

/// A table that is to be copied.
struct copy_job {
  capture of;
  generation number;
};

struct setup_request {
  feed_rules rules;
  bool need_table = false; ///< Fails if there is nothing to capture.
  /// At `open`: also check the identity, and copy what was never copied
  /// completely. Without it: after a change of the schema.
  std::optional<identity_request> opening;
  /// Called last, with the write lock held: what begins to read here sees
  /// exactly what was committed before the set-up.
  std::function<status()> before_commit;
};

struct setup_result {
  std::vector<capture> captures;  ///< All, ascending by id.
  std::vector<ddl_event> schemas; ///< New ones; at `open` all that count.
  std::vector<copy_job> copies;   ///< Ascending by generation.
  std::uint64_t copy_seq = 0;     ///< Where the copies stand in the order.
  std::int64_t schema_cookie = 0; ///< `PRAGMA schema_version` now.
  std::string owner;
  std::vector<std::string> left_out;
};

/// Makes the outbox and the triggers what they should be, in one write
/// transaction; leaves nothing behind when it fails.
/// @error timed_out when the application holds its lock for too long; those
///        of `verify_identity` and `plan_capture`
[[nodiscard]] expected<setup_result>
set_up_capture(sqlite_db& db, source_journal& journal,
               const setup_request& request);

} // namespace sluice
