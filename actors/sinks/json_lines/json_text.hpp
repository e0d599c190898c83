#pragma once

#include <string>
#include <string_view>

namespace sluice {

/// Whether all of it is well-formed UTF-8, which JSON demands of its text.
[[nodiscard]] bool is_utf8(std::string_view x) noexcept;

/// Appends base64 with padding. @source RFC 4648, section 4.
void append_base64(std::string& to, std::string_view bytes);

} // namespace sluice
