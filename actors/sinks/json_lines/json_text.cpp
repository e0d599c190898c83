#include "actors/sinks/json_lines/json_text.hpp"

#include <cstddef>
#include <cstdint>

#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>

namespace sluice {

namespace {

struct nowhere {
  using Ch = char;
  void Put(char) { /* nop */
  }
};

} // namespace

bool is_utf8(std::string_view x) noexcept {
  // A sequence that is cut off reads zeros behind the end, and so fails.
  auto in = rapidjson::MemoryStream{x.data(), x.size()};
  auto out = nowhere{};
  while (in.Tell() < x.size())
    if (!rapidjson::UTF8<>::Validate(in, out))
      return false;
  return true;
}

void append_base64(std::string& to, std::string_view bytes) {
  constexpr auto digits = std::string_view{
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"};
  to.reserve(to.size() + (bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    auto there = bytes.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      auto byte = k < there.size() ? static_cast<unsigned char>(there[k]) : 0U;
      bits = bits << 8 | byte;
    }
    for (std::size_t k = 0; k < 4; ++k)
      to += k <= there.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
}

} // namespace sluice
