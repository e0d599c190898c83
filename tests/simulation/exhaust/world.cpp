#include "tests/simulation/exhaust/world.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace sluice::exploration {

namespace {

// Of one schedule, its end included.
constexpr std::uint64_t deliveries_max = 5'000;

dispatcher_shard_options shard_options(const scenario& x) {
  auto result = dispatcher_shard_options{};
  result.window_bytes = x.window_bytes;
  return result;
}

collector_shard_options collector_options(const scenario& x) {
  auto result = collector_shard_options{};
  result.credit_bytes = x.credit_bytes;
  result.credit_bytes_min = 1;
  return result;
}

} // namespace

world::world(const scenario& script, tally& sum)
  : script_{&script},
    at_(script.chains.size()), store_{script.truth}, shard_{shard_options(
                                                       script)},
    collector_{collector_options(script)}, at_shard_{script.truth, sum},
    at_collector_{script.truth, script.credit_bytes, sum} {
  auto known = std::vector<ddl_event>{};
  for (const auto& [table, versions] : script.truth.tables()) {
    known.push_back(versions.front());
    declared_[table] = 1;
  }
  schemas_.on_loaded(known);
  from_schemas(schemas_.on_watch_schemas(0));
  from_store(store_.on_attach());
  drain();
  if (script.scripted)
    tell_shard(register_dispatchers{channel, {1}, {}});
  script.prepare(*this);
  drain();
  acknowledged = last_down_;
}

// -- as a model ---------------------------------------------------------------

bool world::enabled(std::size_t chain) const {
  if (chain < lanes.size())
    return !lanes_[chain].empty();
  const auto* x = next_event(chain);
  return x != nullptr && (!x->when || x->when(*this))
         && (!x->takes || waiting(*x->takes));
}

const event* world::next_event(std::size_t chain) const {
  auto i = chain - lanes.size();
  const auto& all = script_->chains[i];
  return at_[i] < all.size() ? &all[at_[i]] : nullptr;
}

// The roles that a step may change, and the lane that it takes from. It pushes
// to lanes of those roles only, behind what is there.
world::touch_set world::touches(std::size_t chain) const {
  auto lane_bit = [](std::size_t x) { return touch_set{1} << (8 + x); };
  if (chain < lanes.size())
    return only(lanes[chain].to) | lane_bit(chain);
  const auto& x = *next_event(chain);
  return x.takes ? x.touches | lane_bit(number(*x.takes)) : x.touches;
}

void world::step(std::size_t chain) {
  if (chain < lanes.size()) {
    deliver(static_cast<lane>(chain));
  } else {
    const auto& x = *next_event(chain);
    ++at_[chain - lanes.size()];
    x.act(*this);
  }
  for (std::size_t i = 0; i < chains(); ++i)
    if (enabled(i))
      return;
  finish();
}

std::string world::describe(std::size_t chain) const {
  if (chain >= lanes.size())
    return next_event(chain)->text;
  return std::string{lanes[chain].name} + ": "
         + exploration::describe(lanes_[chain].front());
}

std::vector<std::string> world::broken() const {
  auto result = at_shard_.checks().broken();
  for (auto& x : at_collector_.checks().broken())
    if (std::find(result.begin(), result.end(), x) == result.end())
      result.push_back(std::move(x));
  return result;
}

// -- lanes --------------------------------------------------------------------

bool world::deliver(lane from) {
  auto& queue = lanes_[number(from)];
  if (queue.empty())
    return false;
  if (++delivered_ > deliveries_max)
    throw std::runtime_error("a message causes itself without end: "
                             + exploration::describe(queue.front()));
  auto x = std::move(queue.front());
  queue.erase(queue.begin());
  auto to = lanes[number(from)].to;
  std::visit([&](auto& m) { handle(to, m); }, x);
  return true;
}

void world::drain() {
  for (std::size_t i = 0; i < lanes.size(); ++i)
    if (deliver(static_cast<lane>(i)))
      i = std::size_t(-1);
}

template <class Message>
void world::handle(role to, Message& x) {
  if (to == role::shard) {
    at_shard(x);
  } else if (to == role::collector) {
    at_collector(x);
  } else if (to == role::schemas) {
    if constexpr (std::is_same_v<Message, schema_query>)
      from_schemas(schemas_.on_query(0, x));
  } else if (to == role::store) {
    auto any = message{std::move(x)};
    at_store(any);
  } else {
    auto any = message{std::move(x)};
    at_sink(any);
  }
}

// -- SHARD --------------------------------------------------------------------

template <class Message>
void world::at_shard(Message& x) {
  at_shard_.before(x);
  [[maybe_unused]] auto& s = shard_;
  if constexpr (std::is_same_v<Message, progress>)
    after_shard(s.on_progress(x));
  else if constexpr (std::is_same_v<Message, scan_answer>)
    after_shard(s.on_scan_answer(x));
  else if constexpr (std::is_same_v<Message, ddl_notice>)
    after_shard(s.on_ddl(x));
  else if constexpr (std::is_same_v<Message, schema_resolved>)
    after_shard(s.on_schema_resolved(x));
  else if constexpr (std::is_same_v<Message, schema_answer>)
    after_shard(s.on_schema_answer(x));
  else if constexpr (std::is_same_v<Message, register_dispatchers>)
    after_shard(s.on_register(x, shard_now_));
  else if constexpr (std::is_same_v<Message, remove_dispatchers>)
    after_shard(s.on_remove(x));
  else if constexpr (std::is_same_v<Message, reset_streams>)
    after_shard(s.on_reset(x));
  else if constexpr (std::is_same_v<Message, heartbeat>)
    after_shard(s.on_heartbeat(x));
  else if constexpr (std::is_same_v<Message, credit>)
    after_shard(s.on_credit(x));
  else if constexpr (std::is_same_v<Message, digest_request>)
    after_shard(s.on_digest_request(x));
}

void world::after_shard(dispatcher_shard_state::effects out) {
  at_shard_.after(out, shard_);
  from_shard(std::move(out));
}

void world::from_shard(dispatcher_shard_state::effects out) {
  for (auto& effect : out) {
    auto where = lane::shard_to_collector;
    if (std::holds_alternative<schema_query>(effect))
      where = lane::shard_to_schemas;
    else if (std::holds_alternative<scan_request>(effect)
             || std::holds_alternative<progress_taken>(effect)
             || std::holds_alternative<floor_report>(effect))
      where = lane::shard_to_store;
    std::visit(
      [&](auto& x) {
        if constexpr (requires { x.mark; })
          last_down_ = x.mark.seq;
        if (where != lane::shard_to_collector || !script_->scripted)
          push(where, std::move(x));
      },
      effect);
  }
}

void world::tick_shard(std::chrono::milliseconds by) {
  shard_now_ += by;
  at_shard_.before_tick();
  after_shard(shard_.on_tick(shard_now_));
}

void world::tell_shard(message x) {
  std::visit(
    [&](auto& m) {
      if constexpr (requires { m.up_seq; })
        m.up_seq = last_up_ = last_up_.next();
      at_shard(m);
    },
    x);
}

void world::reconnect() {
  ++channel.counter;
  last_up_ = {};
  at_shard_.before_reconnect();
  tell_shard(register_dispatchers{channel, {1}, {}});
}

// -- COLLECTOR ----------------------------------------------------------------

template <class Message>
void world::at_collector(Message& x) {
  at_collector_.before(x, collector_);
  [[maybe_unused]] auto& c = collector_;
  [[maybe_unused]] auto now = collector_now_;
  if constexpr (std::is_same_v<Message, ready>) {
    shard_known_ = true;
    after_collector(c.on_ready(x, now));
  } else if constexpr (std::is_same_v<Message, refused>)
    after_collector(c.on_refused(x, now));
  else if constexpr (std::is_same_v<Message, unknown_registration>)
    after_collector(c.on_unknown(x, now));
  else if constexpr (std::is_same_v<Message, handshake>)
    after_collector(c.on_handshake(x, now));
  else if constexpr (std::is_same_v<Message, delivery>)
    after_collector(c.on_delivery(x, now));
  else if constexpr (std::is_same_v<Message, schema_change>)
    after_collector(c.on_schema_change(x, now));
  else if constexpr (std::is_same_v<Message, watermark>)
    after_collector(c.on_watermark(x, now));
  else if constexpr (std::is_same_v<Message, digest>)
    after_collector(c.on_digest(x, now));
  else if constexpr (std::is_same_v<Message, sink_opened>)
    after_collector(c.on_sink_opened(feed, x, now));
  else if constexpr (std::is_same_v<Message, rows_released>)
    after_collector(c.on_released(feed, x));
  else if constexpr (std::is_same_v<Message, rows_durable>)
    after_collector(c.on_durable(feed, x));
  else if constexpr (std::is_same_v<Message, sink_failed>)
    after_collector(c.on_sink_failed(feed, x, now));
}

void world::after_collector(collector_shard_state::effects out) {
  at_collector_.after(out, collector_);
  from_collector(std::move(out));
}

void world::from_collector(collector_shard_state::effects out) {
  for (auto& effect : out)
    std::visit(
      [&](auto& x) {
        using type = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<type, collector_shard_state::to_sink>)
          std::visit([&](auto& m) { push(lane::collector_to_sink, m); },
                     x.message);
        else if constexpr (std::is_same_v<type, register_dispatchers>)
          push(lane::broker_to_shard, std::move(x));
        else if constexpr (std::is_same_v<type, remove_dispatchers>)
          push(shard_known_ ? lane::collector_to_shard : lane::broker_to_shard,
               std::move(x));
        else
          push(lane::collector_to_shard, std::move(x));
      },
      effect);
}

void world::tick_collector(std::chrono::milliseconds by) {
  collector_now_ += by;
  after_collector(collector_.on_tick(collector_now_));
}

void world::subscribe() {
  after_collector(
    collector_.on_subscribe({{feed, "f", {{"t*"}, {}, feed_order::table}}}));
  drain();
}

void world::add_table(std::uint64_t table) {
  after_collector(collector_.on_tables({feed, {script_->truth.info({table})}},
                                       collector_now_));
}

void world::lose(lane from) {
  auto& queue = lanes_[number(from)];
  if (const auto* beat = std::get_if<heartbeat>(&queue.front()))
    for (const auto& part : beat->feeds)
      if (!part.exceptions.empty())
        at_collector_.checks().reach(probe::exception_lost);
  queue.erase(queue.begin());
}

} // namespace sluice::exploration
