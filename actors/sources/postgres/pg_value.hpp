#pragma once

#include <string>
#include <string_view>

#include "actors/sources/postgres/pgoutput.hpp"
#include "messages/row.hpp"

/// From PostgreSQL's values to those of a row. docs/postgres.md has the table.
namespace sluice::postgres {

/// One value of a column.
/// bool -> integer 0 or 1; int2, int4, int8, oid -> integer; float4, float8 ->
/// real; bytea -> blob; all else -> text, as PostgreSQL prints it: numeric,
/// uuid, json, jsonb, date and time, interval, arrays, enums, domains,
/// composites, ranges, and types that nobody knows; in binary those of
/// `reads_binary`. NULL, the empty string and `unchanged` are three things.
/// @param type Of the column; a domain's own oid is not that of its base type.
/// @param scratch Holds the bytes of a decoded blob or text as long as the
///        result is used; one per column.
/// @error malformed: not a value of that type.
[[nodiscard]] expected<value_view> to_value(oid type, const tuple_value& x,
                                            std::string& scratch);

/// `int4`, `varchar(20)`, `numeric(10,2)`, `timestamptz(3)`, `_int4`; empty for
/// one that is not built in.
/// @param modifier pg_attribute.atttypmod, -1: none.
[[nodiscard]] std::string type_name(oid type, std::int32_t modifier);

} // namespace sluice::postgres
