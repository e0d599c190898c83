#include "actors/sources/postgres/pg_types.hpp"

#include <algorithm>
#include <array>

namespace sluice::postgres {

namespace {

using enum modifier_kind;

// Base types, ranges and multiranges that have an array type.
constexpr auto types = std::to_array<builtin_type>({
  {16, 1000, "bool", none},
  {17, 1001, "bytea", none},
  {18, 1002, "char", none},
  {19, 1003, "name", none},
  {20, 1016, "int8", none},
  {21, 1005, "int2", none},
  {22, 1006, "int2vector", none},
  {23, 1007, "int4", none},
  {24, 1008, "regproc", none},
  {25, 1009, "text", none},
  {26, 1028, "oid", none},
  {27, 1010, "tid", none},
  {28, 1011, "xid", none},
  {29, 1012, "cid", none},
  {30, 1013, "oidvector", none},
  {114, 199, "json", none},
  {142, 143, "xml", none},
  {600, 1017, "point", none},
  {601, 1018, "lseg", none},
  {602, 1019, "path", none},
  {603, 1020, "box", none},
  {604, 1027, "polygon", none},
  {628, 629, "line", none},
  {650, 651, "cidr", none},
  {700, 1021, "float4", none},
  {701, 1022, "float8", none},
  {718, 719, "circle", none},
  {774, 775, "macaddr8", none},
  {790, 791, "money", none},
  {829, 1040, "macaddr", none},
  {869, 1041, "inet", none},
  {1033, 1034, "aclitem", none},
  {1042, 1014, "bpchar", length},
  {1043, 1015, "varchar", length},
  {1082, 1182, "date", none},
  {1083, 1183, "time", precision},
  {1114, 1115, "timestamp", precision},
  {1184, 1185, "timestamptz", precision},
  {1186, 1187, "interval", interval_time},
  {1266, 1270, "timetz", precision},
  {1560, 1561, "bit", bits},
  {1562, 1563, "varbit", bits},
  {1700, 1231, "numeric", numeric},
  {1790, 2201, "refcursor", none},
  {2202, 2207, "regprocedure", none},
  {2203, 2208, "regoper", none},
  {2204, 2209, "regoperator", none},
  {2205, 2210, "regclass", none},
  {2206, 2211, "regtype", none},
  {2950, 2951, "uuid", none},
  {2970, 2949, "txid_snapshot", none},
  {3220, 3221, "pg_lsn", none},
  {3614, 3643, "tsvector", none},
  {3615, 3645, "tsquery", none},
  {3642, 3644, "gtsvector", none},
  {3734, 3735, "regconfig", none},
  {3769, 3770, "regdictionary", none},
  {3802, 3807, "jsonb", none},
  {3904, 3905, "int4range", none},
  {3906, 3907, "numrange", none},
  {3908, 3909, "tsrange", none},
  {3910, 3911, "tstzrange", none},
  {3912, 3913, "daterange", none},
  {3926, 3927, "int8range", none},
  {4072, 4073, "jsonpath", none},
  {4089, 4090, "regnamespace", none},
  {4096, 4097, "regrole", none},
  {4191, 4192, "regcollation", none},
  {4451, 6150, "int4multirange", none},
  {4532, 6151, "nummultirange", none},
  {4533, 6152, "tsmultirange", none},
  {4534, 6153, "tstzmultirange", none},
  {4535, 6155, "datemultirange", none},
  {4536, 6157, "int8multirange", none},
  {5038, 5039, "pg_snapshot", none},
  {5069, 271, "xid8", none},
});

} // namespace

const builtin_type* find_builtin(oid type) noexcept {
  const auto* found = std::find_if(types.begin(), types.end(), [=](auto& x) {
    return x.id == type || (x.array == type && type != 0);
  });
  return found == types.end() ? nullptr : found;
}

} // namespace sluice::postgres
