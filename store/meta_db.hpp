#pragma once

#include <memory>
#include <string>

#include "messages/errc.hpp"
#include "store/sqlite_db.hpp"

namespace sluice {

/// Version of `meta.db`, kept in SQLite's user_version.
inline constexpr std::int64_t meta_format = 3;

/// Opens `meta.db` in `directory`, making both if they are missing, with the
/// tables of checkpoint_store and table_history. Each commit is durable.
/// @error log_io, disk_full, log_format_newer; invalid_option: another
///        program's
[[nodiscard]] expected<std::unique_ptr<sqlite_db>>
open_meta_db(const std::string& directory);

/// Whether the meta.db that is there is not another program's. Reads it and
/// leaves nothing beside it; what is on its way into it may not be seen.
/// @error invalid_option
[[nodiscard]] status check_meta_db(const std::string& directory);

} // namespace sluice
