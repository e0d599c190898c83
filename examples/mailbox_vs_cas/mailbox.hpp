#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "actors/dispatcher_shard_state.hpp"
#include "actors/event_store_state.hpp"
#include "scenario.hpp"
#include "store/memory_log.hpp"

/// Our design. Not a model: the states that the product runs, with the log in
/// memory. A step is one message handled. Messages wait in lanes: each lane is
/// FIFO, and any lane may be next.
namespace mailbox_vs_cas {

using sluice::table_id;

inline constexpr auto table = table_id{7};
inline constexpr auto feed = sluice::feed_id{1};

/// Rows of the table, each a transaction.
inline sluice::block_ptr make_block(const std::vector<ts>& at) {
  auto builder = sluice::row_block_builder{};
  for (auto x : at) {
    auto id = sluice::value_view::of_integer(static_cast<std::int64_t>(x));
    builder.add({table, {{x}, {x}, 0}, sluice::row_op::insert, false, {1}, 0},
                {true}, {}, {&id, 1});
    builder.end();
  }
  return builder.finish();
}

/// EVENT_STORE without an actor: carries out what the state decides.
class store_rig {
public:
  using milliseconds = std::chrono::milliseconds;
  /// Messages for DISPATCHER_SHARD.
  using message = std::variant<sluice::progress, sluice::scan_answer>;

  store_rig() {
    run(core_.on_opened(position(), now_));
    auto feeds = sluice::feeds_loaded{};
    feeds.feeds = {{feed, "f", {{"*"}, {}, sluice::feed_order::table}}};
    feeds.tables = {{table, "t", {1}, {}}};
    run(core_.on_feeds_loaded(feeds, now_));
    run(core_.on_attach_source({{1}}));
    run(core_.on_attach_shard(0));
  }
  void append(const sluice::block_ptr& block, ts resolved) {
    run(core_.on_append({{1}, ++number_, block, {resolved}}, now_));
  }
  void handle(const sluice::progress_taken& x) {
    run(core_.on_progress_taken(0, x));
  }
  void handle(const sluice::scan_request& x) {
    run(core_.on_scan_request(0, x));
  }
  /// And deletes at once what it may.
  void handle(const sluice::floor_report& x) {
    run(core_.on_floor_report(x, now_));
    now_ += sluice::event_store_options{}.release_interval;
    run(core_.on_tick(now_));
  }
  [[nodiscard]] bool refused() const { return core_.status().out_of_range > 0; }

  std::deque<message> sent;

private:
  void run(sluice::event_store_state::effects effects) {
    for (auto& x : effects)
      std::visit([this](auto& effect) { perform(effect); }, x);
  }
  template <class Effect>
  void perform(Effect&) {
    // nop: answers to the source, timers, files
  }
  void perform(sluice::send_progress& x) {
    sent.emplace_back(std::move(x.message));
  }
  void perform(sluice::answer_scan& x) {
    sent.emplace_back(std::move(x.message));
  }
  void perform(sluice::note_lost& x) {
    run(core_.on_lost_noted({x.lost, {}}, now_));
  }
  void perform(sluice::call_append& x) {
    auto block = engine_->append(x.block, x.resolved).value_or(nullptr);
    run(core_.on_appended(x, block, {}, position(), now_));
  }
  void perform(sluice::call_begin_sync&) {
    run(core_.on_sync_begun(engine_->begin_sync()));
  }
  void perform(sluice::call_synced& x) {
    engine_->synced(x.order);
    run(core_.on_synced(position(), now_));
  }
  void perform(sluice::call_releasable&) {
    run(core_.on_releasable(
      engine_->releasable([this](table_id x) { return core_.floor_of(x); })));
  }
  void perform(sluice::call_release&) {
    run(core_.on_released(
      engine_->release([this](table_id x) { return core_.release_floor(x); })));
  }
  void perform(sluice::plan_scans& x) {
    run(core_.on_planned(x.ticket, engine_->plan_scans(x.wishes), now_));
  }
  [[nodiscard]] sluice::log_position position() const {
    return {engine_->last(), engine_->last_closed(), engine_->synced_to(),
            engine_->appended_to(), engine_->resolved()};
  }

  sluice::event_store_state core_;
  std::unique_ptr<sluice::log_engine> engine_ = sluice::make_memory_log();
  milliseconds now_{0};
  std::uint64_t number_ = 0;
};

class mailbox {
public:
  mailbox() {
    prepare();
    checking_ = true;
    for (const auto& x : resets)
      put_reset(x);
    for (const auto& x : heartbeats)
      put_heartbeat(x);
  }

  // -- what the explorer asks -------------------------------------------------

  [[nodiscard]] std::size_t chains() const { return lanes; }
  [[nodiscard]] bool enabled(std::size_t lane) const {
    switch (lane) {
      case source_lane:
        return !appended_;
      case from_store:
        return !store_.sent.empty();
      case to_store:
        return !to_store_.empty();
      case look_ups:
        return !queries_.empty();
      default:
        return from_collector_[lane].has_value();
    }
  }
  /// Two messages for one mailbox.
  [[nodiscard]] bool dependent(std::size_t a, std::size_t b) const {
    return for_store(a) == for_store(b);
  }
  void step(std::size_t lane);
  [[nodiscard]] std::string describe(std::size_t lane) const;
  [[nodiscard]] std::vector<std::string> broken() const {
    auto result = checker_;
    if (store_.refused())
      result.on_below_floor();
    // No message is left, so what has not come never comes.
    result.on_resolved(checker::collector_epoch, new_resolved);
    return result.broken();
  }

private:
  // One for each message of the collector: even those may come in any order.
  static constexpr std::size_t source_lane = 4;
  static constexpr std::size_t from_store = 5;
  static constexpr std::size_t to_store = 6;
  static constexpr std::size_t look_ups = 7;
  static constexpr std::size_t lanes = 8;
  static constexpr auto channel = sluice::channel_id{1, 1};
  static constexpr auto who = sluice::registration_id{1, 1};

  using from_collector = std::variant<sluice::reset_streams, sluice::heartbeat>;
  using to_store_message = std::variant<
    sluice::progress_taken, sluice::scan_request, sluice::floor_report>;

  static bool for_store(std::size_t lane) {
    return lane == source_lane || lane == to_store;
  }
  // Up to where the scenario begins.
  void prepare();
  void settle();
  void put_reset(const reset_request& x) {
    from_collector_.push_back(sluice::reset_streams{
      channel, {{who, stream_, {x.epoch}, {x.reset_ts}}}});
  }
  // The stream is an exception: the value is its own.
  void put_heartbeat(const heartbeat_report& x) {
    from_collector_.push_back(
      sluice::heartbeat{channel,
                        {++up_},
                        {},
                        {{feed, {}, {{stream_, {x.epoch}, {x.checkpoint}}}}},
                        {}});
  }

  void take(sluice::dispatcher_shard_state::effects effects) {
    for (auto& x : effects)
      std::visit([this](auto& message) { route(message); }, x);
    if (checking_)
      checker_.on_checkpoint(shard_.checkpoint_of(who).value);
  }
  template <class Message>
  void route(Message& x) {
    if constexpr (std::is_constructible_v<to_store_message, Message>)
      to_store_.emplace_back(std::move(x));
    else if constexpr (std::is_same_v<Message, sluice::schema_query>)
      queries_.push_back(std::move(x));
    else
      collect(x);
  }

  // -- as COLLECTOR_SHARD, which answers nothing here: no lane of its own -----

  template <class Message>
  void collect(const Message&) {
    // nop: refused is counted by the store
  }
  void collect(const sluice::ready& x) { stream_ = x.stream; }
  void collect(const sluice::handshake& x) {
    if (checking_)
      checker_.on_handshake(x.stream_epoch.value, x.lower_bound.value);
  }
  void collect(const sluice::delivery& x);
  void collect(const sluice::watermark& x);

  sluice::dispatcher_shard_state shard_;
  store_rig store_;
  sluice::slot stream_;
  std::uint64_t up_ = 0;
  std::vector<std::optional<from_collector>> from_collector_;
  std::deque<to_store_message> to_store_;
  std::deque<sluice::schema_query> queries_;
  bool appended_ = false;
  std::uint64_t in_sync_ = 0; // epoch in which it joined its cohort
  bool checking_ = false;
  checker checker_;
};

inline void mailbox::prepare() {
  static const auto block = make_block({20, 40, 60, 80, 120});
  take(shard_.on_schema_resolved({{new_resolved}}));
  take(
    shard_.on_register({channel, {1}, {{who, {1, 7}, feed, table, {}}}}, {}));
  constexpr auto credit = std::uint64_t{1} << 20U;
  take(shard_.on_credit({channel, {++up_}, {{feed, credit, credit}}}));
  store_.append(block, old_resolved);
  settle();
  take(shard_.on_reset({channel, {{who, stream_, {1}, {}}}}));
  settle();
  put_heartbeat({1, first_checkpoint});
  step(0);
  settle();
  from_collector_.clear();
}

inline void mailbox::settle() {
  for (auto lane : {look_ups, to_store, from_store})
    if (enabled(lane)) {
      step(lane);
      settle();
    }
}

inline void mailbox::step(std::size_t lane) {
  if (lane == source_lane) {
    static const auto block = make_block({new_commit});
    store_.append(block, new_resolved);
    appended_ = true;
  } else if (lane == to_store) {
    auto message = std::move(to_store_.front());
    to_store_.pop_front();
    std::visit([this](const auto& x) { store_.handle(x); }, message);
  } else if (lane == look_ups) {
    auto answer = sluice::schema_answer{queries_.front(), {}, {}};
    queries_.pop_front();
    answer.schemas.push_back({table, "t", {1}, {}, {{"id", "INTEGER", 1}}});
    take(shard_.on_schema_answer(answer));
  } else if (lane == from_store) {
    auto message = std::move(store_.sent.front());
    store_.sent.pop_front();
    if (const auto* news = std::get_if<sluice::progress>(&message))
      take(shard_.on_progress(*news));
    else
      take(shard_.on_scan_answer(std::get<sluice::scan_answer>(message)));
  } else {
    auto message = std::exchange(from_collector_[lane], {});
    if (const auto* reset = std::get_if<sluice::reset_streams>(&*message))
      take(shard_.on_reset(*reset));
    else
      take(shard_.on_heartbeat(std::get<sluice::heartbeat>(*message)));
  }
}

inline std::string mailbox::describe(std::size_t lane) const {
  switch (lane) {
    case source_lane:
      return "EVENT_STORE: append row " + std::to_string(new_commit);
    case from_store:
      return std::holds_alternative<sluice::progress>(store_.sent.front())
               ? "DISPATCHER_SHARD: progress"
               : "DISPATCHER_SHARD: scan_answer";
    case to_store: {
      constexpr auto names = std::array<const char*, 3>{
        "progress_taken", "scan_request", "floor_report"};
      return std::string{"EVENT_STORE: "} + names[to_store_.front().index()];
    }
    case look_ups:
      return "DISPATCHER_SHARD: schema_answer";
    default:
      return "DISPATCHER_SHARD: "
             + (lane < resets.size()
                  ? name_of(resets[lane])
                  : name_of(heartbeats[lane - resets.size()]));
  }
}

inline void mailbox::collect(const sluice::delivery& x) {
  if (!checking_)
    return;
  for (const auto& item : x.items) {
    auto epoch = item.stream_epoch.value;
    for (std::uint32_t i = 0; i < item.count; ++i)
      checker_.on_row(epoch,
                      item.block->grouped(item.first + i).commit_ts().value,
                      checker_.checkpoint());
    checker_.on_resolved(epoch, item.complete_to.value);
  }
  for (const auto& part : x.cohort)
    for (std::size_t i = 0; i < part.block->rows(); ++i)
      checker_.on_row(in_sync_, part.block->row(i).commit_ts().value,
                      checker_.checkpoint());
}

inline void mailbox::collect(const sluice::watermark& x) {
  for (const auto& entry : x.behind)
    if (entry.stream_epoch.value == in_sync_)
      in_sync_ = 0;
  if (checking_ && in_sync_ != 0)
    checker_.on_resolved(in_sync_, x.promise.resolved.value);
  for (const auto& entry : x.in_sync)
    in_sync_ = entry.stream_epoch.value;
  if (checking_ && in_sync_ != 0)
    checker_.on_resolved(in_sync_, x.promise.resolved.value);
}

} // namespace mailbox_vs_cas
