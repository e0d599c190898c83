#include "tests/simulation/world/world.hpp"

#include <algorithm>

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/send.hpp>

#include "actors/broker.hpp"
#include "actors/collector.hpp"
#include "actors/collector_shard.hpp"
#include "actors/disk.hpp"
#include "actors/dispatcher_shard.hpp"
#include "actors/event_store.hpp"
#include "actors/rewriter.hpp"
#include "actors/schema_store.hpp"
#include "actors/sinks/connector_sink.hpp"
#include "actors/source.hpp"
#include "store/memory_log.hpp"
#include "tests/simulation/world/upstream.hpp"

/// The parts of the simulated service: how they start and how they end.
namespace sluice::simulation {

using namespace std::chrono_literals;

namespace {

constexpr auto tick_interval = 200ms;

template <class T, class... Ts>
concept one_of = (std::is_same_v<T, Ts> || ...);

template <class Data, class Handle>
const auto* core_of(const Handle& of) {
  using pointer = typename Handle::template stateful_pointer<Data>;
  auto* actor = dynamic_cast<pointer>(
    caf::actor_cast<caf::abstract_actor*>(of));
  return actor == nullptr ? nullptr : &actor->state.core;
}

struct configuration : caf::actor_system_config {
  configuration() {
    set("scheduler.policy", caf::atom("testing"));
    sluice::add_message_types(*this);
  }
};

// One for all worlds: it takes a twentieth of a schedule to make.
caf::actor_system_config& config() {
  static auto result = configuration{};
  return result;
}

caf::scheduler::test_coordinator& jobs_of(caf::actor_system& system) {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
}

template <class Handle>
void add(std::vector<caf::strong_actor_ptr>& to, Handle& x) {
  if (x)
    to.push_back(caf::actor_cast<caf::strong_actor_ptr>(x));
  x = Handle{};
}

} // namespace

// -- what crosses the link ----------------------------------------------------

struct world::at_broker {
  world* w;

  template <class Message>
  requires one_of<Message, register_dispatchers, remove_dispatchers>
  void operator()(const Message& x) const {
    if (w->killing_)
      return;
    auto& p = w->partitions_.at(x.partition.value - 1);
    p.ear->on_up(x);
    p.up.put([w = w, p = &p, x] {
      caf::send_as(p->far_collector, w->actors_.broker, x);
    });
  }
};

struct world::at_shard {
  world* w;
  partition* p;

  template <class Message>
  requires one_of<Message, reset_streams, remove_dispatchers, heartbeat, credit,
                  digest_request>
  void operator()(const Message& x) const {
    if (w->killing_)
      return;
    p->ear->on_up(x);
    pass_on(w->changed(*p, x));
  }
  template <class Message>
  void pass_on(const Message& x) const {
    p->up.put(
      [p = p, x] { caf::send_as(p->far_collector, p->actors.shard, x); });
  }
};

struct world::at_collector {
  world* w;
  partition* p;

  template <class Message>
  requires one_of<Message, ready, refused, unknown_registration, handshake,
                  delivery, schema_change, watermark, digest, syncpoint>
  void operator()(const Message& x) const {
    if (w->killing_)
      return;
    p->ear->on_down(x);
    p->down.put([w = w, p = p, x] {
      caf::send_as(p->far_shard, w->actors_.collector_shard, x);
    });
  }
};

struct world::at_schemas {
  world* w;
  partition* p;

  template <class Message>
  requires one_of<Message, watch_schemas, schema_query>
  void operator()(const Message& x) const {
    // To watch is asked for once, by a shard that starts.
    constexpr auto kept = std::is_same_v<Message, watch_schemas>;
    auto asks = p->actors.shard;
    w->asks_.put(
      [w = w, asks, x] { caf::send_as(asks, w->actors_.schemas, x); }, kept);
  }
};

// -- a world ------------------------------------------------------------------

world::world(const schedule_options& how, choices choose, observer watch)
  : how_{how}, choose_{std::move(choose)}, watch_{std::move(watch)},
    truth_{how}, checks_{how.violation}, system_{config()},
    jobs_{jobs_of(system_)}, order_{how.order, how.seed, how.steps},
    schemas_{std::make_shared<table_history>(table_history::in_memory())},
    partitions_(how.partitions) {
  auto each = feed_rules{{"*"}, {}, feed_order::table};
  auto second = how.partitions == 1
                  ? feed_rules{{"*"}, {}, feed_order::transaction}
                  : feed_rules{{"t1", "t3"}, {}, feed_order::table};
  records_ = {
    {{1}, "by table", each}, {{2}, "second", second}, {{3}, "goes", each}};
  for (std::size_t i = 0; i < 2; ++i)
    if ((how.confirm_sinks >> i & 1U) != 0)
      records_[i].rules.confirm = confirm_level::sinks;
  for (const auto& feed : records_)
    targets_.push_back(std::make_unique<target>(feed, truth_, checks_));
  if (how.keeps_all)
    records_.push_back({{4}, "keeps all", each});
  subscribed_ = {0, 1};
  if (choose_.roll(2) == 1)
    subscribed_.insert(goes);
  far_broker_ = system_.spawn(stand_in<broker_actor>::make<at_broker>,
                              at_broker{this});
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    auto& p = partitions_[i];
    p.make({i + 1}, how_, choose_);
    p.far_schemas = system_.spawn(
      stand_in<schema_store_actor>::make<at_schemas>, at_schemas{this, &p});
    start_link(p);
  }
  start_serving();
  start_collecting();
}

world::~world() {
  end_collecting(false);
  end_serving(false);
  auto doomed = std::vector<caf::strong_actor_ptr>{};
  add(doomed, far_broker_);
  for (auto& p : partitions_) {
    add(doomed, p.far_shard);
    add(doomed, p.far_collector);
    add(doomed, p.far_schemas);
  }
  kill(std::move(doomed));
}

// -- the link -----------------------------------------------------------------

void world::start_link(partition& p) {
  p.far_shard = system_.spawn(stand_in<dispatcher_shard_actor>::make<at_shard>,
                              at_shard{this, &p});
  p.far_collector = system_.spawn(
    stand_in<collector_shard_actor>::make<at_collector>,
    at_collector{this, &p});
}

// What was under way is lost, and each side hears of the other's end.
void world::cut_link(partition& p) {
  auto doomed = std::vector<caf::strong_actor_ptr>{};
  add(doomed, p.far_shard);
  add(doomed, p.far_collector);
  kill(std::move(doomed));
  p.up.clear();
  p.down.clear();
  p.ear->on_cut();
  start_link(p);
}

// -- the serving side ---------------------------------------------------------

void world::start_store(partition& p) {
  // A start that fails is tried again, on a medium that was mended.
  if (!p.open()) {
    checks_.probe("log that did not open");
    p.heal();
    auto open = p.open();
    checks_.check(rule::l1, open, [] { return "the log does not open"; });
    if (!open)
      p.engine = make_memory_log(); // goes on until it is reported
  }
  p.actors.disk = system_.spawn(disk, disk_options{p.id, ""}, p.engine->disk());
  if (auto log = p.engine->rewriter(); log != nullptr)
    p.actors.rewriter = system_.spawn(rewriter, std::move(log));
  auto options = event_store_options{};
  options.partition = p.id;
  options.store = {++stores_};
  options.level = how_.synced ? durability::synced : durability::written;
  options.partitions = partitions_.size();
  options.place = p.id.value - 1;
  options.window_bytes = how_.store_window;
  options.release_interval = 200ms;
  options.rewrite_retry = 1s;
  p.actors.store = system_.spawn(event_store, options, p.engine, p.actors.disk,
                                 p.actors.rewriter);
  p.keeping = core_of<event_store_data>(p.actors.store);
  p.store_id = p.actors.store->id();
  p.disk_id = p.actors.disk->id();
  auto known = feeds_loaded{};
  known.feeds = records_;
  for (const auto& schema : schemas_->tables())
    known.tables.push_back({schema->table, schema->name, p.id, {}});
  for (const auto& [table, floor] : p.lost)
    known.lost.push_back({table, floor});
  caf::anon_send(p.actors.store, std::move(known));
}

void world::start_broker() {
  actors_.broker = system_.spawn(broker);
  for (auto& p : partitions_) {
    p.ear = std::make_unique<wire>(truth_, checks_);
    auto options = dispatcher_shard_options{};
    options.window_bytes = how_.window;
    options.scan_bytes_per_dispatcher = how_.scan;
    options.ready_repeat_min = 200ms;
    options.ready_repeat_max = 800ms;
    options.retry = 200ms;
    p.actors.shard = system_.spawn(dispatcher_shard, options, p.actors.store,
                                   p.far_schemas, tick_interval);
    p.serving = core_of<dispatcher_shard_data>(p.actors.shard);
    p.shard_id = p.actors.shard->id();
    p.last_reset = {};
    p.looking_up.clear();
    caf::anon_send(actors_.broker, serve_partition{p.id}, p.actors.shard);
  }
}

void world::start_source() {
  auto parts = source_parts{};
  parts.connector = std::make_shared<upstream>(
    truth_, choose_, how_.read_rows_max, source_fails_,
    [this](timestamp ts) { check_confirmed(ts); });
  parts.journal = journal_;
  parts.schemas = actors_.schemas;
  auto options = source_options{};
  options.writer = {++writers_};
  options.retry_min = 50ms;
  options.retry_max = 400ms;
  options.declared_max = 2; // The tables of a world take several messages.
  options.partitions.clear();
  for (const auto& p : partitions_) {
    options.partitions.push_back(p.id);
    parts.stores.push_back(p.actors.store);
  }
  actors_.source = system_.spawn(source, options, std::move(parts));
  caf::anon_send(actors_.source, sluice::start_source{});
}

void world::start_serving() {
  actors_.schemas = system_.spawn(schema_store, schemas_, partitions_.size());
  for (auto& p : partitions_)
    start_store(p);
  start_broker();
  // A collector that was there before must hear of each new table before its
  // rows flow, or a low watermark would speak for a table unheard of.
  source_waits_ = bool{actors_.collector};
  if (source_waits_)
    caf::anon_send(actors_.collector, watch_tables{}, actors_.schemas);
  else
    start_source();
}

void world::end_source() {
  auto doomed = std::vector<caf::strong_actor_ptr>{};
  add(doomed, actors_.source);
  kill(std::move(doomed));
}

void world::end_broker() {
  auto doomed = std::vector<caf::strong_actor_ptr>{};
  add(doomed, actors_.broker);
  for (auto& p : partitions_)
    add(doomed, p.actors.shard);
  kill(std::move(doomed));
  asks_.clear();
  for (auto& p : partitions_)
    cut_link(p);
  checkpoints_.clear();
}

void world::end_serving(bool power_lost) {
  end_source();
  end_broker();
  auto doomed = std::vector<caf::strong_actor_ptr>{};
  for (auto& p : partitions_) {
    add(doomed, p.actors.store);
    add(doomed, p.actors.disk);
    add(doomed, p.actors.rewriter);
  }
  add(doomed, actors_.schemas);
  kill(std::move(doomed));
  for (auto& p : partitions_)
    p.close(power_lost, choose_);
}

// -- the collecting side ------------------------------------------------------

void world::start_collecting() {
  auto options = collector_shard_options{};
  options.origin = ++nodes_;
  options.credit_bytes = how_.credit;
  options.answer_min = 200ms;
  options.answer_max = 800ms;
  options.sink_retry_min = 50ms;
  options.sink_retry_max = 400ms;
  actors_.collector_shard = system_.spawn(collector_shard, options, far_broker_,
                                          tick_interval);
  collecting_ = core_of<collector_shard_data>(actors_.collector_shard);
  actors_.collector = system_.spawn(collector);
  caf::anon_send(actors_.collector, serve_feeds{}, actors_.collector_shard);
  caf::anon_send(actors_.collector, watch_tables{}, actors_.schemas);
  for (auto feed : subscribed_)
    subscribe(feed);
}

void world::subscribe(std::size_t feed) {
  auto sink = system_.spawn(connector_sink, connector_sink_options{},
                            targets_[feed]->connect());
  caf::anon_send(actors_.collector, subscribe_feed{records_[feed]}, sink);
  actors_.sinks[records_[feed].id] = std::move(sink);
  subscribed_.insert(feed);
}

// Its sink goes on with what it has been given.
void world::unsubscribe(std::size_t feed) {
  auto id = records_[feed].id;
  caf::anon_send(actors_.collector, unsubscribe_feed{id});
  add(former_sinks_, actors_.sinks[id]);
  actors_.sinks.erase(id);
  subscribed_.erase(feed);
}

// Its feed stops, until somebody subscribes it anew.
void world::end_sink(std::size_t feed) {
  auto id = records_[feed].id;
  auto doomed = std::vector<caf::strong_actor_ptr>{};
  add(doomed, actors_.sinks[id]);
  kill(std::move(doomed));
  caf::anon_send(actors_.collector, unsubscribe_feed{id});
}

void world::end_collecting(bool sinks_stay) {
  auto doomed = std::exchange(former_sinks_, {});
  add(doomed, actors_.collector);
  add(doomed, actors_.collector_shard);
  for (auto& [feed, sink] : actors_.sinks)
    add(sinks_stay ? former_sinks_ : doomed, sink);
  actors_.sinks.clear();
  collecting_ = nullptr;
  kill(std::move(doomed));
  for (auto& p : partitions_)
    cut_link(p);
  checkpoints_.clear();
}

// They end in the middle of what they were about. CAF lets one look at a
// message on its way out: nobody hears of it.
void world::kill(std::vector<caf::strong_actor_ptr> doomed) {
  killing_ = true;
  auto ids = std::set<caf::actor_id>{};
  for (const auto& x : doomed) {
    ids.insert(x->id());
    caf::anon_send_exit(caf::actor_cast<caf::actor>(x), caf::exit_reason::kill);
  }
  doomed.clear();
  auto& jobs = jobs_.jobs;
  for (;;) {
    auto next = std::find_if(jobs.begin(), jobs.end(), [&](auto* x) {
      return ids.contains(actor_of(x).id());
    });
    if (next == jobs.end())
      break;
    std::rotate(jobs.begin(), next, next + 1);
    jobs_.run_once();
  }
  killing_ = false;
}

} // namespace sluice::simulation
