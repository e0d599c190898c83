#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice {

/// Small numbers, a bit each: of slots, of entries. A million of them take
/// 125 KB, and going through them takes a look at as many words.
class number_set {
public:
  [[nodiscard]] bool contains(std::uint32_t x) const {
    return x / bits < words_.size()
           && (words_[x / bits] >> (x % bits) & 1) != 0;
  }
  /// @returns Whether it was not there.
  bool insert(std::uint32_t x) {
    if (x / bits >= words_.size())
      words_.resize(x / bits + 1);
    auto& word = words_[x / bits];
    auto before = word;
    word |= std::uint64_t{1} << (x % bits);
    size_ += word != before ? 1 : 0;
    return word != before;
  }
  /// @returns Whether it was there.
  bool erase(std::uint32_t x) {
    if (!contains(x))
      return false;
    words_[x / bits] &= ~(std::uint64_t{1} << (x % bits));
    --size_;
    return true;
  }
  void clear() {
    words_.clear();
    size_ = 0;
  }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Calls `f` for each, ascending. @pre `f` takes out none but its own.
  template <class F>
  void for_each(F f) const {
    if (empty()) // it was larger
      return;
    for (std::size_t i = 0; i < words_.size(); ++i)
      for (auto word = words_[i]; word != 0; word &= word - 1)
        f(static_cast<std::uint32_t>(i * bits)
          + static_cast<std::uint32_t>(std::countr_zero(word)));
  }

private:
  static constexpr std::size_t bits = 64;

  std::vector<std::uint64_t> words_;
  std::size_t size_ = 0;
};

} // namespace sluice
