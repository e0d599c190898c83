#include "actors/source_state.hpp"

#include <algorithm>

#include "messages/partitioning.hpp"

namespace sluice {

namespace {

// Worth another try after a while; everything else needs somebody's help.
bool is_passing(errc code) {
  return code == errc::source_unavailable || code == errc::disk_full
         || code == errc::log_io;
}

} // namespace

source_state::source_state(source_options options)
  : options_{std::move(options)}, splitter_{options_.partitions.size()},
    retry_delay_{options_.retry_min} {
  for (auto id : options_.partitions) {
    partitions_.emplace_back();
    partitions_.back().id = id;
  }
}

std::size_t source_state::place_of(partition_id id) const {
  auto found = std::find_if(partitions_.begin(), partitions_.end(),
                            [=](const auto& x) { return x.id == id; });
  return static_cast<std::size_t>(found - partitions_.begin());
}

// -- start and stop -----------------------------------------------------------

source_state::effects source_state::on_start(timestamp confirmed) {
  auto out = effects{};
  stopping_ = false;
  noted_ = std::max(noted_, confirmed);
  if (phase_ == phase::waiting || phase_ == phase::failed
      || phase_ == phase::retrying)
    attach(out);
  else if (phase_ == phase::reading)
    wake({}, out);
  return out;
}

source_state::effects source_state::on_stop() {
  auto out = effects{};
  stopping_ = true;
  stop_if_done(out);
  return out;
}

// Only rows in the log's mailbox, or about to be sent there, are waited for.
void source_state::stop_if_done(effects& out) {
  if (!stopping_)
    return;
  auto sending = phase_ == phase::reading || phase_ == phase::declaring;
  if (sending && (unanswered_bytes_ > 0 || batch_.has_value()))
    return;
  out.push_back(source_stopped{});
}

void source_state::attach(effects& out) {
  phase_ = phase::attaching;
  status_.failure = {};
  promised_ = {}; // The stores may not have it, and rows <= it come again.
  unanswered_bytes_ = 0;
  undeclared_.clear();
  batch_.reset();
  splitter_.reset();
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    partitions_[i].appended_to.reset();
    partitions_[i].number = 0;
    partitions_[i].unanswered.clear();
    partitions_[i].held_by = {};
    out.push_back(to_partition<attach_source>{i, {options_.writer}});
  }
}

source_state::milliseconds source_state::jitter() {
  auto& x = options_.jitter_seed;
  if (x == 0)
    return milliseconds{0};
  x ^= x << 13; // xorshift64
  x ^= x >> 7;
  x ^= x << 17;
  return retry_delay_ * static_cast<int>(x % 256) / 1024;
}

void source_state::retry(effects& out, milliseconds now) {
  phase_ = phase::retrying;
  auto delay = retry_delay_ + jitter();
  retry_at_ = now + delay;
  // Not by `wake`: an idle wait on its way may be much longer.
  timer_ = true;
  out.push_back(wake_source{delay});
  retry_delay_ = std::min(2 * retry_delay_, options_.retry_max);
  stop_if_done(out);
}

void source_state::fail_with(const error& failure, effects& out,
                             milliseconds now) {
  status_.failure = failure;
  if (is_passing(failure.code)) {
    retry(out, now);
  } else {
    phase_ = phase::failed;
    stop_if_done(out);
  }
}

// -- attach, open, declare ----------------------------------------------------

source_state::effects
source_state::on_attached(const source_attached& message) {
  auto place = place_of(message.partition);
  if (phase_ != phase::attaching || place == partitions_.size())
    return {};
  if (stopping_) {
    phase_ = phase::waiting;
    return {};
  }
  partitions_[place].appended_to = message.appended_to;
  logged_ = std::max(logged_, message.resolved);
  // Everything confirmed is durable in all partitions, and may be gone
  // upstream, though a partition without rows stands lower.
  auto resume = row_cursor::end_of(timestamp::max());
  auto highest = std::max({noted_, logged_, status_.resolved, last_row_});
  for (const auto& x : partitions_) {
    if (!x.appended_to)
      return {};
    resume = std::min(resume, *x.appended_to);
    highest = std::max(highest, x.appended_to->commit_ts);
  }
  return {call_open{raised_to(resume, noted_), highest}};
}

source_state::effects source_state::on_opened(std::vector<ddl_event> schemas,
                                              const error& failure,
                                              milliseconds now) {
  auto out = effects{};
  if (failure) {
    fail_with(failure, out, now);
    return out;
  }
  declare(std::move(schemas), out);
  go_on(out, now);
  return out;
}

void source_state::declare(std::vector<ddl_event> schemas, effects& out) {
  phase_ = phase::declaring;
  undeclared_.clear();
  auto names = std::vector<known_tables>(partitions_.size());
  auto messages = std::vector<declare_schemas>{};
  for (auto& event : schemas) {
    auto place = partition_of(event.schema.table, partitions_.size());
    auto id = partitions_[place].id;
    names[place].tables.push_back(
      {event.schema.table, event.schema.name, id, event.ts});
    if (messages.empty()
        || messages.back().schemas.size() >= options_.declared_max)
      messages.emplace_back();
    messages.back().schemas.push_back({std::move(event), id});
  }
  // A store must know a name to know which feeds need the table's rows.
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!names[i].tables.empty())
      out.push_back(to_partition<known_tables>{i, std::move(names[i])});
  for (auto& message : messages) {
    message.number = ++declaration_;
    message.follows = !undeclared_.empty();
    undeclared_.insert(message.number);
    out.push_back(std::move(message));
  }
}

source_state::effects source_state::on_declared(const schemas_declared& message,
                                                milliseconds now) {
  auto out = effects{};
  auto awaited = undeclared_.find(message.number);
  if (phase_ != phase::declaring || awaited == undeclared_.end())
    return out; // Of an attempt that is over.
  if (message.failure) {
    fail_with(message.failure, out, now);
    return out;
  }
  undeclared_.erase(awaited);
  go_on(out, now);
  return out;
}

// -- read and append ----------------------------------------------------------

source_state::effects source_state::on_read(source_read batch,
                                            const error& failure,
                                            milliseconds now) {
  auto out = effects{};
  if (failure) {
    fail_with(failure, out, now);
    return out;
  }
  note_copy(batch, now);
  auto schemas = std::move(batch.schemas);
  batch_ = std::move(batch);
  declare(std::move(schemas), out);
  go_on(out, now);
  return out;
}

void source_state::note_copy(const source_read& batch, milliseconds now) {
  status_.copying = batch.copying;
  status_.copied = batch.copied;
  status_.copy_total = batch.copy_total;
  status_.copied_all = batch.copied_all;
  status_.copy_all_total = batch.copy_all_total;
  if (batch.copying.empty())
    copy_pace_ = {};
  auto pace = batch.copied_all == 0
                ? copy_pace_state::pace{}
                : copy_pace_.on_rows(batch.copied_all, batch.copy_all_total,
                                     now);
  status_.copy_rate = pace.rate;
  status_.copy_seconds_left = pace.seconds_left;
}

// A batch goes out once its schemas are acknowledged.
void source_state::send(source_read batch, effects& out) {
  auto rows = batch.rows == nullptr ? 0 : batch.rows->rows();
  if (rows > 0)
    last_row_ = batch.rows->last_cursor().commit_ts;
  auto rises = batch.resolved > promised_;
  if (rises) {
    promised_ = batch.resolved;
    status_.resolved = std::max(status_.resolved, promised_);
    out.push_back(schema_resolved{batch.resolved});
  }
  status_.rows += rows;
  auto blocks = splitter_.split(batch.rows);
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (blocks[i] != nullptr || rises)
      send_to(i, std::move(blocks[i]), out);
  after_batch(rows == 0, batch.more, out);
}

void source_state::send_to(std::size_t place, block_ptr block, effects& out) {
  auto& partition = partitions_[place];
  auto bytes = block == nullptr ? 0 : block->footprint();
  ++partition.number;
  partition.unanswered.emplace_back(partition.number, bytes);
  unanswered_bytes_ += bytes;
  out.push_back(to_partition<append_rows>{
    place, {options_.writer, partition.number, std::move(block), promised_}});
}

void source_state::after_batch(bool empty, bool more, effects& out) {
  status_.idle = empty && !more;
  read_next_ = true;
  if (!status_.idle) {
    empty_reads_ = 0;
    if (room())
      wake({}, out);
    return;
  }
  ++empty_reads_;
  if (!timer_ && !stopping_) {
    timer_ = true;
    out.push_back(wait_idle{empty_reads_});
  }
}

bool source_state::room() const {
  return unanswered_bytes_ < options_.window_bytes;
}

source_state::effects
source_state::on_rows_appended(const rows_appended& message, milliseconds now) {
  auto out = effects{};
  auto place = place_of(message.partition);
  // Before the answer to attach: of an attempt that is over.
  if (place == partitions_.size() || !partitions_[place].appended_to)
    return out;
  auto full = !room();
  auto& unanswered = partitions_[place].unanswered;
  while (!unanswered.empty() && unanswered.front().first <= message.number) {
    auto bytes = unanswered.front().second;
    unanswered.pop_front();
    unanswered_bytes_ -= bytes;
    if (bytes > 0)
      retry_delay_ = options_.retry_min;
  }
  if (phase_ == phase::reading) {
    confirm_if_due(out, now);
    if (full && room())
      wake({}, out);
  }
  stop_if_done(out);
  return out;
}

source_state::effects
source_state::on_append_failed(const append_failed& message, milliseconds now) {
  auto out = effects{};
  auto place = place_of(message.partition);
  if (place == partitions_.size() || phase_ == phase::failed
      || phase_ == phase::retrying)
    return out;
  auto attaching = phase_ == phase::attaching && message.number == 0;
  auto appending = partitions_[place].appended_to && message.number > 0;
  if (attaching || appending)
    fail_with(message.reason, out, now);
  return out;
}

// -- what drives it -----------------------------------------------------------

// The schemas are acknowledged: rows may go, or the first read may come.
void source_state::go_on(effects& out, milliseconds now) {
  if (phase_ != phase::declaring || !undeclared_.empty())
    return;
  phase_ = phase::reading;
  if (batch_) {
    auto batch = std::move(*batch_);
    batch_.reset();
    send(std::move(batch), out);
  } else {
    // What the log resolved in earlier runs holds for the schemas, too: all
    // DDL up to there is declared. Feeds need not wait for the first read.
    if (logged_)
      out.push_back(schema_resolved{logged_});
    read_next_ = true;
    wake({}, out);
  }
  confirm_if_due(out, now);
  stop_if_done(out);
}

source_state::effects source_state::on_tick(milliseconds now) {
  auto out = effects{};
  // Both are the same message, so one of each may be on its way.
  if (soon_)
    soon_ = false;
  else
    timer_ = false;
  if (phase_ == phase::retrying && !stopping_) {
    if (now >= retry_at_)
      attach(out);
    else
      wake(retry_at_ - now, out);
  } else if (phase_ == phase::reading) {
    confirm_if_due(out, now);
    if (read_next_ && room() && !stopping_) {
      read_next_ = false;
      out.push_back(call_read{options_.read_bytes});
    }
  }
  return out;
}

void source_state::wake(milliseconds delay, effects& out) {
  auto& on_its_way = delay.count() == 0 ? soon_ : timer_;
  if (on_its_way)
    return;
  on_its_way = true;
  out.push_back(wake_source{delay});
}

source_status source_state::status() const {
  auto result = status_;
  result.confirmed = confirmed_;
  result.held_by = held_by();
  return result;
}

} // namespace sluice
