#pragma once

#include <chrono>
#include <variant>
#include <vector>

#include <caf/scoped_actor.hpp>

/// Peers that the test plays itself. A scoped actor can pose as any of them,
/// because what it is sent just lies in its mailbox until the test looks; and
/// it keeps the order of messages of different types.
namespace sluice::puppets {

/// Everything of these types that came to `puppet`, in its order.
template <class... Ts>
std::vector<std::variant<Ts...>> take(caf::scoped_actor& puppet) {
  auto result = std::vector<std::variant<Ts...>>{};
  auto more = true;
  while (more)
    puppet->receive([&](const Ts& x) { result.emplace_back(x); }...,
                    caf::after(std::chrono::seconds{0}) >>
                      [&] { more = false; });
  return result;
}

} // namespace sluice::puppets
