#include "messages/key_range.hpp"

#include <bit>
#include <cstdint>
#include <string_view>

namespace sluice {

namespace {

constexpr auto sign = std::uint64_t{1} << 63U;

// Big-endian, so that bytes sort as numbers do.
void put(std::string& to, std::uint64_t x) {
  for (auto shift = 56; shift >= 0; shift -= 8)
    to.push_back(static_cast<char>(x >> static_cast<unsigned>(shift)));
}

// Negative ones have their bits turned, since they sort the other way round.
std::uint64_t sortable(double x) {
  auto bits = std::bit_cast<std::uint64_t>(x);
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

// What follows 0 tells one in the middle from the end, which sorts first.
void put(std::string& to, std::string_view bytes) {
  for (auto x : bytes) {
    to.push_back(x);
    if (x == '\0')
      to.push_back('\xFF');
  }
  to.append({'\0', '\x01'});
}

void put(std::string& to, const value_view& x) {
  to.push_back(static_cast<char>(x.type));
  switch (x.type) {
    case value_type::integer:
      put(to, static_cast<std::uint64_t>(x.integer) ^ sign);
      break;
    case value_type::real:
      put(to, sortable(x.real));
      break;
    case value_type::text:
    case value_type::blob:
      put(to, x.bytes);
      break;
    case value_type::null:
    case value_type::unchanged:
      break;
  }
}

} // namespace

std::string encode_key(std::span<const value_view> values) {
  auto result = std::string{};
  for (const auto& x : values)
    put(result, x);
  return result;
}

bool key_filter::operator()(const row_view& row) {
  if (range_.everything() || (!row.before() && !row.after()))
    return true;
  return contains_key(row, row.after(), row.before())
         || contains_key(row, row.before(), row.after());
}

bool key_filter::contains_key(const row_view& row, image_view of,
                              image_view otherwise) {
  if (!of)
    return false;
  key_.clear();
  for (std::uint16_t i = 0; i < of.size(); ++i)
    if (row.in_key(i)) {
      auto value = of[i];
      if (value.type == value_type::unchanged && otherwise)
        value = otherwise[i];
      put(key_, value);
    }
  return range_.contains(key_);
}

} // namespace sluice
