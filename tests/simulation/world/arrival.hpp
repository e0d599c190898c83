#pragma once

#include <cstdint>
#include <typeinfo>

#include <caf/type_erased_tuple.hpp>

namespace sluice::simulation {

/// A message that an actor is about to handle.
struct arrival {
  const caf::type_erased_tuple& content;
  std::uint64_t kind = 0;

  /// By its first value's type; the same in every build.
  static std::uint64_t kind_of(const caf::type_erased_tuple& x) {
    if (x.empty())
      return 1;
    auto [number, type] = x.type(0);
    return type == nullptr ? number : type->hash_code();
  }
  /// Null: it is something else.
  template <class Message>
  [[nodiscard]] const Message* as() const {
    static const auto wanted = std::uint64_t{typeid(Message).hash_code()};
    if (kind != wanted || content.size() != 1)
      return nullptr;
    return static_cast<const Message*>(content.get(0));
  }
};

} // namespace sluice::simulation
