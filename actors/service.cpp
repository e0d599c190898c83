#include "actors/service.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "actors/service_records.hpp"
#include "actors/service_wiring.hpp"
#include "actors/sources/journal.hpp"
#include "messages/type_ids.hpp"
#include "store/memory_log.hpp"
#include "store/segment_log.hpp"
#include "store/table_history.hpp"

namespace sluice {

namespace {

using namespace std::chrono_literals;

constexpr auto answer_timeout = 10s;
constexpr auto flush_poll = 2ms;

class config : public caf::actor_system_config {
public:
  explicit config(std::size_t threads) {
    sluice::add_message_types(*this);
    // Best latency and idle CPU: docs/decisions/0003-scheduler.md.
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", threads);
  }
};

} // namespace

status service_options::validate() const {
  if (partitions < 1 || partitions > 64)
    return fail(errc::invalid_option, "partitions must be 1 to 64");
  if (threads < 1 || threads > 256)
    return fail(errc::invalid_option, "threads must be 1 to 256");
  if (credit_bytes < 1'024)
    return fail(errc::invalid_option, "credit_bytes must be 1024 or more");
  if (segment_bytes < 64 << 10)
    return fail(errc::invalid_option, "segment_bytes must be 65536 or more");
  if (memory_budget < 4 * credit_bytes)
    return fail(errc::invalid_option,
                "memory_budget must be at least 4 times credit_bytes");
  return {};
}

struct service::impl {
  explicit impl(service_options x, service_records notes)
    : options{std::move(x)}, records{std::move(notes)}, cfg{options.threads},
      system{cfg} {
    // nop
  }

  ~impl() {
    if (!stopped)
      exit_all();
  }

  /// Asks an actor and waits. @error timed_out
  template <class Answer, class Handle, class Question>
  expected<Answer> ask(const Handle& whom, Question question,
                       std::chrono::milliseconds patience = answer_timeout) {
    auto self = caf::scoped_actor{system};
    auto result = expected<Answer>{fail(errc::timed_out, "no answer in time")};
    self->request(whom, patience, std::move(question))
      .receive([&](Answer& x) { result = std::move(x); },
               [](const caf::error&) { /* nop */ });
    return result;
  }
  expected<feed_record> feed_named(std::string_view name);
  expected<std::shared_ptr<log_engine>>
  open_log(partition_id id, const std::string& source_name) const;
  void start_partition(std::size_t place, incarnation store,
                       std::shared_ptr<log_engine> engine);
  expected<feed_record> not_delivered(std::string_view feed);
  void end_sink(feed_id feed);
  bool flushed(timestamp resolved, std::chrono::milliseconds patience);
  void exit_all();

  service_options options;
  service_records records;
  config cfg;
  caf::actor_system system;
  wiring parts{system, wiring::blocking::detached};
  std::map<feed_id, std::shared_ptr<position_keeper>> kept_positions;
  bool stopped = false;
};

expected<service> service::open(service_options options) {
  if (auto ok = options.validate(); !ok)
    return tl::unexpected(ok.error());
  auto records = service_records::open(options.directory);
  if (!records)
    return tl::unexpected(records.error());
  auto run = records->next_incarnation("node");
  if (!run)
    return tl::unexpected(run.error());
  auto x = std::make_unique<impl>(std::move(options), std::move(*records));
  auto shard = collector_shard_options{};
  shard.origin = run->value; // node 0; every start is another origin
  shard.credit_bytes = x->options.credit_bytes;
  shard.heartbeat_interval = x->options.heartbeat_interval;
  x->parts.start_node(shard);
  return service{std::move(x)};
}

service::service(std::unique_ptr<impl> x) : impl_{std::move(x)} {
  // nop
}

service::service(service&&) noexcept = default;
service& service::operator=(service&&) noexcept = default;

service::~service() = default;

// -- feeds --------------------------------------------------------------------

expected<feed_record> service::impl::feed_named(std::string_view name) {
  auto all = records.feeds();
  if (!all)
    return tl::unexpected(all.error());
  for (auto& x : *all)
    if (x.name == name)
      return std::move(x);
  return fail(errc::unknown_feed, "\"" + std::string{name} + "\"");
}

status service::create_feed(std::string_view name, const feed_rules& rules) {
  if (rules.order == feed_order::transaction && impl_->options.partitions > 1)
    return fail(errc::invalid_option,
                "feed \"" + std::string{name}
                  + "\": the order of transactions needs partitions = 1; set "
                    "that, or the feed's order to feed_order::table");
  auto feed = impl_->records.create_feed(name, rules);
  if (!feed)
    return tl::unexpected(feed.error());
  auto all = impl_->records.feeds();
  if (!all)
    return tl::unexpected(all.error());
  impl_->parts.tell_stores({std::move(*all), {}, {}, {}});
  return {};
}

status service::remove_feed(std::string_view name) {
  auto feed = impl_->feed_named(name);
  if (!feed)
    return tl::unexpected(feed.error());
  if (auto ok = impl_->records.remove_feed(name); !ok)
    return ok;
  impl_->end_sink(feed->id);
  impl_->parts.remove_feed(feed->id);
  impl_->kept_positions.erase(feed->id);
  return {};
}

expected<std::vector<feed_record>> service::feeds() {
  return impl_->records.feeds();
}

// -- source -------------------------------------------------------------------

expected<std::shared_ptr<log_engine>>
service::impl::open_log(partition_id id, const std::string& source_name) const {
  if (options.directory.empty())
    return make_memory_log();
  auto log = segment_log_options{};
  log.directory = options.directory + "/log/" + source_name + "/"
                  + std::to_string(id.value);
  log.segment_bytes = options.segment_bytes;
  log.tail_bytes_max = options.memory_budget / 4 / options.partitions;
  return segment_log::open(std::move(log));
}

void service::impl::start_partition(std::size_t place, incarnation store_number,
                                    std::shared_ptr<log_engine> engine) {
  auto store = event_store_options{};
  store.partition = {place + 1};
  store.store = store_number;
  store.level = options.durability == durability_level::synced
                  ? durability::synced
                  : durability::written;
  store.partitions = options.partitions;
  store.place = place;
  store.window_bytes = options.memory_budget / 8 / options.partitions;
  store.sync_interval = options.sync_interval;
  auto shard = dispatcher_shard_options{};
  shard.window_bytes = options.memory_budget / 8 / options.partitions;
  parts.start_partition(store, shard, std::move(engine), options.directory);
}

status service::add_source(std::string_view name,
                           std::unique_ptr<source_connector> connector) {
  auto& x = *impl_;
  if (x.parts.actors().source)
    return fail(errc::invalid_option,
                "a service has one source; open another service for \""
                  + std::string{name} + "\"");
  if (name.empty() || name.find('/') != std::string_view::npos)
    return fail(errc::invalid_option,
                "a source's name must not be empty or contain '/'");
  auto source_name = std::string{name};
  const auto& directory = x.options.directory;
  // What can fail comes first: then nothing was started, and the call may be
  // repeated.
  auto history = directory.empty()
                   ? expected<table_history>{table_history::in_memory()}
                   : table_history::open(directory, source_name);
  if (!history)
    return tl::unexpected(history.error());
  if (auto ok = x.records.keep_partitions(source_name, x.options.partitions);
      !ok)
    return ok;
  auto store = x.records.next_incarnation("store");
  auto writer = x.records.next_incarnation("source:" + source_name);
  if (!store || !writer)
    return tl::unexpected(!store ? store.error() : writer.error());
  auto logs = std::vector<std::shared_ptr<log_engine>>{};
  auto known = std::vector<feeds_loaded>{};
  for (std::size_t i = 0; i < x.options.partitions; ++i) {
    auto log = x.open_log({i + 1}, source_name);
    if (!log)
      return tl::unexpected(log.error());
    auto feeds = x.records.known_to({i + 1});
    if (!feeds)
      return tl::unexpected(feeds.error());
    logs.push_back(std::move(*log));
    known.push_back(std::move(*feeds));
  }

  x.parts.start_schemas(std::move(*history), x.options.partitions);
  for (std::size_t i = 0; i < logs.size(); ++i)
    x.start_partition(i, *store, std::move(logs[i]));
  for (std::size_t i = 0; i < known.size(); ++i)
    x.parts.tell_store(i, std::move(known[i]));
  auto settings = source_options{};
  settings.name = source_name;
  settings.writer = *writer;
  settings.window_bytes = x.options.memory_budget / 16;
  x.parts.start_source(std::move(settings), std::move(connector),
                       directory.empty()
                         ? make_memory_journal()
                         : make_durable_journal(directory, source_name));
  return {};
}

// -- subscriptions ------------------------------------------------------------

expected<feed_record> service::impl::not_delivered(std::string_view feed) {
  auto record = feed_named(feed);
  if (record && parts.actors().sinks.contains(record->id))
    return fail(errc::duplicate_name,
                "feed \"" + record->name + "\" is delivered already");
  return record;
}

status service::subscribe(std::string_view feed,
                          std::unique_ptr<sink_connector> sink) {
  auto record = impl_->not_delivered(feed);
  if (!record)
    return tl::unexpected(record.error());
  impl_->parts.start_sink(*record, connector_sink_options{}, std::move(sink));
  return {};
}

status service::subscribe(std::string_view feed, change_callback callback) {
  auto record = impl_->not_delivered(feed);
  if (!record)
    return tl::unexpected(record.error());
  auto& positions = impl_->kept_positions[record->id];
  if (!positions)
    positions = impl_->options.directory.empty()
                  ? keep_positions_in_memory()
                  : keep_positions_in(impl_->options.directory);
  impl_->parts.start_sink(*record, callback_sink_options{}, positions,
                          std::move(callback));
  return {};
}

status service::unsubscribe(std::string_view feed) {
  auto record = impl_->feed_named(feed);
  if (!record)
    return tl::unexpected(record.error());
  if (!impl_->parts.actors().sinks.contains(record->id))
    return fail(errc::unknown_feed,
                "\"" + record->name + "\" is not delivered");
  impl_->end_sink(record->id);
  return {};
}

/// Waits for the sink's end: the next one uses the same positions.
void service::impl::end_sink(feed_id feed) {
  auto sink = parts.stop_sink(feed);
  if (!sink)
    return;
  auto self = caf::scoped_actor{system};
  self->wait_for(sink);
}

// -- asking -------------------------------------------------------------------

expected<feed_status> service::status_of(std::string_view feed) {
  auto record = impl_->feed_named(feed);
  if (!record)
    return tl::unexpected(record.error());
  auto answer = impl_->ask<feed_status>(impl_->parts.actors().collector,
                                        feed_status_query{record->id});
  if (answer && answer->failure.code == errc::unknown_feed)
    return fail(errc::unknown_feed,
                "\"" + record->name + "\" is not delivered");
  return answer;
}

expected<source_status> service::source() {
  if (!impl_->parts.actors().source)
    return fail(errc::source_unavailable, "no source was added");
  return impl_->ask<source_status>(impl_->parts.actors().source,
                                   source_status_query{});
}

expected<std::vector<store_status>> service::log() {
  auto result = std::vector<store_status>{};
  for (const auto& partition : impl_->parts.actors().partitions) {
    auto one = impl_->ask<store_status>(partition.store, store_status_query{});
    if (!one)
      return tl::unexpected(one.error());
    result.push_back(std::move(*one));
  }
  return result;
}

expected<std::vector<reset_record>> service::resets() {
  auto result = std::vector<reset_record>{};
  for (const auto& partition : impl_->parts.actors().partitions) {
    auto one = impl_->ask<reset_log>(partition.shard, reset_log_query{});
    if (!one)
      return tl::unexpected(one.error());
    result.insert(result.end(), one->records.begin(), one->records.end());
  }
  return result;
}

const service_actors& service::actors() const {
  return impl_->parts.actors();
}

// -- stopping -----------------------------------------------------------------

bool service::impl::flushed(timestamp resolved,
                            std::chrono::milliseconds patience) {
  for (const auto& [feed, sink] : parts.actors().sinks) {
    auto x = ask<feed_status>(parts.actors().collector, feed_status_query{feed},
                              patience);
    if (!x)
      return false;
    if (x->failure && x->failure.code != errc::sink_unavailable)
      continue; // it will not get further
    if (x->failure)
      return false; // its sink may come back
    if (x->tables > 0 && (x->resolved < resolved || !x->unflushed.empty()))
      return false;
  }
  return true;
}

std::vector<unflushed_table> service::stop(std::chrono::milliseconds deadline) {
  auto& x = *impl_;
  auto result = std::vector<unflushed_table>{};
  if (x.stopped)
    return result;
  auto until = std::chrono::steady_clock::now() + deadline;
  auto left = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
  };
  if (x.parts.actors().source) {
    auto last = x.ask<source_status>(x.parts.actors().source, stop_source{},
                                     std::max(left(), 1ms));
    while (last && left() > 0ms && !x.flushed(last->resolved, left()))
      std::this_thread::sleep_for(flush_poll);
  }
  for (const auto& [feed, sink] : x.parts.actors().sinks) {
    auto last = x.ask<feed_status>(x.parts.actors().collector,
                                   feed_status_query{feed}, 1s);
    if (last)
      result.insert(result.end(), last->unflushed.begin(),
                    last->unflushed.end());
  }
  x.exit_all();
  return result;
}

void service::impl::exit_all() {
  stopped = true;
  parts.stop();
  system.await_all_actors_done();
}

} // namespace sluice
