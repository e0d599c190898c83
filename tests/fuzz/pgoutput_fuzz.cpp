#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "actors/sources/postgres/pg_binary.hpp"
#include "actors/sources/postgres/pg_types.hpp"
#include "actors/sources/postgres/pg_value.hpp"
#include "actors/sources/postgres/pgoutput.hpp"
#include "tests/support/pgoutput_bytes.hpp"

// Any bytes: they are malformed, or they are what their message encodes to.

using namespace sluice;
using namespace sluice::postgres;

namespace {

// All that are read in binary or not passed on as text, and one that is.
std::vector<oid> some_types() {
  auto result = std::vector<oid>{0};
  constexpr auto last_builtin = oid{10'000};
  for (oid type = 1; type < last_builtin; ++type)
    if (reads_binary(type))
      result.push_back(type);
  return result;
}

void read_values(const tuple& from) {
  static const auto types = some_types();
  static auto scratch = std::string{};
  static auto copy = std::string{};
  for (const auto& x : from)
    for (auto type : types)
      if (auto value = to_value(type, x, scratch))
        copy = value->bytes; // touches each of them
}

void read_values(const message& from) {
  if (const auto* x = std::get_if<insert_message>(&from))
    read_values(x->after);
  if (const auto* x = std::get_if<delete_message>(&from))
    read_values(x->before);
  if (const auto* x = std::get_if<update_message>(&from)) {
    read_values(x->before);
    read_values(x->after);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static auto into = message{}; // as a source has it: one for all messages
  auto payload = std::string_view{reinterpret_cast<const char*>(data), size};
  if (!decode(payload, into))
    return 0;
  read_values(into);
  // The one name that can be written in two ways.
  if (payload.find("pg_catalog") == std::string_view::npos
      && test::encoded(into) != payload)
    std::abort();
  return 0;
}
