#include "store/compression.hpp"

#include <zstd.h>

namespace sluice {

std::optional<std::string> compress(std::string_view bytes, int level) {
  if (level == 0)
    return {};
  auto result = std::string(bytes.size() - bytes.size() / 8, '\0');
  // Too little room is what tells that it is not worth it.
  auto size = ZSTD_compress(result.data(), result.size(), bytes.data(),
                            bytes.size(), level);
  if (ZSTD_isError(size) != 0)
    return {};
  result.resize(size);
  return result;
}

status decompress(std::string_view bytes, std::size_t size, std::string& to) {
  if (ZSTD_getFrameContentSize(bytes.data(), bytes.size()) != size)
    return fail(errc::log_corrupt, "size of what is compressed");
  auto at = to.size();
  to.resize(at + size);
  auto done = ZSTD_decompress(to.data() + at, size, bytes.data(), bytes.size());
  if (ZSTD_isError(done) != 0 || done != size)
    return fail(errc::log_corrupt, "what is compressed");
  return {};
}

} // namespace sluice
