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

} // namespace sluice
