#include "messages/feed.hpp"

#include <algorithm>

namespace sluice {

namespace {

// The start of the UTF-8 character after the one at `i`.
std::size_t next_character(std::string_view x, std::size_t i) {
  ++i;
  while (i < x.size() && (static_cast<unsigned char>(x[i]) & 0xC0U) == 0x80U)
    ++i;
  return i;
}

// `*` is any text, `?` one character, everything else is itself. Remembers
// only the latest star: an earlier one need never take more.
bool pattern_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  auto star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t = next_character(text, t);
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      star_text = next_character(text, star_text);
      t = star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

} // namespace

bool feed_rules::matches(std::string_view table) const {
  auto hit = [&](const std::string& pattern) {
    return pattern_matches(pattern, table);
  };
  return std::any_of(include.begin(), include.end(), hit)
         && std::none_of(exclude.begin(), exclude.end(), hit);
}

} // namespace sluice
