#include "actors/sinks/callback_sink_state.hpp"

#include <algorithm>
#include <utility>

#include "messages/block_ranges.hpp"

namespace sluice {

namespace {

// Storing takes one part of the time, and everything else this many.
constexpr auto pause_per_store = 9;

// Trying again helps against everything but being replaced or removed, and a
// store that this program cannot read.
bool is_final(errc code) {
  return code == errc::sink_fenced || code == errc::unknown_feed
         || code == errc::log_format_newer || code == errc::log_corrupt;
}

// Nobody would miss such a position: a restart begins at the low watermark.
bool covers(timestamp low_watermark, const table_position& x) {
  return x.cursor.commit_ts <= low_watermark && x.checkpoint <= low_watermark;
}

} // namespace

callback_sink_state::callback_sink_state(callback_sink_options options)
  : options_{options} {
  // nop
}

callback_sink_state::effects
callback_sink_state::on_open_sink(const open_sink& x) {
  auto out = on_stop(); // What is acknowledged is not handed over again.
  forget();
  order_ = x.feed.rules.order;
  out.emplace_back(load_positions{x.feed});
  return out;
}

callback_sink_state::effects
callback_sink_state::on_loaded(const expected<sink_opened>& x) {
  if (!x)
    return {sink_failed{{}, x.error(), is_final(x.error().code)}};
  writer_ = x->writer;
  acked_watermark_ = stored_watermark_ = x->low_watermark;
  for (const auto& position : x->positions)
    tables_[place_of(position.table)].acked = position;
  return {*x};
}

callback_sink_state::effects callback_sink_state::on_write_rows(write_rows x,
                                                                duration now) {
  auto out = effects{};
  if (!speaks_to_me(x.writer))
    return out;
  schemas_->add(x.schemas);
  auto batch = open_batch{x.batch, 0, {}, {}, {}, {}, {}};
  batch.steps.reserve(x.items.size());
  auto order = call{{x.writer, x.batch}, {}, order_};
  order.rows.torn = x.torn;
  order.rows.items.reserve(x.items.size());
  for (auto& item : x.items) {
    note(item, batch);
    if (item.count > 0)
      order.rows.items.push_back(std::move(item));
  }
  for (const auto& rows : x.cohort)
    if (auto failure = note(rows, batch, order.rows))
      return fail(failure);
  if (batch.rows == 0 && open_.empty()) {
    take(batch, now);
    released(now, out);
    return out;
  }
  auto any = batch.rows > 0;
  order.rows.cohort = x.cohort;
  order.rows.schemas = schemas_;
  batch.cohort = std::move(x.cohort);
  open_.push_back(std::move(batch));
  if (any)
    out.emplace_back(std::move(order));
  return out;
}

callback_sink_state::effects
callback_sink_state::on_returned(const acknowledge& answer, const status& x) {
  if (x || !speaks_to_me(answer.writer))
    return {};
  return fail(x.error());
}

callback_sink_state::effects
callback_sink_state::on_acknowledge(const acknowledge& x, duration now) {
  auto out = effects{};
  if (!speaks_to_me(x.writer))
    return out;
  auto before = acked_batch_;
  while (!open_.empty()
         && (open_.front().number <= x.batch || open_.front().rows == 0)) {
    take(open_.front(), now);
    open_.pop_front();
  }
  if (acked_batch_ != before)
    released(now, out);
  return out;
}

callback_sink_state::effects
callback_sink_state::on_store_watermark(const store_watermark& x,
                                        duration now) {
  auto out = effects{};
  if (!speaks_to_me(x.writer))
    return out;
  auto& at = open_.empty() ? acked_watermark_ : open_.back().watermark;
  at = std::max(at, x.ts);
  want_store(now, out);
  return out;
}

callback_sink_state::effects callback_sink_state::on_tick(duration now) {
  pace_.on_tick(now);
  auto out = effects{};
  if (!writer_ || !something_to_store())
    return out;
  if (due() > now) {
    want_store(now, out);
    return out;
  }
  store_began_ = now;
  out.emplace_back(store(!acked_.empty() && positions_due_ <= now));
  return out;
}

callback_sink_state::effects callback_sink_state::on_stored(incarnation writer,
                                                            const status& x,
                                                            duration now) {
  if (!speaks_to_me(writer))
    return {};
  if (!x) {
    auto result = sink_failed{writer_, x.error(), is_final(x.error().code)};
    forget();
    return {std::move(result)};
  }
  stored_watermark_ = acked_watermark_;
  if (storing_positions_)
    on_positions_stored(now);
  else
    on_watermark_stored(now);
  auto out = effects{rows_durable{writer_, durable_batch_, stored_watermark_}};
  want_store(now, out);
  return out;
}

void callback_sink_state::on_positions_stored(duration now) {
  for (auto place : unstored_)
    tables_[place].stored = true;
  unstored_.clear();
  acked_.clear();
  durable_batch_ = acked_batch_;
  auto pause = (now - store_began_) * pause_per_store;
  positions_due_ = now + std::max<duration>(options_.store_interval, pause);
  watermark_due_ = now + options_.watermark_interval;
}

void callback_sink_state::on_watermark_stored(duration now) {
  std::erase_if(unstored_, [&](auto place) {
    auto& x = tables_[place];
    x.stored = covers(stored_watermark_, x.acked);
    return x.stored;
  });
  while (!acked_.empty() && acked_.front().highest <= stored_watermark_) {
    durable_batch_ = acked_.front().number;
    acked_.pop_front();
  }
  // As if positions had been stored when the oldest batch came that is left.
  auto since = acked_.empty() ? now : acked_.front().acked_at;
  positions_due_ = std::max(positions_due_, since + options_.store_interval);
  auto pause = (now - store_began_) * pause_per_store;
  watermark_due_ = now + std::max<duration>(options_.watermark_interval, pause);
}

callback_sink_state::effects callback_sink_state::on_stop() {
  if (!writer_ || !something_to_store())
    return {};
  return {store(true)};
}

bool callback_sink_state::something_to_store() const {
  return !acked_.empty() || acked_watermark_ > stored_watermark_;
}

/// @pre There is something to store.
callback_sink_state::duration callback_sink_state::due() const {
  if (acked_.empty())
    return watermark_due_;
  return acked_watermark_ > stored_watermark_
           ? std::min(positions_due_, watermark_due_)
           : positions_due_;
}

/// @param hint Perhaps it is there.
std::uint32_t callback_sink_state::place_of(table_id table,
                                            std::uint32_t hint) {
  if (hint < tables_.size() && tables_[hint].acked.table == table)
    return hint;
  auto found = places_.find(table);
  if (found != table_map::none)
    return static_cast<std::uint32_t>(found);
  places_.exchange(table, tables_.size());
  tables_.push_back({{table, {}, {}}, true, nullptr, {}});
  return static_cast<std::uint32_t>(tables_.size() - 1);
}

// Null if the sink was not told.
const table_schema* callback_sink_state::schema_of(table_entry& of,
                                                   const block_run& run) {
  if (of.schema == nullptr || of.version != run.schema) {
    const auto* found = schemas_->find(run.table, run.schema);
    of.schema = found == nullptr ? nullptr : found->get();
    of.version = run.schema;
  }
  return of.schema;
}

// Rows of an item ascend, so those that are acknowledged are a prefix.
void callback_sink_state::note(write_item& item, open_batch& batch) {
  auto place = place_of(item.after.table);
  batch.steps.push_back({place, item.after.cursor, item.after.checkpoint});
  batch.highest = std::max(
    {batch.highest, item.after.cursor.commit_ts, item.after.checkpoint});
  if (!item.block)
    item.count = 0; // Only the checkpoint moves.
  if (item.count == 0)
    return;
  // In the order of transactions rows may be above `after`.
  auto last = item.block->grouped(item.first + item.count - 1).commit_ts();
  batch.highest = std::max(batch.highest, last);
  auto skip = rows_up_to(*item.block, item.first, item.count,
                         tables_[place].acked.cursor);
  item.first += skip;
  item.count -= skip;
  batch.rows += item.count;
}

// No row of them is acknowledged: the collector knows what a sink has.
error callback_sink_state::note(const cohort_rows& rows, open_batch& batch,
                                held_changes& to) {
  auto runs = rows.runs.empty() ? rows.block->runs().size() : rows.runs.size();
  batch.places.reserve(batch.places.size() + runs);
  to.runs.reserve(to.runs.size() + runs);
  auto failure = error{};
  auto place = std::uint32_t{0};
  // Runs come by table, so the next one is often at the next place.
  for_each_run(rows, [&](const block_run& run) {
    place = place_of(run.table, place);
    const auto* schema = schema_of(tables_[place], run);
    if (schema == nullptr)
      failure = unknown_schema(run);
    batch.places.push_back(place++);
    batch.rows += run.count;
    to.runs.push_back({rows.block.get(), schema, run.first, run.count});
  });
  batch.highest = std::max(batch.highest, rows.to.commit_ts);
  return failure;
}

void callback_sink_state::take(const open_batch& batch, duration now) {
  for (const auto& x : batch.steps)
    take(x.place, x.cursor, x.checkpoint);
  auto place = batch.places.begin();
  for (const auto& rows : batch.cohort)
    for_each_run(rows, [&](const block_run& run) {
      take(*place++, run.last_cursor, rows.to.complete_to());
    });
  acked_batch_ = batch.number;
  acked_.push_back({batch.number, batch.highest, now});
  acked_watermark_ = std::max(acked_watermark_, batch.watermark);
}

void callback_sink_state::take(std::uint32_t place, row_cursor cursor,
                               timestamp checkpoint) {
  auto& to = tables_[place];
  if (cursor <= to.acked.cursor && checkpoint <= to.acked.checkpoint)
    return;
  to.acked.cursor = std::max(to.acked.cursor, cursor);
  to.acked.checkpoint = std::max(to.acked.checkpoint, checkpoint);
  if (std::exchange(to.stored, false))
    unstored_.push_back(place);
}

void callback_sink_state::want_store(duration now, effects& out) {
  if (something_to_store())
    if (auto delay = pace_.want(now, due()))
      out.emplace_back(tick_after{*delay});
}

void callback_sink_state::released(duration now, effects& out) {
  out.emplace_back(rows_released{writer_, acked_batch_});
  want_store(now, out);
}

callback_sink_state::store_positions
callback_sink_state::store(bool with_positions) {
  storing_positions_ = with_positions;
  auto order = store_positions{writer_, {}, acked_watermark_};
  if (with_positions)
    for (auto place : unstored_)
      if (const auto& x = tables_[place].acked; !covers(acked_watermark_, x))
        order.positions.push_back(x);
  return order;
}

callback_sink_state::effects callback_sink_state::fail(const error& reason) {
  // Whatever the callback says, it gets the batch again: only removing the
  // feed or ending the subscription stops that.
  auto out = on_stop();
  out.emplace_back(sink_failed{writer_, reason, false});
  forget();
  return out;
}

void callback_sink_state::forget() {
  writer_ = {};
  tables_.clear();
  places_ = {};
  open_.clear();
  acked_.clear();
  unstored_.clear();
  acked_batch_ = durable_batch_ = 0;
  acked_watermark_ = stored_watermark_ = {};
}

} // namespace sluice
