#include "store/segment_log.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "store/segment_id.hpp"
#include "store/segment_rewriter.hpp"
#include "store/spool_writer.hpp"

namespace sluice {

segment_log::segment_log(segment_log_options options)
  : indexed_log{options.tail_bytes_max}, options_{std::move(options)},
    rewrite_bytes_{options_.segment_bytes} {
  if (options_.ops == nullptr)
    options_.ops = std::make_shared<file_ops>();
}

segment_log::~segment_log() = default;

// -- appending ----------------------------------------------------------------

expected<block_ptr> segment_log::append(block_ptr block, timestamp resolved) {
  auto taken = admitted(block, resolved);
  if (!taken || *taken == nullptr)
    return taken;
  if ((*taken)->bytes().size() + (*taken)->ends().size() * 4 > UINT32_MAX)
    return fail(errc::malformed, "a block of 4 GiB");
  if (auto room = take_room(); !room)
    return tl::unexpected{std::move(room.error())};
  auto at = write({*taken, last().next(), resolved});
  if (!at && at.error().code == errc::disk_full)
    make_way();
  if (!at)
    return tl::unexpected{std::move(at.error())};
  noted_durable_ = synced_to_;
  remember_size();
  count(block, **taken);
  index_.add(*taken, *at, resolved);
  return taken;
}

expected<block_location> segment_log::write(const block_to_write& block) {
  if (auto done = roll_if_full(); !done)
    return tl::unexpected{std::move(done.error())};
  return writer_->append(block, synced_to_);
}

status segment_log::roll_if_full() {
  auto full = index_.last_segment_has_blocks()
              && bytes_of(writer_->number()) >= options_.segment_bytes;
  return full || must_roll_ || writer_->broken() ? roll() : status{};
}

manifest segment_log::listing() const {
  auto result = manifest{index_.state(), index_.segments()};
  std::erase_if(result.segments,
                [](const segment_range& x) { return x.last < x.first; });
  return result;
}

// Of a file that begins with the rest of a block: what was complete of it.
segment_writer::start
segment_log::start_without_open(const block_ptr& rest,
                                block_index durable) const {
  auto cut = index_.keep_to();
  auto result = segment_writer::start{next_number_,   cut.next(), listing(), {},
                                      index_.state(), durable,    true};
  auto& [state, segments] = result.listing;
  state.last_closed = std::min(state.last_closed, cut);
  for (auto& x : segments)
    x.last = std::min(x.last, cut);
  std::erase_if(segments,
                [](const segment_range& x) { return x.last < x.first; });
  if (rest == nullptr)
    return result;
  result.blocks.push_back({rest, result.first, resolved()});
  result.behind.last_closed = result.first;
  result.behind.complete_to = rest->row(rest->rows() - 1).cursor();
  // Before it no transaction of its rows is complete.
  auto first = rest->row(0).cursor();
  state.complete_to = std::min(
    state.complete_to,
    row_cursor{first.commit_ts, first.start_ts, 0}.previous());
  return result;
}

// Makes a file, the one that is written to. Its number is not used again: if
// even its deletion fails, it counts, and nothing must go to an older one.
status segment_log::begin(segment_writer::start how) {
  next_number_ = how.number + 1;
  how.begun = options_.ops->wall_clock();
  auto writer = segment_writer::create(files_, how);
  if (!writer) {
    must_roll_ = !files_->discard(how.number) || must_roll_;
    return tl::unexpected{std::move(writer.error())};
  }
  must_roll_ = false;
  writer_ = std::make_unique<segment_writer>(std::move(*writer));
  begun_ = how.begun;
  noted_durable_ = synced_to_;
  remember_size();
  return {};
}

void segment_log::remember_size() {
  sizes_[writer_->number()] = writer_->size();
}

status segment_log::roll(bool atomically) {
  files_->reserve().make();
  // At most one name is not durable at any time, so names become durable in
  // order and recovery may take a missing one for damage.
  if (auto done = files_->sync_names(); !done)
    return done;
  auto old = writer_->number();
  auto first = last().next();
  // A file without blocks may be the only one that says where the log stands.
  auto in_vain = !index_.last_segment_has_blocks();
  auto how = segment_writer::start{next_number_, first, listing(),
                                   {},           {},    synced_to_};
  how.atomically = in_vain || atomically;
  if (auto done = begin(how); !done)
    return done;
  if (how.atomically)
    stated_ = last_closed();
  note_stated();
  if (in_vain)
    doomed_.push_back(old);
  index_.begin_segment(writer_->number(), first, begun_);
  return {};
}

status segment_log::abandon_open() {
  for (const auto& entry : spools_)
    doomed_.push_back(entry.second->number());
  spools_.clear();
  if (!index_.open())
    return {};
  auto rest = complete_part(index_, *files_);
  if (!rest)
    return tl::unexpected{std::move(rest.error())};
  if (auto done = files_->sync_names(); !done)
    return done;
  auto keep = index_.keep_to();
  auto first = keep.next();
  auto durable = std::min(synced_to_, keep);
  // The old copy of the rest stops counting with the new manifest, and so may
  // the file that says where the log stands.
  auto stated = keep <= std::max(stated_, stated_durably_)
                && keep != block_index{};
  auto atomically = *rest != nullptr || stated;
  auto how = start_without_open(*rest, durable);
  how.atomically = atomically;
  if (auto done = begin_with_room(how); !done)
    return done;
  for (const auto& range : index_.segments())
    if (range.first >= first)
      doomed_.push_back(range.number);
  index_.cut_open(writer_->number(), begun_);
  synced_to_ = durable;
  if (durable_.at > keep)
    durable_ = {keep, how.listing.state};
  if (*rest != nullptr)
    index_.add(*rest, writer_->first_blocks().front(), resolved());
  return {};
}

// -- syncing ------------------------------------------------------------------

sync_order segment_log::begin_sync() {
  auto result = sync_order{{}, last()};
  closed_at_sync_ = last_closed();
  at_sync_ = {last(), index_.state()};
  for (const auto& range : index_.segments())
    if (range.last >= range.first && range.last > synced_to_) {
      // Before the segment that names them.
      if (auto found = committed_.find(range.number); found != committed_.end())
        for (const auto& spool : found->second)
          if (spool.last > synced_to_)
            result.segments.push_back(spool.number);
      result.segments.push_back(range.number);
    }
  return result;
}

void segment_log::synced(const sync_order& order) {
  if (order.segments.empty())
    return;
  auto ranges = index_.segments();
  auto through = order.through;
  // Indices may have been given out again since the order was made, but only
  // in later segments.
  for (const auto& range : ranges)
    if (older_segment{}(order.segments.back(), range.number)) {
      through = std::min(through, range.first.previous());
      break;
    }
  synced_to_ = std::max(synced_to_, std::min(through, last()));
  for (auto closed : {closed_at_sync_, last_closed()})
    if (closed <= synced_to_)
      closed_durably_ = std::max(closed_durably_, closed);
  if (through >= at_sync_.at)
    durable_ = at_sync_;
  note_stated();
  for (auto number : order.segments)
    if (is_spool(number))
      files_->settle(number);
  for (auto number : order.segments)
    for (const auto& range : ranges)
      if (range.number == number && number != writer_->number()
          && range.last <= synced_to_)
        files_->settle(number);
  note_durable();
}

// A mark for recovery: without later batches it could not tell that these were
// durable, nor where the log stood should one be lost. It need not be durable
// itself, and its failure is harmless.
void segment_log::note_durable() {
  if (synced_to_ == last() && noted_durable_ < synced_to_ && !must_roll_
      && !writer_->broken()) {
    if (writer_->mark(index_.state(), last(), synced_to_))
      noted_durable_ = synced_to_;
    remember_size();
  }
}

// -- releasing ----------------------------------------------------------------

std::vector<table_id> segment_log::releasable(
  const std::function<timestamp(table_id)>& floor_of) const {
  return index_.tables_of(index_.releasable(floor_of, releasable_to()));
}

// Only what is durable: recovery may then take everything older for durable.
// And not the block at which it finds where the log stands, should nothing
// later survive.
block_index segment_log::releasable_to() const {
  return std::max(stated_durably_, closed_durably_.previous());
}

std::vector<std::uint64_t>
segment_log::release(const std::function<timestamp(table_id)>& floor_of) {
  auto numbers = index_.releasable(floor_of, releasable_to());
  // What was let go of before waits for a file that can be synced.
  auto broken = must_roll_ || writer_->broken();
  if (numbers.empty() && doomed_.empty() && !broken)
    return {};
  auto rest = listing();
  std::erase_if(rest.segments, [&](const segment_range& x) {
    return std::binary_search(numbers.begin(), numbers.end(), x.number);
  });
  // The files go only after this is durable: see segment_files::remove.
  if (!write_mark(rest))
    return {};
  index_.release(numbers);
  numbers = with_spools(std::move(numbers));
  numbers.insert(numbers.end(), doomed_.begin(), doomed_.end());
  doomed_.clear();
  std::sort(numbers.begin(), numbers.end());
  for (auto number : numbers)
    sizes_.erase(number);
  return numbers;
}

retained_rows segment_log::retained(const retention_budget& budget) const {
  return index_.retained(budget, options_.ops->wall_clock());
}

std::shared_ptr<log_rewriter> segment_log::rewriter() {
  return std::make_shared<segment_rewriter>(
    files_, rewriter_options{options_.window_bytes, options_.compression});
}

log_stats segment_log::stats() const {
  auto result = counted();
  result.bytes_cut = report_.bytes_cut;
  result.bytes_rewritten = bytes_rewritten_;
  for (const auto& entry : sizes_)
    result.disk_bytes += entry.second;
  for (const auto& entry : spools_)
    result.spooled_bytes += entry.second->size();
  return result;
}

} // namespace sluice
