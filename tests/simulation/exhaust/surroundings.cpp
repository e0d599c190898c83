#include <algorithm>
#include <utility>

#include "messages/schema_book.hpp"
#include "tests/simulation/exhaust/world.hpp"

/// What stands around the two shards, and how a schedule ends.
namespace sluice::exploration {

namespace {

constexpr int rounds_max = 60; // of ticks

} // namespace

// -- STORE and SCHEMAS --------------------------------------------------------

void world::at_store(message& x) {
  if (auto* scan = std::get_if<scan_request>(&x)) {
    auto& checks = at_shard_.checks();
    for (const auto& entry : scan->entries) {
      auto floor = store_.floor_of(entry.table);
      if (floor)
        checks.reach(probe::report_before_scan);
      // The start of a registration is believed; what a feed reads is for
      // streams that skip what they have.
      if (entry.registration && at_shard_.start_of(entry.registration) >= floor)
        checks.check(rule::i3, entry.after >= row_cursor::end_of(floor));
    }
    from_store(store_.on_scan(*scan));
  } else if (auto* taken = std::get_if<progress_taken>(&x)) {
    from_store(store_.on_taken(*taken));
  } else if (auto* floor = std::get_if<floor_report>(&x)) {
    from_store(store_.on_floor(*floor));
  }
}

void world::from_store(store_side::answers out) {
  for (auto& answer : out)
    std::visit([&](auto& x) { push(lane::store_to_shard, std::move(x)); },
               answer);
}

void world::append() {
  from_store(store_.append());
}

void world::release() {
  from_store(store_.release());
}

void world::declare(table_id table) {
  const auto& ddl = script_->truth.ddl(table).at(declared_[table]++);
  from_schemas(schemas_.on_declare(0, {1, false, {{ddl, {1}}}}));
}

void world::resolve_schemas(std::uint64_t ts) {
  from_schemas(schemas_.on_resolved({{ts}}));
}

void world::from_schemas(schema_store_state::effects out) {
  for (auto& effect : out)
    std::visit(
      [&](auto& x) {
        using type = std::decay_t<decltype(x)>;
        if constexpr (requires { x.shard; })
          push(lane::schemas_to_shard, std::move(x.message));
        else
          static_assert(
            std::is_same_v<type,
                           to_collector> || std::is_same_v<type, to_source>);
      },
      effect);
}

// -- the target ---------------------------------------------------------------

void world::at_sink(message& x) {
  if (std::holds_alternative<open_sink>(x)) {
    open_sink_now();
  } else if (auto* rows = std::get_if<write_rows>(&x)) {
    if (rows->writer != sink_.writer)
      return;
    sink_.taken.push_back(std::move(*rows));
    if (script_->sink_commits)
      commit();
  } else if (auto* mark = std::get_if<store_watermark>(&x)) {
    if (mark->writer != sink_.writer)
      return;
    sink_.low_asked = mark->ts;
    if (script_->sink_commits || sink_.taken.empty())
      commit();
  }
}

void world::open_sink_now() {
  writers_ = writers_.next();
  sink_.writer = writers_;
  sink_.taken.clear();
  sink_.last_batch = 0;
  sink_.low_asked = sink_.low;
  auto opened = sink_opened{sink_.writer, {}, sink_.low};
  for (const auto& [table, position] : sink_.positions)
    opened.positions.push_back(position);
  push(lane::sink_to_collector, std::move(opened));
}

void world::commit() {
  if (!sink_.writer)
    return;
  for (const auto& batch : std::exchange(sink_.taken, {})) {
    sink_.last_batch = batch.batch;
    for (const auto& item : batch.items) {
      sink_.positions[item.after.table] = item.after;
      sink_.rows[item.after.table] += item.count;
    }
    for (const auto& part : batch.cohort)
      for_each_run(part, [&](const block_run& run) {
        sink_.positions[run.table] = {run.table, run.last_cursor,
                                      part.to.complete_to()};
        sink_.rows[run.table] += run.count;
      });
  }
  sink_.low = std::max(sink_.low, sink_.low_asked);
  check_positions();
  push(lane::sink_to_collector,
       rows_durable{sink_.writer, sink_.last_batch, sink_.low});
}

// A position says of rows that they are there: it must be true, as the next
// registration starts behind it.
void world::check_positions() {
  for (const auto& [table, versions] : script_->truth.tables()) {
    auto found = sink_.positions.find(table);
    auto at = found == sink_.positions.end() ? table_position{} : found->second;
    const auto& rows = script_->truth.rows(table);
    auto end = std::upper_bound(rows.begin(), rows.end(), at.cursor);
    auto needed = std::max(
      static_cast<std::size_t>(end - rows.begin()),
      script_->truth.rows_to(table, std::max(at.checkpoint, sink_.low)));
    at_collector_.checks().check(rule::i12, needed <= sink_.rows[table]);
  }
}

void world::fail_sink() {
  push(lane::sink_to_collector,
       sink_failed{sink_.writer, {errc::sink_unavailable, ""}, false});
  sink_.writer = {};
  sink_.taken.clear();
}

void world::restore_sink() {
  fail_sink();
  sink_.positions.clear();
  sink_.rows.clear();
  sink_.low = {};
}

// -- the end ------------------------------------------------------------------

// Everything that is under way arrives, the source says the rest, time passes.
void world::finish() {
  drain();
  for (const auto& [table, versions] : script_->truth.tables())
    while (declared_[table] < versions.size())
      declare(table);
  resolve_schemas(script_->truth.end().value);
  drain();
  while (store_.appended() < script_->truth.appends().size())
    append();
  auto& checks = at_shard_.checks();
  for (int round = 0; round < rounds_max && !converged(); ++round) {
    tick_shard(std::chrono::milliseconds{500});
    if (script_->scripted)
      speak_for_scripted();
    else
      tick_collector(std::chrono::milliseconds{500});
    if (!sink_.taken.empty())
      commit();
    drain();
  }
  checks.check(rule::i31, converged());
  checks.check(rule::i32, store_.out_of_range() == 0);
  if (!script_->scripted)
    checks.check(rule::i18, collector_.pinned_bytes() == 0);
}

bool world::converged() const {
  return at_shard_.complete(shard_)
         && (script_->scripted || at_collector_.complete(collector_));
}

// A collector without a fault, whose sink has all that was sent.
void world::speak_for_scripted() {
  auto end = script_->truth.end();
  tell_shard(heartbeat{channel,
                       {},
                       last_down_,
                       {{feed, end, {}}},
                       {{feed, 1U << 30U, 1U << 30U}}});
}

} // namespace sluice::exploration
