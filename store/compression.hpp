#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "messages/errc.hpp"

namespace sluice {

/// @param level Of zstd; 0: never.
/// @returns Nothing if that saves less than an eighth.
[[nodiscard]] std::optional<std::string> compress(std::string_view bytes,
                                                  int level);
/// Appends what `size` bytes were made of.
/// @error log_corrupt
[[nodiscard]] status decompress(std::string_view bytes, std::size_t size,
                                std::string& to);

} // namespace sluice
