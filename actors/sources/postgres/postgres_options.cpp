#include "actors/sources/postgres/postgres_options.hpp"

#include <algorithm>

#include "actors/sources/postgres/pg_connection.hpp"

namespace sluice {

namespace {

// PostgreSQL's NAMEDATALEN - 1; longer names are cut in silence.
constexpr std::size_t name_bytes_max = 63;

bool is_name(const std::string& x) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !x.empty() && x.size() <= name_bytes_max
         && std::all_of(x.begin(), x.end(), allowed);
}

} // namespace

status postgres_source_options::validate() const {
  if (auto valid = postgres::validate_conninfo(conninfo); !valid)
    return valid;
  if (tables.include.empty())
    return fail(errc::invalid_option,
                "postgres source: tables.include is empty",
                "Give a pattern, such as public.*");
  for (const auto* name : {&slot, &publication})
    if (!is_name(*name))
      return fail(errc::invalid_option,
                  std::string{"postgres source: "}
                    + (name == &slot ? "slot \"" : "publication \"") + *name
                    + "\" is not such a name",
                  "Take 1 to 63 lower case letters, digits and underscores.");
  if (!copy && !temporary)
    return fail(errc::invalid_option,
                "postgres source: no copy, and not temporary",
                "Set temporary, or copy.");
  if (temporary && !set_up)
    return fail(errc::invalid_option,
                "postgres source: temporary without set_up",
                "Allow set_up: a temporary slot is made by who reads it.");
  if (copy_connections == 0)
    return fail(errc::invalid_option, "postgres source: copy_connections is 0",
                "Set it to 1 or more.");
  if (patience <= std::chrono::milliseconds::zero())
    return fail(errc::invalid_option,
                "postgres source: patience is not above 0",
                "Set it to some seconds.");
  if (look_interval <= std::chrono::milliseconds::zero())
    return fail(errc::invalid_option,
                "postgres source: look_interval is not above 0",
                "Set it to some seconds.");
  if (queue_bytes == 0)
    return fail(errc::invalid_option, "postgres source: queue_bytes is 0",
                "Set it to the size of some rows or more.");
  return {};
}

} // namespace sluice
