#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <caf/error.hpp>
#include <caf/meta/load_callback.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/sec.hpp>
#include <caf/type_id.hpp>

#include "messages/errc.hpp"
#include "messages/row.hpp"
#include "messages/schema.hpp"

/// What differs between CAF 0.17 and 1.x. A message names its fields once, in
/// `fields()`; this file has the only inspect.
namespace sluice {

template <class T>
concept message_struct = requires(T& x) {
  x.fields();
};

template <class Inspector, message_struct T>
typename Inspector::result_type inspect(Inspector& f, T& x) {
  // CAF reads enums raw: a code of a newer node prints as one of ours.
  return std::apply([&f](auto&... fields) { return f(fields...); }, x.fields());
}

/// A block travels as its bytes and end marks, and is checked on arrival.
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, block_ptr& x) {
  auto present = x != nullptr;
  auto bytes = std::string{};
  auto ends = std::vector<std::uint32_t>{};
  if constexpr (Inspector::reads_state) {
    if (present) {
      bytes = std::string{x->bytes()};
      ends = x->ends();
    }
  }
  auto check = [&]() -> caf::error {
    x = nullptr;
    if (!present)
      return caf::none;
    auto block = row_block::parse(std::move(bytes), std::move(ends));
    if (!block)
      return caf::sec::invalid_argument;
    x = std::move(*block);
    return caf::none;
  };
  return f(present, bytes, ends, caf::meta::load_callback(check));
}

/// A schema travels by value.
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, schema_ptr& x) {
  auto present = x != nullptr;
  auto schema = x ? *x : table_schema{};
  auto check = [&]() -> caf::error {
    x = present ? std::make_shared<const table_schema>(std::move(schema))
                : nullptr;
    return caf::none;
  };
  return f(present, schema, caf::meta::load_callback(check));
}

} // namespace sluice
