#pragma once

#include <memory>
#include <string>

#include "store/segment_directory.hpp"

namespace sluice {

/// Takes a service's directory, which is made if it is missing, for this
/// service alone. One that is not ours is left as it is.
/// @error invalid_option: no directory, or with somebody else's files in it;
///        log_locked, log_corrupt, log_io, disk_full
[[nodiscard]] expected<std::unique_ptr<directory_lock>>
lock_data_directory(const std::string& directory);

/// Gives up what the logs in it keep for a full disk: see disk_reserve. They
/// take no rows before they have it again.
/// @pre It is locked, and no log in it is open.
/// @returns Whether that gave room.
bool give_up_reserves(const std::string& directory);

} // namespace sluice
