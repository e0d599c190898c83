#include "actors/sources/postgres/pg_parts.hpp"

#include <array>
#include <cstdint>
#include <string_view>

#include "actors/sources/postgres/pg_binary.hpp"

namespace sluice::postgres {

namespace {

bool is_space(char c) {
  return std::string_view{" \t\n\r\v\f"}.find(c) != std::string_view::npos;
}

bool is_null_word(std::string_view x) {
  constexpr std::string_view word = "null";
  if (x.size() != word.size())
    return false;
  for (std::size_t i = 0; i < x.size(); ++i)
    if ((x[i] | 0x20) != word[i])
      return false;
  return true;
}

bool needs_quotes(std::string_view x, std::string_view special) {
  auto needed = x.empty();
  for (auto c : x)
    needed = needed || is_space(c) || special.find(c) != std::string_view::npos;
  return needed;
}

// Puts what stands behind `begin` into quotes.
// @param escape In front of a quote or a backslash; 0: they are doubled.
void quote(std::string& text, std::size_t begin, char escape) {
  auto part = text.substr(begin);
  text.resize(begin);
  text += '"';
  for (auto c : part) {
    if (c == '"' || c == '\\')
      text += escape == 0 ? c : escape;
    text += c;
  }
  text += '"';
}

class array_text {
public:
  array_text(oid element, binary_reader& from, std::string& into)
    : element_{element}, from_{from}, into_{into} {
    // nop
  }

  bool append() {
    constexpr auto dimensions_max = 6;
    dimensions_ = from_.number<std::int32_t>();
    (void) from_.number<std::int32_t>(); // whether a NULL is in it
    from_.need(from_.number<oid>() == element_);
    from_.need(dimensions_ >= 0 && dimensions_ <= dimensions_max);
    if (!from_.good() || !read_bounds())
      return false;
    if (dimensions_ == 0)
      into_ += "{}";
    return dimensions_ == 0 || append_level(0);
  }

private:
  bool read_bounds() {
    auto shown = std::string{};
    auto plain = true;
    auto elements = std::uint64_t{1};
    for (int i = 0; i < dimensions_; ++i) {
      auto size = from_.number<std::int32_t>();
      auto low = std::int64_t{from_.number<std::int32_t>()};
      // Each element takes four bytes at least.
      if (size <= 0 || (elements *= static_cast<std::uint64_t>(size)) > max())
        return false;
      sizes_.at(static_cast<std::size_t>(i)) = size;
      plain = plain && low == 1;
      shown += '[' + std::to_string(low) + ':' + std::to_string(low + size - 1)
               + ']';
    }
    if (!plain)
      into_ += shown + '=';
    return from_.good();
  }
  [[nodiscard]] std::uint64_t max() const { return from_.left() / 4; }

  // Not deep: at most as many levels as an array has dimensions.
  bool append_level(int level) {
    for (int i = 0; i < sizes_.at(static_cast<std::size_t>(level)); ++i) {
      into_ += i == 0 ? '{' : ',';
      auto inner = level + 1 < dimensions_;
      if (inner ? !append_level(level + 1) : !append_element())
        return false;
    }
    into_ += '}';
    return true;
  }
  bool append_element() {
    auto size = binary_reader{from_}.number<std::int32_t>();
    if (size == -1) {
      (void) from_.number<std::int32_t>();
      into_ += "NULL";
      return from_.good();
    }
    auto from = into_.size();
    if (!append_as_text(element_, from_.sized(), into_) || !from_.good())
      return false;
    auto text = std::string_view{into_}.substr(from);
    if (is_null_word(text) || needs_quotes(text, "\"\\{},"))
      quote(into_, from, '\\');
    return true;
  }

  oid element_;
  binary_reader& from_;
  std::string& into_;
  int dimensions_ = 0;
  std::array<std::int32_t, 6> sizes_{};
};

} // namespace

bool append_array(oid element, binary_reader& from, std::string& into) {
  return array_text{element, from, into}.append();
}

bool append_range(oid bound, binary_reader& from, std::string& into) {
  enum : unsigned { empty = 1, with_low = 2, with_high = 4 };
  enum : unsigned { endless_low = 8, endless_high = 16 };
  constexpr auto all = 31U;
  auto flags = unsigned{from.number<std::uint8_t>()};
  if ((flags & ~all) != 0)
    return false;
  if ((flags & empty) != 0) {
    into += "empty";
    return true;
  }
  auto append_bound = [&](unsigned endless) {
    if ((flags & endless) != 0)
      return true;
    auto begin = into.size();
    auto good = append_as_text(bound, from.sized(), into);
    if (needs_quotes(std::string_view{into}.substr(begin), "\"\\()[],"))
      quote(into, begin, 0);
    return good && from.good();
  };
  into += (flags & with_low) != 0 ? '[' : '(';
  if (!append_bound(endless_low))
    return false;
  into += ',';
  if (!append_bound(endless_high))
    return false;
  into += (flags & with_high) != 0 ? ']' : ')';
  return true;
}

bool append_multirange(oid bound, binary_reader& from, std::string& into) {
  auto count = from.number<std::int32_t>();
  into += '{';
  for (int i = 0; i < count && from.good(); ++i) {
    if (i > 0)
      into += ',';
    auto range = binary_reader{from.sized()};
    if (!append_range(bound, range, into) || !range.done())
      return false;
  }
  into += '}';
  return count >= 0;
}

} // namespace sluice::postgres
