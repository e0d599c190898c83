#include "actors/sources/postgres/pg_numeric.hpp"

namespace sluice::postgres {

namespace {

// Groups of four digits; `weight` is that of the first, as a power of 10,000.
struct numeric {
  std::string_view groups;
  int weight = 0;

  // Beyond them all are 0.
  [[nodiscard]] int group(int i) const {
    if (i < 0 || 2 * static_cast<std::size_t>(i) >= groups.size())
      return 0;
    return binary_reader{groups.substr(2 * static_cast<std::size_t>(i), 2)}
      .number<std::int16_t>();
  }
  [[nodiscard]] bool valid() const {
    for (int i = 0; 2 * static_cast<std::size_t>(i) < groups.size(); ++i)
      if (group(i) < 0 || group(i) > 9'999)
        return false;
    return true;
  }
};

void append_group(int x, std::string& into) {
  for (auto unit : {1'000, 100, 10, 1})
    into += static_cast<char>('0' + x / unit % 10);
}

// As get_str_from_var, numeric.c.
void append_digits(const numeric& x, std::size_t scale, std::string& into) {
  into += std::to_string(x.weight < 0 ? 0 : x.group(0));
  for (int i = 1; i <= x.weight; ++i)
    append_group(x.group(i), into);
  if (scale == 0)
    return;
  into += '.';
  auto end = into.size() + scale;
  for (int i = x.weight + 1; into.size() < end; ++i)
    append_group(x.group(i), into);
  into.resize(end);
}

} // namespace

bool append_numeric(binary_reader& from, std::string& into) {
  constexpr auto scale_max = 0x3FFF;
  auto groups = from.number<std::uint16_t>();
  auto weight = from.number<std::int16_t>();
  auto sign = from.number<std::uint16_t>();
  auto scale = from.number<std::uint16_t>();
  auto x = numeric{from.bytes(std::size_t{2} * groups), weight};
  if (!from.good() || scale > scale_max || !x.valid())
    return false;
  switch (sign) {
    case 0xC000:
      into += "NaN";
      return true;
    case 0xD000:
      into += "Infinity";
      return true;
    case 0xF000:
      into += "-Infinity";
      return true;
    case 0x4000:
      into += '-';
      [[fallthrough]];
    case 0:
      append_digits(x, scale, into);
      return true;
    default:
      return false;
  }
}

} // namespace sluice::postgres
