#include "actors/sinks/connector_sink_state.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

connector_sink_state::connector_sink_state(connector_sink_options options)
  : options_{options} {
  // nop
}

connector_sink_state::effects
connector_sink_state::on_open_sink(const open_sink& x) {
  forget();
  return {connect{x.feed}};
}

connector_sink_state::effects
connector_sink_state::on_connected(const expected<sink_opened>& x) {
  if (!x)
    return fail(x.error());
  writer_ = x->writer;
  stored_watermark_ = asked_watermark_ = x->low_watermark;
  return {*x};
}

connector_sink_state::effects
connector_sink_state::on_write_rows(write_rows x) {
  if (!speaks_to_me(x.writer))
    return {};
  batch_ = x.batch;
  torn_ = x.torn;
  auto items = by_table(std::move(x), schemas_);
  if (!items)
    return fail(items.error());
  auto order = write_target{};
  for (auto& item : *items) {
    // What comes again after a reset does not take back what is written.
    auto& position = positions_[item.after.table];
    auto cursor = std::max(position.cursor, item.after.cursor);
    position = item.after;
    position.cursor = cursor;
    if (!item.block || item.count == 0)
      continue; // Only the checkpoint moves.
    rows_ += item.count;
    order.items.push_back(std::move(item));
  }
  return {std::move(order)};
}

connector_sink_state::effects connector_sink_state::on_written(const status& x,
                                                               duration now) {
  if (!x)
    return fail(x.error());
  auto out = effects{rows_released{writer_, batch_}};
  if (torn_)
    return out; // The rest is on its way.
  if (rows_ >= options_.commit_rows_max) {
    auto more = commit();
    out.insert(out.end(), more.begin(), more.end());
  } else {
    want_tick(now, now, out);
  }
  return out;
}

connector_sink_state::effects
connector_sink_state::on_store_watermark(const store_watermark& x,
                                         duration now) {
  auto out = effects{};
  if (!speaks_to_me(x.writer) || x.ts <= asked_watermark_)
    return out;
  asked_watermark_ = x.ts;
  // With a batch pending a tick is under way: the watermark rides along.
  if (batch_ == durable_batch_)
    want_tick(now, watermark_due(now), out);
  return out;
}

connector_sink_state::effects connector_sink_state::on_tick(duration now) {
  pace_.on_tick(now);
  auto out = effects{};
  if (!writer_ || torn_)
    return out;
  if (batch_ != durable_batch_)
    return commit();
  if (asked_watermark_ <= stored_watermark_)
    return out;
  auto due = watermark_due(now);
  if (due <= now)
    return commit();
  want_tick(now, due, out);
  return out;
}

connector_sink_state::effects
connector_sink_state::on_committed(const status& x, duration now) {
  if (!x)
    return fail(x.error());
  rows_ = 0;
  positions_.clear();
  durable_batch_ = batch_;
  stored_watermark_ = asked_watermark_;
  last_commit_ = now;
  return {rows_durable{writer_, durable_batch_, stored_watermark_}};
}

connector_sink_state::duration
connector_sink_state::watermark_due(duration now) const {
  return last_commit_ ? *last_commit_ + options_.watermark_interval : now;
}

void connector_sink_state::want_tick(duration now, duration due, effects& out) {
  if (auto delay = pace_.want(now, due))
    out.emplace_back(tick_after{*delay});
}

connector_sink_state::effects connector_sink_state::commit() {
  auto order = commit_target{};
  for (const auto& [table, position] : positions_)
    order.positions.push_back(position);
  if (asked_watermark_ > stored_watermark_)
    order.low_watermark = asked_watermark_;
  return {std::move(order)};
}

connector_sink_state::effects connector_sink_state::fail(const error& reason) {
  auto result = sink_failed{writer_, reason,
                            reason.code != errc::sink_unavailable};
  forget();
  return {std::move(result)};
}

void connector_sink_state::forget() {
  writer_ = {};
  rows_ = 0;
  positions_.clear();
  batch_ = durable_batch_ = 0;
  torn_ = false;
  asked_watermark_ = stored_watermark_ = {};
}

} // namespace sluice
