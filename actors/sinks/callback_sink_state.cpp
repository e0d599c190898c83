#include "actors/sinks/callback_sink_state.hpp"

#include <algorithm>
#include <utility>

#include "messages/block_ranges.hpp"

namespace sluice {

namespace {

// Trying again helps against everything but being replaced or removed, and a
// store that this program cannot read.
bool is_final(errc code) {
  return code == errc::sink_fenced || code == errc::unknown_feed
         || code == errc::log_format_newer || code == errc::log_corrupt;
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
    known_[position.table] = position.cursor;
  return {*x};
}

callback_sink_state::effects callback_sink_state::on_write_rows(write_rows x,
                                                                duration now) {
  auto out = effects{};
  if (!speaks_to_me(x.writer))
    return out;
  auto batch = open_batch{x.batch, 0, {}, {}};
  auto order = call{{x.writer, x.batch}, {}, order_, x.torn};
  for (auto& item : x.items) {
    batch.positions.push_back(item.after);
    drop_known_rows(item);
    if (!item.block || item.count == 0)
      continue; // Only the checkpoint moves.
    batch.rows += item.count;
    order.items.push_back(std::move(item));
  }
  if (batch.rows == 0 && open_.empty()) {
    take(batch);
    released(now, out);
    return out;
  }
  open_.push_back(std::move(batch));
  if (!order.items.empty())
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
    take(open_.front());
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
  if (something_to_store())
    if (auto delay = pace_.want(now, due(now)))
      out.emplace_back(tick_after{*delay});
  return out;
}

callback_sink_state::effects callback_sink_state::on_tick(duration now) {
  pace_.on_tick(now);
  if (!writer_ || !something_to_store())
    return {};
  auto at = due(now);
  if (at <= now)
    return {store()};
  if (auto delay = pace_.want(now, at))
    return {tick_after{*delay}};
  return {};
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
  for (const auto& [table, position] : acked_)
    known_[table] = position.cursor;
  acked_.clear();
  acked_rows_ = 0;
  stored_batch_ = acked_batch_;
  stored_watermark_ = acked_watermark_;
  last_store_ = now;
  return {rows_durable{writer_, stored_batch_, stored_watermark_}};
}

callback_sink_state::effects callback_sink_state::on_stop() {
  if (!writer_ || !something_to_store())
    return {};
  return {store()};
}

bool callback_sink_state::something_to_store() const {
  return acked_batch_ != stored_batch_ || acked_watermark_ > stored_watermark_;
}

callback_sink_state::duration callback_sink_state::due(duration now) const {
  if (!last_store_ || acked_rows_ >= options_.store_rows_max)
    return now;
  return *last_store_
         + (acked_batch_ != stored_batch_ ? options_.store_interval
                                          : options_.watermark_interval);
}

// Rows of an item ascend, so those that the target has are a prefix.
void callback_sink_state::drop_known_rows(write_item& item) const {
  auto known = known_.find(item.after.table);
  if (known == known_.end() || !item.block)
    return;
  auto skip = rows_up_to(*item.block, item.first, item.count, known->second);
  item.first += skip;
  item.count -= skip;
}

void callback_sink_state::take(const open_batch& batch) {
  for (const auto& position : batch.positions)
    acked_[position.table] = position;
  acked_batch_ = batch.number;
  acked_rows_ += batch.rows;
  acked_watermark_ = std::max(acked_watermark_, batch.watermark);
}

void callback_sink_state::released(duration now, effects& out) {
  out.emplace_back(rows_released{writer_, acked_batch_});
  if (acked_rows_ >= options_.store_rows_max)
    out.emplace_back(store());
  else if (auto delay = pace_.want(now, due(now)))
    out.emplace_back(tick_after{*delay});
}

callback_sink_state::store_positions callback_sink_state::store() {
  auto order = store_positions{writer_, {}, acked_watermark_};
  for (const auto& [table, position] : acked_)
    order.positions.push_back(position);
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
  known_.clear();
  open_.clear();
  acked_batch_ = acked_rows_ = stored_batch_ = 0;
  acked_.clear();
  acked_watermark_ = stored_watermark_ = {};
}

} // namespace sluice
