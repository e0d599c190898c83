#include "actors/dispatcher_state.hpp"

#include <algorithm>

#include "messages/block_ranges.hpp"

namespace sluice {

// -- reset --------------------------------------------------------------------

std::optional<schema_query> dispatcher_state::on_reset(epoch next,
                                                       timestamp reset_ts) {
  auto newest = reset_ ? reset_->next : epoch_;
  if (next <= newest)
    return {}; // repeated or overtaken
  reset_ = requested_reset{next, reset_ts};
  return schema_query{
    who_.id, next, who_.table, lower_bound(reset_ts), {{}, {}}};
}

dispatcher_state::schema_outcome
dispatcher_state::on_schema(const schema_answer& answer) {
  if (!reset_ || answer.query.stream_epoch != reset_->next)
    return std::monostate{}; // for a reset that a newer one overtook
  auto lower = lower_bound(reset_->reset_ts);
  if (lower != answer.query.at) // a heartbeat came while we asked
    return schema_query{who_.id, reset_->next, who_.table, lower, {{}, {}}};
  // A table that was dropped may come back, with `later`.
  if (answer.failure != errc::none && answer.failure != errc::table_deleted) {
    reset_.reset();
    return answer.failure;
  }
  auto record = begin_epoch(lower, answer);
  return started{lower, answer.schemas, record};
}

reset_record dispatcher_state::begin_epoch(timestamp lower,
                                           const schema_answer& answer) {
  auto record = reset_record{
    who_.dispatcher, who_.id,     epoch_, reset_->next, reset_->reset_ts,
    lower,           checkpoint_, lower,  cursor_,      seq_};
  checkpoint_ = lower;
  epoch_ = reset_->next;
  seq_ = {1}; // the handshake
  cursor_ = row_cursor::end_of(lower);
  complete_to_ = lower;
  tables_.clear();
  for (const auto& schema : answer.schemas)
    set_version(schema);
  ddl_ = answer.later;
  torn_ = false;
  reset_.reset();
  if (scan == scan_phase::asked) // its answer counts no more
    scan = scan_phase::none;
  in_sync_since = {};
  return record;
}

// -- heartbeat ----------------------------------------------------------------

bool dispatcher_state::on_checkpoint(epoch of, timestamp checkpoint,
                                     timestamp sent_to) {
  if (of != epoch_)
    return false;
  checkpoint_ = std::max(checkpoint_, std::min(checkpoint, sent_to));
  return true;
}

// -- sending ------------------------------------------------------------------

row_cursor dispatcher_state::cursor() const {
  // A quiet stream has an old cursor, a new promise and a new checkpoint.
  return std::max({cursor_, row_cursor::end_of(complete_to_),
                   row_cursor::end_of(checkpoint_)});
}

std::uint32_t dispatcher_state::rows_sent(const row_block& block,
                                          std::uint32_t first,
                                          std::uint32_t count) const {
  return rows_up_to(block, first, count, cursor());
}

delivery_item dispatcher_state::send_rows(slot stream, const block_ptr& block,
                                          std::uint32_t first,
                                          std::uint32_t count) {
  auto result = send_part(stream, block, first, count);
  end_cut(result, block->grouped(first + count - 1).cursor(),
          item_end::transaction);
  return result;
}

delivery_item dispatcher_state::send_part(slot stream, const block_ptr& block,
                                          std::uint32_t first,
                                          std::uint32_t count) {
  auto first_seq = seq_.next();
  seq_.value += count;
  return {stream, epoch_, first_seq,    block,
          first,  count,  complete_to_, item_end::open};
}

void dispatcher_state::end_cut(delivery_item& last, row_cursor to,
                               item_end how) {
  cursor_ = to;
  // More rows of that commit_ts may follow.
  complete_to_ = std::max(complete_to_, cursor_.commit_ts.previous());
  torn_ = how == item_end::cut;
  last.complete_to = complete_to_;
  last.end = how;
}

bool dispatcher_state::complete(timestamp ts) {
  if (!ddl_.empty())
    ts = std::min(ts, ddl_.front().ts.previous());
  if (ts <= complete_to_)
    return false;
  complete_to_ = ts;
  return true;
}

delivery_item dispatcher_state::send_promise(slot stream) {
  torn_ = false;
  return {stream, epoch_, seq_.next(),  nullptr,
          0,      0,      complete_to_, item_end::transaction};
}

cohort_change dispatcher_state::send_change(slot stream) {
  seq_ = seq_.next();
  return {stream, epoch_, seq_};
}

void dispatcher_state::on_ddl(const ddl_event& event) {
  auto known = version_of(event.schema.table);
  for (const auto& x : ddl_)
    if (x.schema.table == event.schema.table)
      known = x.schema.version;
  if (streaming() && (event.schema.version > known || event.dropped))
    ddl_.push_back(event);
}

schema_version dispatcher_state::version_of(table_id table) const {
  auto i = std::lower_bound(
    tables_.begin(), tables_.end(), table,
    [](const table_version& x, table_id y) { return x.first < y; });
  return i != tables_.end() && i->first == table ? i->second : schema_version{};
}

void dispatcher_state::set_version(const table_schema& schema) {
  auto i = std::lower_bound(
    tables_.begin(), tables_.end(), schema.table,
    [](const table_version& x, table_id y) { return x.first < y; });
  if (i != tables_.end() && i->first == schema.table)
    i->second = schema.version;
  else
    tables_.insert(i, {schema.table, schema.version});
}

const ddl_event* dispatcher_state::next_ddl() const {
  return ddl_.empty() ? nullptr : &ddl_.front();
}

schema_change dispatcher_state::send_ddl(slot stream) {
  auto event = std::move(ddl_.front());
  ddl_.erase(ddl_.begin());
  set_version(event.schema);
  seq_ = seq_.next();
  return {{}, stream, epoch_, seq_, std::move(event)};
}

} // namespace sluice
