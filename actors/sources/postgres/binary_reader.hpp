#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::postgres {

/// Takes numbers in network order off the front, and notes when there are not
/// enough bytes.
class binary_reader {
public:
  explicit binary_reader(std::string_view bytes) : rest_{bytes} {
    // nop
  }
  /// @returns 0 where there are not enough.
  template <class T>
  T number() {
    auto result = std::uint64_t{0};
    for (auto c : bytes(sizeof(T)))
      result = result << 8U | static_cast<unsigned char>(c);
    return static_cast<T>(result);
  }
  /// @returns Nothing where there are not enough.
  std::string_view bytes(std::size_t count) {
    if (count > rest_.size())
      good_ = false;
    auto result = rest_.substr(0, good_ ? count : 0);
    rest_.remove_prefix(good_ ? count : rest_.size());
    return result;
  }
  /// With its length in front.
  std::string_view sized() {
    auto size = number<std::int32_t>();
    good_ = good_ && size >= 0;
    return bytes(good_ ? static_cast<std::size_t>(size) : 0);
  }
  void need(bool condition) noexcept { good_ = good_ && condition; }
  [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }
  [[nodiscard]] bool good() const noexcept { return good_; }
  /// Nothing was missing, and nothing is left.
  [[nodiscard]] bool done() const noexcept { return good_ && rest_.empty(); }

private:
  std::string_view rest_;
  bool good_ = true;
};

} // namespace sluice::postgres
