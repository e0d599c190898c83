#include "actors/sources/postgres/pg_binary.hpp"

#include <array>
#include <bit>
#include <cstdint>

#include "actors/sources/postgres/binary_reader.hpp"
#include "actors/sources/postgres/pg_numeric.hpp"
#include "actors/sources/postgres/pg_parts.hpp"
#include "actors/sources/postgres/pg_real.hpp"
#include "actors/sources/postgres/pg_time.hpp"

namespace sluice::postgres {

namespace {

// -- values without parts -----------------------------------------------------

void append_hex(std::uint8_t byte, std::string& into) {
  into += "0123456789abcdef"[byte >> 4U];
  into += "0123456789abcdef"[byte & 15U];
}

bool take_bool(binary_reader& from, std::string& into) {
  auto x = from.number<std::uint8_t>();
  into += x == 0 ? 'f' : 't';
  return x <= 1;
}

template <class T>
bool take_integer(binary_reader& from, std::string& into) {
  into += std::to_string(from.number<T>());
  return true;
}

template <class T, class Bits>
bool take_float(binary_reader& from, std::string& into) {
  append_real(std::bit_cast<T>(from.number<Bits>()), into);
  return true;
}

bool take_text(binary_reader& from, std::string& into) {
  into += from.bytes(from.left());
  return true;
}

bool take_jsonb(binary_reader& from, std::string& into) {
  auto version = from.number<std::uint8_t>();
  return version == 1 && take_text(from, into);
}

bool take_bytea(binary_reader& from, std::string& into) {
  into += "\\x";
  for (auto c : from.bytes(from.left()))
    append_hex(static_cast<std::uint8_t>(c), into);
  return true;
}

bool take_uuid(binary_reader& from, std::string& into) {
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      into += '-';
    append_hex(from.number<std::uint8_t>(), into);
  }
  return true;
}

bool take_date(binary_reader& from, std::string& into) {
  append_date(from.number<std::int32_t>(), into);
  return true;
}

bool take_time(binary_reader& from, std::string& into) {
  return append_time(from.number<std::int64_t>(), into);
}

bool take_time_and_zone(binary_reader& from, std::string& into) {
  return take_time(from, into)
         && append_zone(from.number<std::int32_t>(), into);
}

template <bool WithZone>
bool take_timestamp(binary_reader& from, std::string& into) {
  append_timestamp(from.number<std::int64_t>(), WithZone, into);
  return true;
}

bool take_interval(binary_reader& from, std::string& into) {
  auto x = interval{};
  x.us = from.number<std::int64_t>();
  x.days = from.number<std::int32_t>();
  x.months = from.number<std::int32_t>();
  append_interval(x, into);
  return true;
}

// -- which is what ------------------------------------------------------------

struct simple_type {
  oid type;
  bool (*append)(binary_reader& from, std::string& into);
};
constexpr auto simple_types = std::to_array<simple_type>({
  {bool_oid, take_bool},
  {int2_oid, take_integer<std::int16_t>},
  {int4_oid, take_integer<std::int32_t>},
  {int8_oid, take_integer<std::int64_t>},
  {oid_oid, take_integer<std::uint32_t>},
  {float4_oid, take_float<float, std::uint32_t>},
  {float8_oid, take_float<double, std::uint64_t>},
  {numeric_oid, append_numeric},
  {text_oid, take_text},
  {varchar_oid, take_text},
  {bpchar_oid, take_text},
  {name_oid, take_text},
  {json_oid, take_text},
  {jsonb_oid, take_jsonb},
  {bytea_oid, take_bytea},
  {uuid_oid, take_uuid},
  {date_oid, take_date},
  {time_oid, take_time},
  {timetz_oid, take_time_and_zone},
  {timestamp_oid, take_timestamp<false>},
  {timestamptz_oid, take_timestamp<true>},
  {interval_oid, take_interval},
});

const simple_type* find_simple(oid type) noexcept {
  for (const auto& x : simple_types)
    if (x.type == type)
      return &x;
  return nullptr;
}

struct range_type {
  oid range;
  oid multirange;
  oid bound;
};
constexpr auto ranges = std::to_array<range_type>({
  {int4range_oid, int4multirange_oid, int4_oid},
  {numrange_oid, nummultirange_oid, numeric_oid},
  {tsrange_oid, tsmultirange_oid, timestamp_oid},
  {tstzrange_oid, tstzmultirange_oid, timestamptz_oid},
  {daterange_oid, datemultirange_oid, date_oid},
  {int8range_oid, int8multirange_oid, int8_oid},
});

const range_type* find_range(oid type) noexcept {
  for (const auto& x : ranges)
    if (x.range == type || x.multirange == type)
      return &x;
  return nullptr;
}

// 0: not an array.
oid element_of(oid type) noexcept {
  const auto* found = find_builtin(type);
  return found != nullptr && found->id != type ? found->id : 0;
}

} // namespace

bool reads_binary(oid type) noexcept {
  if (find_simple(type) != nullptr || find_range(type) != nullptr)
    return true;
  auto element = element_of(type);
  return element != 0 && reads_binary(element);
}

bool append_as_text(oid type, std::string_view bytes, std::string& into) {
  auto from = binary_reader{bytes};
  if (const auto* simple = find_simple(type))
    return simple->append(from, into) && from.done();
  if (const auto* range = find_range(type)) {
    auto append = range->range == type ? append_range : append_multirange;
    return append(range->bound, from, into) && from.done();
  }
  auto element = element_of(type);
  return element != 0 && append_array(element, from, into) && from.done();
}

} // namespace sluice::postgres
