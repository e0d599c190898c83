#include "actors/sources/postgres/pg_real.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>

namespace sluice::postgres {

namespace {

/// digits * 10^exponent, and how it is written: 1.25e+20.
struct decimal {
  char text[40];
  std::size_t size = 0;
  std::string digits;
  int scientific = 0; // exponent of the first digit

  [[nodiscard]] std::string_view written() const { return {text, size}; }
};

template <class T, class... Precision>
decimal written(T x, Precision... precision) {
  auto result = decimal{};
  auto done = std::to_chars(result.text, result.text + sizeof result.text, x,
                            std::chars_format::scientific, precision...);
  result.size = static_cast<std::size_t>(done.ptr - result.text);
  auto all = result.written();
  auto exponent = all.find('e');
  for (auto c : all.substr(0, exponent))
    if (c != '.')
      result.digits += c;
  result.scientific = std::atoi(std::string{all.substr(exponent + 1)}.c_str());
  return result;
}

// Whether x * 10^k is y * 2^q.
bool is_equal(std::uint64_t x, int k, std::uint64_t y, int q) {
  constexpr auto limit = std::numeric_limits<std::uint64_t>::max() / 5;
  auto twos = std::countr_zero(x) + k;
  x >>= std::countr_zero(x);
  q += std::countr_zero(y);
  y >>= std::countr_zero(y);
  for (; k > 0 && x <= limit; --k)
    x *= 5;
  for (; k < 0 && y <= limit; ++k)
    y *= 5;
  return k == 0 && x == y && twos == q;
}

// Whether it lies halfway to a neighbour of `of`, which is positive: such
// digits are read as `of` if that is even, but PostgreSQL does not rely on it.
template <class T, class Bits>
bool is_halfway(const decimal& x, T of) {
  constexpr auto fraction_bits = std::numeric_limits<T>::digits - 1;
  constexpr auto lowest = std::numeric_limits<T>::min_exponent - 1;
  auto bits = std::bit_cast<Bits>(of);
  auto fraction = std::uint64_t{bits & ((Bits{1} << fraction_bits) - 1)};
  auto biased = static_cast<int>(bits >> fraction_bits);
  auto whole = fraction;
  if (biased > 0)
    whole |= std::uint64_t{1} << fraction_bits;
  // In quarters of the last place; below a power of two the steps are half.
  auto exponent = std::max(biased, 1) - 1 + lowest - fraction_bits - 2;
  auto above = 4 * whole + 2;
  auto below = 4 * whole - (fraction == 0 && biased > 1 ? 1 : 2);
  auto number = std::uint64_t{0};
  std::from_chars(x.digits.data(), x.digits.data() + x.digits.size(), number);
  auto k = x.scientific - static_cast<int>(x.digits.size()) + 1;
  return is_equal(number, k, above, exponent)
         || is_equal(number, k, below, exponent);
}

void append_fixed(const decimal& x, std::string& into) {
  auto size = static_cast<int>(x.digits.size());
  auto zeros = [](int count) {
    return std::string(static_cast<std::size_t>(count), '0');
  };
  if (x.scientific < 0) {
    into += "0." + zeros(-x.scientific - 1) + x.digits;
  } else if (x.scientific >= size - 1) {
    into += x.digits + zeros(x.scientific - size + 1);
  } else {
    auto point = static_cast<std::size_t>(x.scientific) + 1;
    into += x.digits.substr(0, point) + '.' + x.digits.substr(point);
  }
}

template <class T, class Bits>
void append(T x, std::string& into) {
  // As float_to_shortest_decimal_bufn and its neighbour, src/common.
  constexpr auto lowest_fixed = -4;
  constexpr auto fixed_end = std::numeric_limits<T>::digits10;
  if (std::isnan(x)) {
    into += "NaN";
    return;
  }
  if (std::signbit(x))
    into += '-';
  x = std::fabs(x);
  if (std::isinf(x)) {
    into += "Infinity";
    return;
  }
  auto digits = written(x);
  while (x > 0 && is_halfway<T, Bits>(digits, x))
    digits = written(x, static_cast<int>(digits.digits.size()));
  if (digits.scientific >= lowest_fixed && digits.scientific < fixed_end)
    append_fixed(digits, into);
  else
    into += digits.written();
}

} // namespace

void append_real(float x, std::string& into) {
  append<float, std::uint32_t>(x, into);
}

void append_real(double x, std::string& into) {
  append<double, std::uint64_t>(x, into);
}

} // namespace sluice::postgres
