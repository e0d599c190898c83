#include "actors/dispatcher_state.hpp"

#include <algorithm>

namespace sluice {

// -- reset --------------------------------------------------------------------

std::optional<schema_query> dispatcher_state::on_reset(epoch next,
                                                       timestamp reset_ts) {
  auto newest = reset_ ? reset_->next : epoch_;
  if (next <= newest)
    return {}; // repeated or overtaken
  reset_ = requested_reset{next, reset_ts};
  return schema_query{who_.id, next, who_.table, lower_bound(reset_ts)};
}

dispatcher_state::schema_outcome
dispatcher_state::on_schema(const schema_answer& answer) {
  if (!reset_ || answer.query.stream_epoch != reset_->next)
    return std::monostate{}; // for a reset that a newer one overtook
  auto lower = lower_bound(reset_->reset_ts);
  if (lower != answer.query.at) // a heartbeat came while we asked
    return schema_query{who_.id, reset_->next, who_.table, lower};
  // A table that was dropped may come back, with `later`.
  if (answer.failure != errc::none && answer.failure != errc::table_deleted) {
    reset_.reset();
    return answer.failure;
  }
  auto record = begin_epoch(lower, answer);
  return started{lower, answer.schema, record};
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
  schema_ = answer.schema.version;
  ddl_ = answer.later;
  reset_.reset();
  joined = false;
  scanning = false;
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
  auto from = cursor();
  if (count == 0 || block.grouped(first).cursor() > from)
    return 0; // by far the most frequent
  std::uint32_t low = 0;
  while (count > 0) { // the first row after `from`
    auto half = count / 2;
    if (block.grouped(first + low + half).cursor() <= from) {
      low += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return low;
}

delivery_item dispatcher_state::send_rows(slot stream, const block_ptr& block,
                                          std::uint32_t first,
                                          std::uint32_t count) {
  auto first_seq = seq_.next();
  seq_.value += count;
  cursor_ = block->grouped(first + count - 1).cursor();
  // More rows of that commit_ts may follow.
  complete_to_ = std::max(complete_to_, cursor_.commit_ts.previous());
  return {stream, epoch_, first_seq, block, first, count, complete_to_};
}

bool dispatcher_state::complete(timestamp ts) {
  if (!ddl_.empty())
    ts = std::min(ts, ddl_.front().ts.previous());
  if (ts <= complete_to_)
    return false;
  complete_to_ = ts;
  return true;
}

delivery_item dispatcher_state::send_promise(slot stream) const {
  return {stream, epoch_, seq_.next(), nullptr, 0, 0, complete_to_};
}

void dispatcher_state::on_ddl(const ddl_event& event) {
  auto known = ddl_.empty() ? schema_ : ddl_.back().schema.version;
  if (streaming() && (event.schema.version > known || event.dropped))
    ddl_.push_back(event);
}

bool dispatcher_state::waits_for_ddl(schema_version version) const {
  return version > schema_;
}

const ddl_event* dispatcher_state::next_ddl() const {
  return ddl_.empty() ? nullptr : &ddl_.front();
}

schema_change dispatcher_state::send_ddl(slot stream) {
  auto event = std::move(ddl_.front());
  ddl_.erase(ddl_.begin());
  schema_ = event.schema.version;
  seq_ = seq_.next();
  return {{}, stream, epoch_, seq_, std::move(event)};
}

} // namespace sluice
