#include "actors/sources/postgres/pg_value.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "actors/sources/postgres/pg_binary.hpp"
#include "actors/sources/postgres/pg_real.hpp"
#include "actors/sources/postgres/pg_types.hpp"

namespace sluice::postgres {

namespace {

using maybe_value = std::optional<value_view>; // none: malformed

template <class T, class... Base>
std::optional<T> parsed(std::string_view text, Base... base) {
  auto result = T{};
  const auto* end = text.data() + text.size();
  auto done = std::from_chars(text.data(), end, result, base...);
  if (done.ec != std::errc{} || done.ptr != end)
    return {};
  return result;
}

template <class T>
std::optional<T> big_endian(std::string_view bytes) {
  if (bytes.size() != sizeof(T))
    return {};
  auto result = std::uint64_t{};
  for (auto c : bytes)
    result = result << 8U | static_cast<unsigned char>(c);
  return static_cast<T>(result);
}

template <class T>
maybe_value integer(std::optional<T> x) {
  if (!x)
    return {};
  return value_view::of_integer(static_cast<std::int64_t>(*x));
}

// -- text ---------------------------------------------------------------------

maybe_value bool_of_text(std::string_view text) {
  if (text != "t" && text != "f")
    return {};
  return value_view::of_integer(text == "t" ? 1 : 0);
}

template <class T>
std::optional<T> real_of_text(std::string_view text) {
  using limits = std::numeric_limits<T>;
  if (text == "NaN")
    return limits::quiet_NaN();
  if (text == "Infinity")
    return limits::infinity();
  if (text == "-Infinity")
    return -limits::infinity();
  auto result = parsed<T>(text, std::chars_format::general);
  if (!result || !std::isfinite(*result)) // "inf": not PostgreSQL's
    return {};
  return result;
}

maybe_value float8_of_text(std::string_view text) {
  auto result = real_of_text<double>(text);
  if (!result)
    return {};
  return value_view::of_real(*result);
}

// The double nearest to what PostgreSQL prints: 0.1 stays 0.1. It is the same
// float4 again, but for one in 2^31, 7.038531e-26: that becomes the float.
maybe_value float4_of_text(std::string_view text) {
  auto narrow = real_of_text<float>(text);
  auto wide = real_of_text<double>(text);
  if (!narrow || !wide)
    return {};
  auto same = static_cast<float>(*wide) == *narrow;
  return value_view::of_real(same ? *wide : static_cast<double>(*narrow));
}

constexpr std::uint8_t no_digit = 16;

constexpr auto hex_digits = [] {
  auto result = std::array<std::uint8_t, 256>{};
  result.fill(no_digit);
  for (std::uint8_t i = 0; i < 10; ++i)
    result[static_cast<std::uint8_t>('0' + i)] = i;
  for (std::uint8_t i = 0; i < 6; ++i) {
    result[static_cast<std::uint8_t>('a' + i)] = 10 + i;
    result[static_cast<std::uint8_t>('A' + i)] = 10 + i;
  }
  return result;
}();

std::uint8_t hex_digit(char c) {
  return hex_digits[static_cast<unsigned char>(c)];
}

// bytea_output = hex, behind `\x`.
bool read_hex(std::string_view from, std::string& into) {
  if (from.size() % 2 != 0)
    return false;
  into.resize(from.size() / 2);
  for (std::size_t i = 0; i < into.size(); ++i) {
    auto high = hex_digit(from[2 * i]);
    auto low = hex_digit(from[2 * i + 1]);
    if (high == no_digit || low == no_digit)
      return false;
    into[i] = static_cast<char>(high << 4U | low);
  }
  return true;
}

// bytea_output = escape: `\\` is a backslash, `\ooo` a byte in octal.
bool read_escaped(std::string_view from, std::string& into) {
  into.clear();
  while (!from.empty()) {
    auto special = from.find('\\');
    into += from.substr(0, special);
    if (special == std::string_view::npos)
      return true;
    from.remove_prefix(special);
    if (from.starts_with("\\\\")) {
      into += '\\';
      from.remove_prefix(2);
      continue;
    }
    auto byte = parsed<std::uint8_t>(from.substr(1, 3), 8);
    if (!byte || from.size() < 4)
      return false;
    into += static_cast<char>(*byte);
    from.remove_prefix(4);
  }
  return true;
}

maybe_value blob_of_text(std::string_view text, std::string& scratch) {
  auto good = text.starts_with("\\x") ? read_hex(text.substr(2), scratch)
                                      : read_escaped(text, scratch);
  if (!good)
    return {};
  return value_view::of_blob(scratch);
}

maybe_value of_text(oid type, std::string_view text, std::string& scratch) {
  switch (type) {
    case bool_oid:
      return bool_of_text(text);
    case int2_oid:
      return integer(parsed<std::int16_t>(text));
    case int4_oid:
      return integer(parsed<std::int32_t>(text));
    case int8_oid:
      return integer(parsed<std::int64_t>(text));
    case oid_oid:
      return integer(parsed<std::uint32_t>(text));
    case float4_oid:
      return float4_of_text(text);
    case float8_oid:
      return float8_of_text(text);
    case bytea_oid:
      return blob_of_text(text, scratch);
    default:
      return value_view::of_text(text);
  }
}

// -- binary -------------------------------------------------------------------

maybe_value bool_of_binary(std::string_view bytes) {
  auto x = big_endian<std::uint8_t>(bytes);
  if (!x || *x > 1)
    return {};
  return value_view::of_integer(*x);
}

value_view real(double x) {
  // As text has it: one NaN.
  return value_view::of_real(
    std::isnan(x) ? std::numeric_limits<double>::quiet_NaN() : x);
}

// By way of what PostgreSQL prints: 0.1 is 0.1 as in text.
maybe_value float4_of_binary(std::string_view bytes) {
  auto bits = big_endian<std::uint32_t>(bytes);
  if (!bits)
    return {};
  auto text = std::string{};
  append_real(std::bit_cast<float>(*bits), text);
  return float4_of_text(text);
}

maybe_value float8_of_binary(std::string_view bytes) {
  auto bits = big_endian<std::uint64_t>(bytes);
  if (!bits)
    return {};
  return real(std::bit_cast<double>(*bits));
}

// @pre reads_binary(type)
maybe_value of_binary(oid type, std::string_view bytes, std::string& scratch) {
  switch (type) {
    case bool_oid:
      return bool_of_binary(bytes);
    case int2_oid:
      return integer(big_endian<std::int16_t>(bytes));
    case int4_oid:
      return integer(big_endian<std::int32_t>(bytes));
    case int8_oid:
      return integer(big_endian<std::int64_t>(bytes));
    case oid_oid:
      return integer(big_endian<std::uint32_t>(bytes));
    case float4_oid:
      return float4_of_binary(bytes);
    case float8_oid:
      return float8_of_binary(bytes);
    case bytea_oid:
      return value_view::of_blob(bytes);
    case text_oid:
    case varchar_oid:
    case bpchar_oid:
    case name_oid:
    case json_oid:
      return value_view::of_text(bytes); // as append_as_text, without a copy
    default:
      scratch.clear();
      if (!append_as_text(type, bytes, scratch))
        return {};
      return value_view::of_text(scratch);
  }
}

// -- errors: of the value only its size, it may be a secret -------------------

std::string known_name(oid type) {
  auto name = type_name(type, -1);
  return name.empty() ? "the type with oid " + std::to_string(type) : name;
}

tl::unexpected<error> not_read(oid type) {
  return fail(errc::malformed,
              "a binary value of " + known_name(type)
                + ", which is read as text only",
              "Leave out the option `binary` of the replication");
}

tl::unexpected<error> not_a_value(oid type, const tuple_value& x) {
  return fail(errc::malformed,
              std::to_string(x.bytes.size())
                + (x.kind == value_kind::text ? " bytes of text" : " bytes")
                + " that are no value of " + known_name(type),
              "A defect, or a server that writes values differently; report "
              "it with the server's version");
}

} // namespace

expected<value_view> to_value(oid type, const tuple_value& x,
                              std::string& scratch) {
  auto result = maybe_value{value_view{}};
  switch (x.kind) {
    case value_kind::null:
      break;
    case value_kind::unchanged:
      return value_view::unchanged();
    case value_kind::text:
      result = of_text(type, x.bytes, scratch);
      break;
    case value_kind::binary:
      if (!reads_binary(type))
        return not_read(type);
      result = of_binary(type, x.bytes, scratch);
      break;
  }
  if (!result)
    return not_a_value(type, x);
  return *result;
}

// -- names --------------------------------------------------------------------

namespace {

std::string in_parentheses(int x) {
  return '(' + std::to_string(x) + ')';
}

// As numerictypmodout, numeric.c: the precision in the upper half, the scale
// in eleven bits with sign below.
std::string numeric_modifier(int modifier) {
  auto packed = modifier - 4;
  auto scale = ((packed & 0x7FF) ^ 1024) - 1024;
  return '(' + std::to_string(packed >> 16 & 0xFFFF) + ','
         + std::to_string(scale) + ')';
}

std::string modifier_text(modifier_kind kind, std::int32_t modifier) {
  constexpr auto length_header = 4; // VARHDRSZ
  constexpr auto full_precision = 0xFFFF;
  switch (kind) {
    case modifier_kind::length:
      return modifier > length_header ? in_parentheses(modifier - length_header)
                                      : "";
    case modifier_kind::numeric:
      return modifier >= length_header ? numeric_modifier(modifier) : "";
    case modifier_kind::bits:
    case modifier_kind::precision:
      return modifier >= 0 ? in_parentheses(modifier) : "";
    case modifier_kind::interval_time:
      if (modifier < 0 || (modifier & 0xFFFF) == full_precision)
        return "";
      return in_parentheses(modifier & 0xFFFF);
    case modifier_kind::none:
      break;
  }
  return "";
}

} // namespace

std::string type_name(oid type, std::int32_t modifier) {
  const auto* found = find_builtin(type);
  if (found == nullptr)
    return {};
  auto result = std::string{found->name};
  if (type == found->array)
    result.insert(0, 1, '_');
  else if (type == char_oid)
    result = "\"char\""; // else it would read as char(1)
  return result + modifier_text(found->modifier, modifier);
}

} // namespace sluice::postgres
