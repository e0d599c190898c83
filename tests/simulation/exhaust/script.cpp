#include "tests/simulation/exhaust/script.hpp"

namespace sluice::exploration {

namespace {

std::string text(std::uint64_t x) {
  return std::to_string(x);
}

registration_id id_of(std::uint64_t n) {
  return {1, n};
}

event said(std::function<message(const world&)> what, std::string words) {
  return {"to SHARD: " + std::move(words), only(role::shard),
          [=](world& w) { w.tell_shard(what(w)); }};
}

} // namespace

// -- what happens by itself ---------------------------------------------------

event append() {
  return {"source appends", only(role::store), [](world& w) { w.append(); }};
}

event release() {
  return {"store lets go", only(role::store), [](world& w) { w.release(); }};
}

event declare(std::uint64_t table) {
  return {"source declares DDL", only(role::schemas),
          [=](world& w) { w.declare({table}); }};
}

event resolve_schemas(std::uint64_t ts) {
  return {"source resolves schemas " + text(ts), only(role::schemas),
          [=](world& w) { w.resolve_schemas(ts); }};
}

event tick_shard(std::chrono::milliseconds by) {
  return {"tick of SHARD", only(role::shard),
          [=](world& w) { w.tick_shard(by); }};
}

event tick_collector(std::chrono::milliseconds by) {
  return {"tick of COLLECTOR", only(role::collector),
          [=](world& w) { w.tick_collector(by); }};
}

event add_table(std::uint64_t table) {
  return {"COLLECTOR hears of table " + text(table), only(role::collector),
          [=](world& w) { w.add_table(table); }};
}

event commit() {
  return {"sink commits", only(role::sink), [](world& w) { w.commit(); }};
}

event fail_sink() {
  return {"sink fails", only(role::sink), [](world& w) { w.fail_sink(); }};
}

event restore_sink() {
  return {"sink is an empty copy", only(role::sink),
          [](world& w) { w.restore_sink(); }};
}

event lose_any(lane from) {
  auto result = event{"link loses one", 0, [=](world& w) { w.lose(from); }};
  result.takes = from;
  return result;
}

// -- what a scripted collector says -------------------------------------------

event reconnect() {
  return {"COLLECTOR opens the next channel", only(role::shard),
          [](world& w) { w.reconnect(); }};
}

event enter(std::uint64_t n, std::uint64_t table, std::uint64_t start) {
  return said(
    [=](const world& w) -> message {
      // A table has one dispatcher, however often it registers.
      return register_dispatchers{
        w.channel,
        {1},
        {{id_of(n), {1, table}, world::feed, {table}, {start}}},
        {}};
    },
    "REGISTER " + text(n) + " from " + text(start));
}

event leave(std::uint64_t n) {
  return said(
    [=](const world& w) -> message {
      return remove_dispatchers{w.channel, {1}, {id_of(n)}};
    },
    "REMOVE " + text(n));
}

event reset(std::uint64_t n, std::uint64_t next, std::uint64_t ts) {
  auto result = said(
    [=](const world& w) -> message {
      return reset_streams{
        w.channel, {{id_of(n), w.seen().slot_of(id_of(n)), {next}, {ts}}}};
    },
    "RESET " + text(n) + " epoch " + text(next) + " ts " + text(ts));
  result.when = [=](const world& w) {
    return w.seen().slot_of(id_of(n)) || w.seen().ended(id_of(n));
  };
  return result;
}

event beat(std::uint64_t n, std::uint64_t of, std::uint64_t checkpoint) {
  return said(
    [=](const world& w) -> message {
      auto at = w.seen().slot_of(id_of(n));
      return heartbeat{w.channel,
                       {},
                       w.acknowledged,
                       {{world::feed, {}, {{at, {of}, {checkpoint}}}}},
                       {}};
    },
    "heartbeat, " + text(n) + " epoch " + text(of) + " " + text(checkpoint));
}

event beat_all(std::uint64_t checkpoint) {
  return said(
    [=](const world& w) -> message {
      return heartbeat{
        w.channel, {}, w.acknowledged, {{world::feed, {checkpoint}, {}}}, {}};
    },
    "heartbeat, all " + text(checkpoint));
}

event grant(std::uint64_t total) {
  return said(
    [=](const world& w) -> message {
      return credit{w.channel, {}, {{world::feed, total, total}}};
    },
    "credit " + text(total));
}

// -- how a story begins -------------------------------------------------------

void join(world& w, std::uint64_t n, std::uint64_t table, std::uint64_t start) {
  grant(1U << 30U).act(w);
  enter(n, table, start).act(w);
  reset(n, 1, start).act(w);
  w.drain();
}

} // namespace sluice::exploration
