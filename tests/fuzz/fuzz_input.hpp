#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

/// What fuzz targets read their input with, and say that they found something.
namespace fuzz {

/// Bytes from the front; zeros once there are none.
class input {
public:
  input(const std::uint8_t* data, std::size_t size)
    : rest_{reinterpret_cast<const char*>(data), size} {
    // nop
  }
  template <class T>
  T take() {
    auto result = T{};
    auto n = rest_.size() < sizeof(T) ? rest_.size() : sizeof(T);
    std::memcpy(&result, rest_.data(), n);
    rest_.remove_prefix(n);
    return result;
  }
  std::uint64_t roll(std::uint64_t n) { return take<std::uint8_t>() % n; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

private:
  std::string_view rest_;
};

/// Stays in every build, unlike assert.
inline void must(bool holds) {
  if (!holds)
    std::abort();
}

} // namespace fuzz
