#pragma once

#include "tests/simulation/exhaust/world.hpp"

/// Words for scripts.
namespace sluice::exploration {

// -- what happens by itself ---------------------------------------------------

[[nodiscard]] event append();
[[nodiscard]] event release();
[[nodiscard]] event declare(std::uint64_t table);
[[nodiscard]] event resolve_schemas(std::uint64_t ts);
[[nodiscard]] event tick_shard(std::chrono::milliseconds by);
[[nodiscard]] event tick_collector(std::chrono::milliseconds by);
[[nodiscard]] event add_table(std::uint64_t table);
[[nodiscard]] event commit();
[[nodiscard]] event fail_sink();
/// It fails, and has nothing when it is opened again.
[[nodiscard]] event restore_sink();
/// Whatever comes first.
[[nodiscard]] event lose_any(lane from);
/// A message of that kind, if one comes to the head of its lane.
template <class Message>
[[nodiscard]] event lose(lane from, std::string text) {
  auto result = event{std::move(text), 0, [=](world& w) { w.lose(from); }};
  result.when = [=](const world& w) {
    return w.waiting(from) && std::holds_alternative<Message>(w.head(from));
  };
  result.takes = from;
  return result;
}

// -- what a scripted collector says -------------------------------------------

/// In the place of the one before, whose registrations end.
[[nodiscard]] event reconnect();
/// The n-th registration, of a dispatcher and a table of those numbers.
[[nodiscard]] event enter(std::uint64_t n, std::uint64_t table,
                          std::uint64_t start);
[[nodiscard]] event leave(std::uint64_t n);
/// Once READY came, or never will.
[[nodiscard]] event reset(std::uint64_t n, std::uint64_t next,
                          std::uint64_t ts);
/// A heartbeat in which it is an exception.
[[nodiscard]] event beat(std::uint64_t n, std::uint64_t of,
                         std::uint64_t checkpoint);
/// A heartbeat that speaks for all; it acknowledges what came before the story.
[[nodiscard]] event beat_all(std::uint64_t checkpoint);
[[nodiscard]] event grant(std::uint64_t total);

// -- how a story begins -------------------------------------------------------

/// A registration that is in sync, with as much credit as it wants.
void join(world& w, std::uint64_t n, std::uint64_t table, std::uint64_t start);

} // namespace sluice::exploration
