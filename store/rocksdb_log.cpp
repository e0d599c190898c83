#include "store/rocksdb_log.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <rocksdb/write_batch.h>

#include "store/indexed_log.hpp"
#include "store/rocksdb_disk.hpp"
#include "store/unix_time.hpp"

namespace sluice {

namespace {

class rocksdb_log : public plain_log {
public:
  rocksdb_log(const rocksdb_log_options& options,
              std::shared_ptr<rocksdb_disk> disk)
    : plain_log{options.tail_bytes_max},
      segment_bytes_{options.segment_bytes}, disk_{std::move(disk)} {
    // nop
  }

  status recover();

  expected<block_ptr> append(block_ptr block, timestamp resolved) override;
  status abandon_open() override;
  planned_scans plan_scans(std::span<const scan_wish> wishes) const override;
  sync_order begin_sync() override;
  void synced(const sync_order& order) override;
  block_index synced_to() const override { return synced_to_; }
  std::vector<std::uint64_t>
  release(const std::function<timestamp(table_id)>& floor_of) override;
  log_stats stats() const override;
  std::shared_ptr<log_disk> disk() override { return disk_; }

private:
  status index_segment(std::uint64_t number);
  [[nodiscard]] tl::unexpected<error> damaged(std::uint64_t segment,
                                              const std::string& what) const;
  status begin_segment();
  status cut_open();
  void add(const block_ptr& block, const stored_block& entry);

  std::uint64_t segment_bytes_;
  std::shared_ptr<rocksdb_disk> disk_;
  std::uint64_t segment_ = 0;                    // the one that is written
  std::map<std::uint64_t, std::uint64_t> sizes_; // of live segments
  std::vector<std::uint64_t> doomed_; // without rows; go with a release
  block_index synced_to_;
  std::uint64_t bytes_cut_ = 0;
};

stored_block entry_of(const row_block& block, block_index index,
                      timestamp resolved) {
  return {index, summarize(block), resolved, block.ends()};
}

std::uint64_t rows_bytes(const block_summary& x) {
  auto result = std::uint64_t{0};
  for (const auto& share : x.tables)
    result += share.bytes;
  return result;
}

// -- opening ------------------------------------------------------------------

status rocksdb_log::recover() {
  for (auto number : disk_->segments()) {
    segment_ = number;
    if (auto done = index_segment(number); !done)
      return done;
  }
  auto state = disk_->state();
  if (!state)
    return tl::unexpected{std::move(state.error())};
  index_.restore(*state);
  // A segment of its own: locations of what is given out again differ.
  auto size_before = stats().disk_bytes;
  if (auto done = cut_open(); !done)
    return done;
  bytes_cut_ = size_before - stats().disk_bytes;
  // What a killed process wrote may be in the page cache only.
  if (auto done = disk_->sync({{segment_}, last()}); !done)
    return done;
  synced_to_ = last();
  return disk_->remove(std::exchange(doomed_, {}));
}

tl::unexpected<error> rocksdb_log::damaged(std::uint64_t segment,
                                           const std::string& what) const {
  return fail(errc::log_corrupt, disk_->directory() + ": segment "
                                   + std::to_string(segment) + ' ' + what);
}

status rocksdb_log::index_segment(std::uint64_t number) {
  auto blocks = disk_->blocks(number);
  if (!blocks)
    return tl::unexpected{std::move(blocks.error())};
  if (blocks->empty()) {
    doomed_.push_back(number);
    return {};
  }
  auto first = blocks->front().index;
  if (first <= last())
    return damaged(number, "begins before the end of the one before");
  index_.begin_segment(number, first);
  for (const auto& x : *blocks) {
    if (x.index != first)
      return damaged(number, "lacks block " + std::to_string(first.value));
    first = first.next();
    add(nullptr, x);
  }
  return {};
}

// -- appending ----------------------------------------------------------------

expected<block_ptr> rocksdb_log::append(block_ptr block, timestamp resolved) {
  auto taken = admitted(block, resolved);
  if (!taken || *taken == nullptr)
    return taken;
  if (index_.last_segment_has_blocks() && sizes_[segment_] >= segment_bytes_)
    if (auto done = begin_segment(); !done)
      return tl::unexpected{std::move(done.error())};
  auto entry = entry_of(**taken, last().next(), resolved);
  auto batch = rocksdb::WriteBatch{};
  if (auto done = disk_->put(batch, segment_, **taken, entry); !done)
    return tl::unexpected{std::move(done.error())};
  if (auto done = disk_->write(batch); !done)
    return tl::unexpected{std::move(done.error())};
  count(block, **taken);
  add(*taken, entry);
  return taken;
}

// Its number is not used again, even if its making fails.
status rocksdb_log::begin_segment() {
  if (auto done = disk_->begin_segment(++segment_); !done)
    return done;
  index_.begin_segment(segment_, last().next(), unix_time());
  sizes_[segment_] = 0;
  return {};
}

void rocksdb_log::add(const block_ptr& block, const stored_block& entry) {
  auto size = rows_bytes(entry.summary);
  sizes_[segment_] += size;
  auto at = block_location{segment_, entry.index.value, size};
  if (block != nullptr)
    index_.add(block, at, entry.resolved);
  else
    index_.add(entry.summary, at, entry.resolved);
}

status rocksdb_log::abandon_open() {
  spools_.clear();
  if (!index_.open())
    return {};
  auto keep = index_.keep_to();
  if (auto done = cut_open(); !done)
    return done;
  synced_to_ = std::min(synced_to_, keep);
  return {};
}

// The rest goes into a new segment, in the batch that forgets the open blocks.
status rocksdb_log::cut_open() {
  auto rest = complete_part(index_, *disk_);
  if (!rest)
    return tl::unexpected{std::move(rest.error())};
  auto keep = index_.keep_to();
  if (auto done = disk_->begin_segment(++segment_); !done)
    return done;
  auto batch = rocksdb::WriteBatch{};
  for (auto i = keep.next(); i <= last(); i = i.next()) {
    auto at = index_.block(i).location;
    disk_->forget(batch, at.segment, i);
    sizes_[at.segment] -= at.size;
  }
  auto entry = stored_block{};
  if (*rest != nullptr) {
    entry = entry_of(**rest, keep.next(), resolved());
    if (auto done = disk_->put(batch, segment_, **rest, entry); !done)
      return done;
  }
  if (auto done = disk_->write(batch); !done)
    return done;
  for (const auto& range : index_.segments())
    if (range.first > keep)
      doomed_.push_back(range.number);
  index_.cut_open(segment_, unix_time());
  sizes_[segment_] = 0;
  if (*rest != nullptr)
    add(*rest, entry);
  return {};
}

// -- reading ------------------------------------------------------------------

// What must be read of a table is read by itself.
planned_scans rocksdb_log::plan_scans(std::span<const scan_wish> wishes) const {
  auto result = plain_log::plan_scans(wishes);
  auto& blocks = result.blocks;
  auto places = std::map<block_location, std::uint32_t>{};
  for (std::size_t i = 0; i < wishes.size(); ++i)
    for (auto& piece : result.pieces_of(result.scans[i])) {
      auto part = blocks[piece.block];
      if (part.block != nullptr || wishes[i].table == all_tables)
        continue;
      part.location = rocksdb_disk::narrowed(part.location, wishes[i].table);
      auto next = static_cast<std::uint32_t>(blocks.size());
      piece.block = places.emplace(part.location, next).first->second;
      if (piece.block == next)
        blocks.push_back(std::move(part));
    }
  return result;
}

// -- syncing ------------------------------------------------------------------

sync_order rocksdb_log::begin_sync() {
  if (synced_to_ >= last())
    return {{}, last()};
  return {{segment_}, last()};
}

void rocksdb_log::synced(const sync_order& order) {
  if (order.segments.empty())
    return;
  auto through = std::min(order.through, last());
  // Indices may have been given out again since the order was made, but only
  // in later segments.
  for (const auto& range : index_.segments())
    if (range.number > order.segments.back()) {
      through = std::min(through, range.first.previous());
      break;
    }
  synced_to_ = std::max(synced_to_, through);
}

// -- releasing ----------------------------------------------------------------

std::vector<std::uint64_t>
rocksdb_log::release(const std::function<timestamp(table_id)>& floor_of) {
  auto numbers = index_.releasable(floor_of, last_closed());
  auto gone = numbers;
  gone.insert(gone.end(), doomed_.begin(), doomed_.end());
  if (gone.empty())
    return {};
  std::sort(gone.begin(), gone.end());
  auto batch = rocksdb::WriteBatch{};
  disk_->put_release(batch, index_.state(), gone);
  if (!disk_->write(batch))
    return {};
  index_.release(numbers);
  doomed_.clear();
  for (auto number : gone)
    sizes_.erase(number);
  return gone;
}

log_stats rocksdb_log::stats() const {
  auto result = counted();
  result.bytes_cut = bytes_cut_;
  result.spooled_bytes = spools_.bytes();
  for (const auto& entry : sizes_)
    result.disk_bytes += entry.second;
  return result;
}

} // namespace

expected<std::unique_ptr<log_engine>>
open_rocksdb_log(const rocksdb_log_options& options) {
  auto disk = rocksdb_disk::open(options.directory, options.segment_bytes);
  if (!disk)
    return tl::unexpected{std::move(disk.error())};
  auto result = std::make_unique<rocksdb_log>(options, std::move(*disk));
  if (auto done = result->recover(); !done)
    return tl::unexpected{std::move(done.error())};
  return result;
}

} // namespace sluice
