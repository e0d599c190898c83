#pragma once

#include <string>

#include "actors/sources/source_connector.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// Most outbox rows that one call of `prune_outbox` deletes.
inline constexpr std::uint64_t prune_rows_max = 1000;

/// Notes the place of `confirmed` in the journal, then deletes outbox rows
/// before it in one transaction. The newest confirmed row stays: its nonce is
/// what tells a rolled back database.
/// @returns Whether there is more to delete; also when a lock was in the way.
/// @error stale_source
[[nodiscard]] expected<bool> prune_outbox(sqlite_db& db,
                                          source_journal& journal,
                                          const std::string& owner,
                                          timestamp confirmed);

} // namespace sluice
