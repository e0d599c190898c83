#include "actors/stream_state.hpp"

#include <utility>

#include "messages/block_ranges.hpp"

namespace sluice {

void stream_state::renew(registration_id id, timestamp start) {
  auto who = who_;
  who.id = id;
  who.start_ts = start;
  *this = stream_state{who, barrier_};
}

reset_entry stream_state::restart(timestamp reset_ts) {
  epoch_ = epoch_.next();
  may_be_in_sync_ = may_be_in_sync_ || seq_;
  seq_ = {};
  cut_ = {};
  cursor_ = {};
  behind_ = true;
  own_ = reset_ts;
  accepted_to_ = reset_ts;
  reset_ts_ = reset_ts;
  begun_at_ = {};
  return {who_.id, slot_, epoch_, reset_ts};
}

stream_state::verdict stream_state::on_handshake(const handshake& x,
                                                 timestamp latched) {
  if (x.stream_epoch != epoch_ || seq_)
    return verdict::stale; // a second one must not rewind the sequence
  if (x.lower_bound > std::max(latched, reset_ts_))
    return verdict::gap;
  seq_ = {1};
  begun_at_ = x.lower_bound;
  may_be_in_sync_ = false;
  own_ = std::max(own_, x.lower_bound);
  accepted_to_ = std::max(accepted_to_, x.lower_bound);
  schemas_.clear();
  for (const auto& schema : x.schemas)
    set_schema(schema);
  return verdict::accepted;
}

const schema_ptr* stream_state::find_schema(table_id table) const {
  auto i = std::lower_bound(
    schemas_.begin(), schemas_.end(), table,
    [](const schema_ptr& x, table_id y) { return x->table < y; });
  return i != schemas_.end() && (*i)->table == table ? &*i : nullptr;
}

schema_ptr stream_state::schema(table_id table) const {
  const auto* found = find_schema(table);
  return found == nullptr ? nullptr : *found;
}

void stream_state::set_schema(table_schema schema) {
  auto i = std::lower_bound(
    schemas_.begin(), schemas_.end(), schema.table,
    [](const schema_ptr& x, table_id y) { return x->table < y; });
  if (i == schemas_.end() || (*i)->table != schema.table)
    i = schemas_.insert(i, nullptr);
  *i = std::make_shared<const table_schema>(std::move(schema));
}

stream_state::verdict stream_state::on_item(const delivery_item& x,
                                            std::uint32_t& fresh) {
  fresh = 0;
  if (x.stream_epoch != epoch_)
    return verdict::stale;
  if (!seq_ || x.first_seq != seq_.next())
    return verdict::gap;
  if (x.count > 0) {
    auto row = x.block->grouped(x.first);
    const auto* known = find_schema(row.table());
    if (known == nullptr || row.schema() != (*known)->version)
      return verdict::gap; // never decode with another schema than its own
    auto last = x.block->grouped(x.first + x.count - 1).cursor();
    auto barrier = pass(last, x.end);
    fresh = x.count - rows_up_to(*x.block, x.first, x.count, barrier);
    seq_.value += x.count;
    accepted_to_ = std::max(accepted_to_, last.commit_ts);
  }
  own_ = std::max(own_, x.complete_to);
  accepted_to_ = std::max(accepted_to_, x.complete_to);
  return verdict::accepted;
}

// Rows up to `last` are taken. @returns Up to where the sink had them before:
// a cut comes table by table, so that moves when all of it is here.
row_cursor stream_state::pass(row_cursor last, item_end end) {
  auto before = barrier_;
  cut_ = std::max(cut_, last);
  if (end != item_end::open) {
    barrier_ = std::max(barrier_, cut_);
    cursor_ = std::exchange(cut_, {});
  }
  return before;
}

stream_state::verdict stream_state::on_schema_change(const schema_change& x) {
  if (x.stream_epoch != epoch_)
    return verdict::stale;
  if (!seq_ || x.seq != seq_.next())
    return verdict::gap;
  seq_ = x.seq;
  set_schema(x.event.schema);
  return verdict::accepted;
}

stream_state::verdict stream_state::on_behind(const cohort_change& x,
                                              timestamp resolved,
                                              row_cursor place) {
  if (x.stream_epoch != epoch_)
    return verdict::stale;
  if (behind_ || x.seq != seq_.next())
    return verdict::gap;
  note_place(place);
  seq_ = x.seq;
  behind_ = true;
  own_ = std::max(own_, resolved);
  return verdict::accepted;
}

stream_state::verdict stream_state::on_in_sync(const cohort_change& x) {
  if (x.stream_epoch != epoch_)
    return verdict::stale;
  if (!seq_ || !behind_ || x.seq != seq_.next())
    return verdict::gap; // also when the handshake got lost
  seq_ = x.seq;
  behind_ = false;
  return verdict::accepted;
}

stream_state::verdict stream_state::on_digest(const digest_entry& x) {
  if (x.stream_epoch < epoch_)
    return verdict::stale; // our RESET is on its way; its timer watches it
  if (x.stream_epoch != epoch_ || x.last_seq != seq_)
    return verdict::gap;
  behind_ = x.behind;
  own_ = std::max(own_, x.own);
  return verdict::accepted;
}

} // namespace sluice
