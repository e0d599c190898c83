#include "store/memory_log.hpp"

#include <map>
#include <mutex>

#include "store/indexed_log.hpp"
#include "store/unix_time.hpp"

namespace sluice {

namespace {

// Holds the blocks by location, so that reads work from any thread.
class memory_disk : public log_disk {
public:
  expected<block_ptr> read(const block_location& at) override {
    auto guard = std::lock_guard{mutex_};
    auto segment = segments_.find(at.segment);
    if (segment == segments_.end())
      return fail(errc::out_of_range,
                  "segment " + std::to_string(at.segment) + " was removed");
    return segment->second;
  }

  status sync(const sync_order&) override { return {}; }

  status remove(const std::vector<std::uint64_t>& segments) override {
    auto guard = std::lock_guard{mutex_};
    for (auto number : segments)
      segments_.erase(number);
    return {};
  }

  void put(const block_location& at, block_ptr block) {
    auto guard = std::lock_guard{mutex_};
    segments_[at.segment] = std::move(block);
  }

private:
  std::mutex mutex_;
  std::map<std::uint64_t, block_ptr> segments_; // a block each
};

class memory_log : public plain_log {
public:
  memory_log() : disk_{std::make_shared<memory_disk>()} {
    index_.begin_segment(segment_, {1}, unix_time());
  }

  expected<block_ptr> append(block_ptr block, timestamp resolved) override {
    auto result = admitted(block, resolved);
    if (!result || *result == nullptr)
      return result;
    count(block, **result);
    put(*result, resolved);
    return result;
  }

  status abandon_open() override {
    spools_.clear();
    if (!index_.open())
      return {};
    auto rest = block_ptr{};
    if (auto partial = index_.partial())
      rest = slice(index_.block(partial->index).block, 0, partial->rows);
    auto gone = std::vector<std::uint64_t>{};
    for (const auto& range : index_.segments())
      if (range.last > index_.keep_to())
        gone.push_back(range.number);
    (void) disk_->remove(gone);
    index_.cut_open(++segment_, unix_time());
    if (rest != nullptr)
      put(rest, resolved());
    return {};
  }

  sync_order begin_sync() override { return {{}, last()}; }

  void synced(const sync_order&) override {
    // nop
  }

  block_index synced_to() const override { return last(); }

  std::vector<std::uint64_t>
  release(const std::function<timestamp(table_id)>& floor_of) override {
    auto result = index_.releasable(floor_of, last_closed());
    index_.release(result);
    return result;
  }

  log_stats stats() const override {
    auto result = counted();
    result.segments = result.blocks;
    result.spooled_bytes = spools_.bytes();
    return result;
  }

  std::shared_ptr<log_disk> disk() override { return disk_; }

private:
  void put(const block_ptr& block, timestamp resolved) {
    auto at = block_location{segment_, 0, block->bytes().size()};
    disk_->put(at, block);
    index_.add(block, at, resolved);
    // The last segment stays, so it is always an empty one.
    index_.begin_segment(++segment_, last().next(), unix_time());
  }

  std::shared_ptr<memory_disk> disk_;
  std::uint64_t segment_ = 1;
};

} // namespace

std::unique_ptr<log_engine> make_memory_log() {
  return std::make_unique<memory_log>();
}

} // namespace sluice
