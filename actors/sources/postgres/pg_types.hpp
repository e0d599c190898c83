#pragma once

#include <cstdint>
#include <string_view>

#include "actors/sources/postgres/pgoutput.hpp"

/// The types that every PostgreSQL has. Their oids never change.
/// @source src/include/catalog/pg_type.dat of PostgreSQL 15.
namespace sluice::postgres {

inline constexpr oid bool_oid = 16;
inline constexpr oid bytea_oid = 17;
inline constexpr oid char_oid = 18; // "char", not char(n)
inline constexpr oid name_oid = 19;
inline constexpr oid int8_oid = 20;
inline constexpr oid int2_oid = 21;
inline constexpr oid int4_oid = 23;
inline constexpr oid text_oid = 25;
inline constexpr oid oid_oid = 26;
inline constexpr oid json_oid = 114;
inline constexpr oid float4_oid = 700;
inline constexpr oid float8_oid = 701;
inline constexpr oid bpchar_oid = 1042;
inline constexpr oid varchar_oid = 1043;
inline constexpr oid date_oid = 1082;
inline constexpr oid time_oid = 1083;
inline constexpr oid timestamp_oid = 1114;
inline constexpr oid timestamptz_oid = 1184;
inline constexpr oid interval_oid = 1186;
inline constexpr oid timetz_oid = 1266;
inline constexpr oid numeric_oid = 1700;
inline constexpr oid uuid_oid = 2950;
inline constexpr oid jsonb_oid = 3802;
inline constexpr oid int4range_oid = 3904;
inline constexpr oid numrange_oid = 3906;
inline constexpr oid tsrange_oid = 3908;
inline constexpr oid tstzrange_oid = 3910;
inline constexpr oid daterange_oid = 3912;
inline constexpr oid int8range_oid = 3926;
inline constexpr oid int4multirange_oid = 4451;
inline constexpr oid nummultirange_oid = 4532;
inline constexpr oid tsmultirange_oid = 4533;
inline constexpr oid tstzmultirange_oid = 4534;
inline constexpr oid datemultirange_oid = 4535;
inline constexpr oid int8multirange_oid = 4536;

/// What pg_attribute.atttypmod means for a type.
enum class modifier_kind : std::uint8_t {
  none,
  length,        ///< varchar(n): n + 4.
  bits,          ///< bit(n): n.
  numeric,       ///< numeric(p,s): both in one number.
  precision,     ///< timestamp(p): p.
  interval_time, ///< interval(p): p in the lower half.
};

struct builtin_type {
  oid id = 0;
  oid array = 0; ///< The type of arrays of it; 0: there is none.
  std::string_view name;
  modifier_kind modifier = modifier_kind::none;
};

/// @returns The type with that oid, or whose array type has it; null if it is
///          not built in.
[[nodiscard]] const builtin_type* find_builtin(oid type) noexcept;

} // namespace sluice::postgres
