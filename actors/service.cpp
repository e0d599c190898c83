#include "actors/service.hpp"

#include <random>
#include <typeindex>
#include <utility>

#include <caf/atom.hpp>

#include "actors/service_impl.hpp"
#include "actors/sources/journal.hpp"
#include "messages/type_ids.hpp"
#include "store/data_directory.hpp"
#include "store/memory_log.hpp"
#include "store/segment_log.hpp"
#include "store/table_history.hpp"

namespace sluice {

namespace {

bool knows_messages(const caf::actor_system& system) {
  auto open = std::type_index{typeid(open_sink)};
  return system.config().value_factories_by_rtti.count(open) > 0;
}

// What every start notes before anything runs.
struct first_notes {
  service_records records;
  std::string directory_id;
  incarnation run;

  static expected<first_notes> take(const std::string& directory) {
    auto records = service_records::open(directory);
    if (!records)
      return tl::unexpected(records.error());
    auto id = records->directory_id();
    if (!id)
      return tl::unexpected(id.error());
    auto run = records->next_incarnation("node");
    if (!run)
      return tl::unexpected(run.error());
    return first_notes{std::move(*records), std::move(*id), *run};
  }
};

} // namespace

own_system::config::config(std::size_t threads) {
  sluice::add_message_types(*this);
  // Best latency and idle CPU: docs/decisions/0003-scheduler.md.
  set("scheduler.policy", caf::atom("sharing"));
  set("scheduler.max-threads", threads);
}

status service_options::validate() const {
  if (partitions < 1 || partitions > 64)
    return fail(errc::invalid_option, "partitions must be 1 to 64");
  if (threads < 1 || threads > 256)
    return fail(errc::invalid_option, "threads must be 1 to 256");
  if (credit_bytes < 1'024)
    return fail(errc::invalid_option, "credit_bytes must be 1024 or more");
  if (segment_bytes < 64 << 10)
    return fail(errc::invalid_option, "segment_bytes must be 65536 or more");
  if (compression < 0 || compression > 19)
    return fail(errc::invalid_option, "compression must be 0 to 19");
  if (retention.age < std::chrono::seconds{0})
    return fail(errc::invalid_option, "retention.age must be 0 s or more");
  if (memory_budget < 4 * credit_bytes)
    return fail(errc::invalid_option,
                "memory_budget must be at least 4 times credit_bytes");
  return {};
}

expected<service> service::open(service_options options) {
  return start(std::move(options), nullptr);
}

expected<service> service::open(service_options options,
                                caf::actor_system& system) {
  if (!knows_messages(system))
    return fail(errc::invalid_option,
                "the actor system does not know sluice's messages",
                "Call sluice::add_message_types(config) before it is made.");
  return start(std::move(options), &system);
}

expected<service> service::start(service_options options,
                                 caf::actor_system* theirs) {
  if (auto ok = options.validate(); !ok)
    return tl::unexpected(ok.error());
  auto lock = std::unique_ptr<directory_lock>{};
  if (!options.directory.empty()) {
    auto taken = lock_data_directory(options.directory);
    if (!taken)
      return tl::unexpected(taken.error());
    lock = std::move(*taken);
  }
  auto first = first_notes::take(options.directory);
  if (!first && first.error().code == errc::disk_full
      && give_up_reserves(options.directory))
    first = first_notes::take(options.directory);
  if (!first)
    return tl::unexpected(first.error());
  auto x = std::make_unique<impl>(std::move(options), std::move(first->records),
                                  theirs);
  x->lock = std::move(lock);
  x->directory_id = std::move(first->directory_id);
  auto shard = collector_shard_options{};
  shard.origin = first->run.value; // node 0; every start is another origin
  shard.credit_bytes = x->options.credit_bytes;
  shard.credit_bytes_all = x->options.memory_budget * 7 / 16;
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
                  + "\": the order of transactions needs partitions = 1",
                "Set that, or the feed's order to feed_order::table.");
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
  log.compression = options.compression;
  log.reserve_bytes = options.reserve_bytes.value_or(options.segment_bytes);
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
  store.when_full = options.when_full;
  store.partitions = options.partitions;
  store.place = place;
  store.window_bytes = options.memory_budget / 8 / options.partitions;
  store.sync_interval = options.sync_interval;
  store.retention = options.retention;
  auto shard = dispatcher_shard_options{};
  shard.window_bytes = options.memory_budget / 8 / options.partitions;
  parts.start_partition(store, shard, std::move(engine), options.directory);
}

status service::add_source(std::string_view name,
                           std::unique_ptr<source_connector> connector) {
  auto& x = *impl_;
  if (auto ok = x.running(); !ok)
    return ok;
  if (x.parts.actors().source)
    return fail(errc::invalid_option,
                "a service has one source, and this one has it already",
                "Open another service for \"" + std::string{name} + "\".");
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

  x.upstream = source_name;
  x.parts.start_schemas(std::move(*history), x.options.partitions);
  for (std::size_t i = 0; i < logs.size(); ++i)
    x.start_partition(i, *store, std::move(logs[i]));
  for (std::size_t i = 0; i < known.size(); ++i)
    x.parts.tell_store(i, std::move(known[i]));
  auto settings = source_options{};
  settings.name = source_name;
  settings.writer = *writer;
  settings.window_bytes = x.options.memory_budget / 16;
  settings.jitter_seed = std::random_device{}() | 1U;
  x.parts.start_source(std::move(settings), std::move(connector),
                       directory.empty()
                         ? make_memory_journal()
                         : make_durable_journal(directory, source_name));
  return {};
}

} // namespace sluice
