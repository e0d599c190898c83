#include "tests/simulation/world/world.hpp"

#include <algorithm>

#include <caf/atom.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

#include "actors/broker.hpp"
#include "actors/collector.hpp"
#include "actors/collector_shard.hpp"
#include "actors/disk.hpp"
#include "actors/dispatcher_shard.hpp"
#include "actors/event_store.hpp"
#include "actors/schema_store.hpp"
#include "actors/sinks/connector_sink.hpp"
#include "actors/source.hpp"
#include "store/memory_log.hpp"

namespace sluice::simulation {

using namespace std::chrono_literals;

namespace {

constexpr auto tick_interval = 50ms;
constexpr auto patience = 120'000ms; // virtual, to converge without faults

template <class T, class... Ts>
concept one_of = (std::is_same_v<T, Ts> || ...);

template <class Data, class Handle>
const auto* core_of(const Handle& of) {
  using pointer = typename Handle::template stateful_pointer<Data>;
  auto* actor = dynamic_cast<pointer>(
    caf::actor_cast<caf::abstract_actor*>(of));
  return actor == nullptr ? nullptr : &actor->state.core;
}

template <class Handle>
void add(std::vector<caf::strong_actor_ptr>& to, Handle& x) {
  if (x)
    to.push_back(caf::actor_cast<caf::strong_actor_ptr>(x));
  x = Handle{};
}

} // namespace

// -- what crosses the link ----------------------------------------------------

struct to_broker {
  world* of;

  template <class Message>
  requires one_of<Message, register_dispatchers, remove_dispatchers>
  void operator()(const Message& x) const {
    of->up_.put(
      [w = of, x] { caf::send_as(w->far_collector_, w->actors_.broker, x); },
      false);
  }
};

struct to_shard {
  world* of;

  template <class Message>
  requires one_of<Message, reset_streams, remove_dispatchers, heartbeat, credit,
                  digest_request>
  void operator()(const Message& x) const {
    of->up_.put(
      [w = of, x] {
        caf::send_as(w->far_collector_, w->actors_.partitions[0].shard, x);
      },
      false);
  }
};

struct to_collector {
  world* of;

  template <class Message>
  requires one_of<Message, ready, refused, unknown_registration, handshake,
                  delivery, schema_change, watermark, digest, syncpoint>
  void operator()(const Message& x) const {
    of->down_.put(
      [w = of, x] {
        caf::send_as(w->far_shard_, w->actors_.collector_shard, x);
      },
      false);
  }
};

// -- a world ------------------------------------------------------------------

world::configuration::configuration() {
  set("scheduler.policy", caf::atom("testing"));
  sluice::add_message_types(*this);
}

world::world(const schedule_options& how, observer watch)
  : how_{how}, watch_{std::move(watch)}, luck_{how.seed ^ 0xABCDEF},
    truth_{how.tables}, jobs_{dynamic_cast<caf::scheduler::test_coordinator&>(
                          system_.scheduler())},
    order_{how.order, how.seed, how.steps}, engine_{make_memory_log()},
    schemas_{std::make_shared<table_history>(table_history::in_memory())} {
  records_[0] = {{1}, "by table", {{"*"}, {}, feed_order::table}};
  records_[1] = {{2}, "in order", {{"*"}, {}, feed_order::transaction}};
  records_[2] = {{3}, "keeps all", {}};
  for (std::size_t i = 0; i < feeds; ++i)
    targets_[i] = std::make_shared<target>(records_[i].name, truth_, checks_);
  start_link();
  start_serving();
  start_collecting();
}

world::~world() {
  crash_process();
  auto doomed = std::vector<caf::strong_actor_ptr>{};
  add(doomed, far_broker_);
  add(doomed, far_shard_);
  add(doomed, far_collector_);
  kill(std::move(doomed));
}

// -- parts that come and go ---------------------------------------------------

void world::start_link() {
  far_broker_ = system_.spawn(stand_in<broker_actor>::make<to_broker>,
                              to_broker{this});
  far_shard_ = system_.spawn(stand_in<dispatcher_shard_actor>::make<to_shard>,
                             to_shard{this});
  far_collector_ = system_.spawn(
    stand_in<collector_shard_actor>::make<to_collector>, to_collector{this});
}

void world::start_serving() {
  actors_.schemas = system_.spawn(schema_store, schemas_, std::size_t{1});
  auto part = partition_actors{};
  part.id = {1};
  part.disk = system_.spawn(disk, disk_options{part.id, ""}, engine_->disk());
  auto store = event_store_options{};
  store.store = {++stores_};
  store.window_bytes = how_.window;
  part.store = system_.spawn(event_store, store, engine_, part.disk);
  auto shard = dispatcher_shard_options{};
  shard.window_bytes = how_.window;
  part.shard = system_.spawn(dispatcher_shard, shard, part.store,
                             actors_.schemas, tick_interval);
  serving_ = core_of<dispatcher_shard_data>(part.shard);
  serving_id_ = part.shard->id();
  actors_.partitions.push_back(part);
  actors_.broker = system_.spawn(broker);
  caf::anon_send(actors_.broker, serve_partition{part.id}, part.shard);
  auto known = feeds_loaded{};
  known.feeds.assign(records_.begin(), records_.end());
  caf::anon_send(part.store, std::move(known));
  auto parts = source_parts{};
  parts.connector = std::make_shared<upstream>(truth_, luck_.next(),
                                               how_.read_rows_max);
  parts.journal = journal_;
  parts.stores = {part.store};
  parts.schemas = actors_.schemas;
  auto reads = source_options{};
  reads.writer = {++writers_};
  actors_.source = system_.spawn(source, reads, std::move(parts));
  caf::anon_send(actors_.source, start_source{});
}

void world::start_collecting() {
  auto options = collector_shard_options{};
  options.origin = ++nodes_;
  options.credit_bytes = how_.credit;
  actors_.collector_shard = system_.spawn(collector_shard, options, far_broker_,
                                          tick_interval);
  collecting_ = core_of<collector_shard_data>(actors_.collector_shard);
  actors_.collector = system_.spawn(collector);
  caf::anon_send(actors_.collector, serve_feeds{}, actors_.collector_shard);
  caf::anon_send(actors_.collector, watch_tables{}, actors_.schemas);
  for (std::size_t i = 0; i < feeds; ++i) {
    auto sink = system_.spawn(
      connector_sink, connector_sink_options{},
      std::static_pointer_cast<sink_connector>(targets_[i]));
    caf::anon_send(actors_.collector, subscribe_feed{records_[i]}, sink);
    actors_.sinks[records_[i].id] = std::move(sink);
  }
}

void world::crash_collecting() {
  auto doomed = std::vector<caf::strong_actor_ptr>{};
  add(doomed, actors_.collector);
  add(doomed, actors_.collector_shard);
  for (auto& [feed, sink] : actors_.sinks)
    add(doomed, sink);
  actors_.sinks.clear();
  kill(std::move(doomed));
  up_.clear();
  down_.clear();
  checkpoints_.clear();
  before_restore_.clear();
}

void world::crash_process() {
  crash_collecting();
  auto doomed = std::vector<caf::strong_actor_ptr>{};
  add(doomed, actors_.source);
  for (auto& part : actors_.partitions) {
    add(doomed, part.store);
    add(doomed, part.disk);
    add(doomed, part.shard);
  }
  actors_.partitions.clear();
  add(doomed, actors_.schemas);
  add(doomed, actors_.broker);
  kill(std::move(doomed));
  up_.clear();
  down_.clear();
}

// They end in the middle of what they were about: nothing in their mailboxes
// is looked at any more.
void world::kill(std::vector<caf::strong_actor_ptr> doomed) {
  auto ids = std::set<caf::actor_id>{};
  for (const auto& x : doomed) {
    ids.insert(x->id());
    caf::anon_send_exit(caf::actor_cast<caf::actor>(x), caf::exit_reason::kill);
  }
  doomed.clear();
  auto& jobs = jobs_.jobs;
  for (;;) {
    auto next = std::find_if(jobs.begin(), jobs.end(), [&](auto* x) {
      return ids.contains(dynamic_cast<caf::abstract_actor&>(*x).id());
    });
    if (next == jobs.end())
      return;
    std::rotate(jobs.begin(), next, next + 1);
    jobs_.run_once();
  }
}

// -- time and choice ----------------------------------------------------------

bool world::step_actor() {
  auto& jobs = jobs_.jobs;
  if (jobs.empty())
    return false;
  auto at = order_.choose(jobs);
  std::rotate(jobs.begin(), jobs.begin() + static_cast<std::ptrdiff_t>(at),
              jobs.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  auto& actor = dynamic_cast<caf::scheduled_actor&>(*jobs.front());
  auto* message = actor.peek_at_next_mailbox_element();
  auto token = message == nullptr ? 0 : message->content().type_token();
  result_.trace = (result_.trace ^ actor.id() ^ (std::uint64_t{token} << 20))
                  * 0x100000001B3ULL;
  if (watch_ && message != nullptr)
    note(fmt::format("{} {}", actor.name(), to_string(message->content())));
  auto serves = actor.id() == serving_id_;
  jobs_.run_once();
  ++result_.steps;
  if (serves) // Only its own steps change what it holds.
    check();
  return true;
}

bool world::step_link(const fault_options& faults) {
  if (up_.empty() && down_.empty())
    return false;
  auto up = down_.empty() || (!up_.empty() && luck_.percent(50));
  (up ? up_ : down_).step(faults, luck_, link_);
  return true;
}

void world::advance(std::chrono::milliseconds by) {
  jobs_.advance_time(by);
  note(fmt::format("time passes: {} ms", by.count()));
}

outcome world::run() {
  while (result_.steps < how_.steps && !checks_.broken())
    act();
  if (!checks_.broken())
    settle();
  result_.broken = checks_.broken();
  result_.rows = truth_.all().size();
  result_.evaluations = checks_.evaluations();
  result_.faults["lost"] = link_.lost;
  result_.faults["repeated"] = link_.repeated;
  result_.faults["overtaken"] = link_.overtaken;
  return std::move(result_);
}

void world::act() {
  auto roll = luck_.roll(100);
  if (roll < 65 && step_actor())
    return;
  if (roll < 85 && step_link(how_.faults))
    return;
  if (roll < 92) {
    truth_.commit(luck_);
    note("a transaction is committed");
  } else if (roll < 97) {
    advance(std::chrono::milliseconds{1 + luck_.roll(60)});
  } else {
    misbehave();
  }
}

void world::misbehave() {
  const auto& f = how_.faults;
  auto happens = [&](const char* what, std::uint64_t percent) {
    // Of these occasions there are few in a schedule.
    if (percent == 0
        || !luck_.percent(std::min<std::uint64_t>(percent * 8, 90)))
      return false;
    ++result_.faults[what];
    note(what);
    return true;
  };
  auto& target = *targets_[luck_.roll(feeds)];
  if (luck_.percent(30))
    target.back_up();
  if (happens("sink fails", f.sink_fails))
    target.fail(1 + luck_.roll(4));
  if (happens("sink is restored", f.sink_restored))
    target.restore();
  if (happens("clock jumps", f.clock_jumps))
    advance(std::chrono::milliseconds{1'000 + luck_.roll(60'000)});
  if (happens("collector crashes", f.collector_crashes)) {
    crash_collecting();
    start_collecting();
  } else if (happens("process crashes", f.process_crashes)) {
    crash_process();
    start_serving();
    start_collecting();
  }
}

// Without faults everybody must get everything, and soon.
void world::settle() {
  note("no more faults");
  truth_.settle();
  for (auto& x : targets_)
    x->heal();
  auto none = fault_options{};
  for (auto left = patience; left > 0ms && !checks_.broken(); left -= 50ms) {
    for (auto busy = true; busy && !checks_.broken();) {
      busy = step_actor();
      busy = step_link(none) || busy;
    }
    if (converged())
      break;
    advance(50ms);
  }
  checks_.check(rule::l1, checks_.broken() || converged(),
                [&] { return why_not(); });
}

// All rows are there, and everybody on the way back knows.
bool world::converged() const {
  for (std::size_t i = 0; i < feeds; ++i)
    for (std::uint64_t t = 1; t <= truth_.tables(); ++t) {
      if (targets_[i]->rows(t) != truth_.of(t).size())
        return false;
      const auto* stream = stream_of(i, t);
      if (stream == nullptr || serving_->find(stream->who().id) == nullptr
          || serving_->checkpoint_of(stream->who().id) < truth_.settled())
        return false;
    }
  return true;
}

const stream_state* world::stream_of(std::size_t feed,
                                     std::uint64_t table) const {
  auto whole = records_[feed].rules.order == feed_order::transaction;
  return collecting_->find(records_[feed].id,
                           whole ? all_tables : table_id{table});
}

// -- looking ------------------------------------------------------------------

void world::check() {
  for (std::size_t i = 0; i < feeds; ++i) {
    auto whole = records_[i].rules.order == feed_order::transaction;
    for (std::uint64_t t = 1; t <= (whole ? 1 : truth_.tables()); ++t) {
      const auto* stream = stream_of(i, t);
      if (stream == nullptr || serving_->find(stream->who().id) == nullptr)
        continue;
      auto id = stream->who().id;
      auto checkpoint = serving_->checkpoint_of(id);
      if (targets_[i]->restored())
        before_restore_.insert(id); // It believes what the target has lost.
      auto& before = checkpoints_[id];
      checks_.check(rule::i1, checkpoint >= before, [&] {
        return fmt::format("{}: checkpoint went from {} to {}",
                           records_[i].name, before.value, checkpoint.value);
      });
      if (checkpoint == before)
        continue;
      before = checkpoint;
      if (before_restore_.contains(id))
        continue;
      for (auto k = whole ? std::uint64_t{1} : t;
           k <= (whole ? truth_.tables() : t); ++k)
        checks_.check(
          rule::i12, targets_[i]->rows(k) >= truth_.up_to(k, checkpoint), [&] {
            return fmt::format("{}: table {}: checkpoint {} is ahead of the "
                               "target's {} rows",
                               records_[i].name, k, checkpoint.value,
                               targets_[i]->rows(k));
          });
    }
  }
  check_resets();
}

void world::check_resets() {
  const auto& all =
    core_of<dispatcher_shard_data>(actors_.partitions[0].shard)->resets();
  if (all.empty())
    return;
  const auto& x = all.back();
  auto key = (x.registration.counter << 20U) ^ x.new_epoch.value;
  if (key == resets_seen_)
    return;
  resets_seen_ = key;
  ++result_.probes["resets"];
  auto bound = std::max(x.requested, x.checkpoint_before);
  checks_.check(rule::i4,
                x.lower_bound >= bound && x.checkpoint_after == x.lower_bound,
                [&] { return to_string(x); });
  checks_.check(rule::i11, x.new_epoch > x.old_epoch,
                [&] { return to_string(x); });
  if (x.requested < x.checkpoint_before)
    ++result_.probes["resets below the checkpoint"];
}

std::string world::why_not() const {
  auto result = std::string{"after the faults: "};
  for (std::size_t i = 0; i < feeds; ++i) {
    for (std::uint64_t t = 1; t <= truth_.tables(); ++t)
      result += fmt::format("{}, table {}: {} of {} rows; ", records_[i].name,
                            t, targets_[i]->rows(t), truth_.of(t).size());
    result += to_string(collecting_->status(records_[i].id).failure) + "; ";
  }
  return result;
}

void world::note(const std::string& what) {
  if (watch_)
    watch_(fmt::format("{:>6} {}", result_.steps, what));
}

} // namespace sluice::simulation
