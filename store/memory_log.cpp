#include "store/memory_log.hpp"

#include <map>
#include <mutex>

#include "store/buffered_spools.hpp"
#include "store/log_index.hpp"
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

class memory_log : public log_engine {
public:
  memory_log() : disk_{std::make_shared<memory_disk>()} {
    index_.begin_segment(segment_, {1}, unix_time());
  }

  expected<block_ptr> append(block_ptr block, timestamp resolved) override {
    auto result = admit(block, appended_to(), index_.last_cursor());
    if (!result)
      return result;
    rows_repeated_ += block == nullptr ? 0 : block->rows();
    if (*result == nullptr) {
      index_.note_resolved(resolved);
      return result;
    }
    rows_repeated_ -= (*result)->rows();
    rows_appended_ += (*result)->rows();
    put(*result, resolved);
    return result;
  }

  status abandon_open() override {
    spools_.clear();
    if (!index_.open())
      return {};
    auto rest = block_ptr{};
    if (auto partial = index_.partial())
      rest = slice(index_.piece(partial->index).block, 0, partial->rows);
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

  status spool(transaction_id transaction, const block_ptr& rows,
               const std::vector<rows_of_transaction>& of) override {
    return spools_.add(transaction, rows, of);
  }

  void leave_out(transaction_id transaction, transaction_id sub) override {
    spools_.leave_out(transaction, sub);
  }

  expected<spool_end> commit_spooled(transaction_id transaction,
                                     const spool_commit& how) override {
    return commit_buffered(*this, spools_, transaction, how,
                           index_.last_cursor());
  }

  std::vector<std::uint64_t>
  abort_spooled(transaction_id transaction) override {
    spools_.forget(transaction);
    return {};
  }

  block_index last() const override { return index_.last(); }

  block_index last_closed() const override { return index_.last_closed(); }

  row_cursor appended_to() const override { return index_.appended_to(); }

  timestamp resolved() const override { return index_.state().resolved; }

  scan_plan plan_scan(table_id table, row_cursor after, block_index to,
                      std::uint64_t bytes_max) const override {
    return index_.plan_scan(table, after, to, bytes_max);
  }

  sync_order begin_sync() override { return {{}, last()}; }

  void synced(const sync_order&) override {
    // nop
  }

  block_index synced_to() const override { return last(); }

  [[nodiscard]] std::vector<table_id> releasable(
    const std::function<timestamp(table_id)>& floor_of) const override {
    return index_.tables_of(index_.releasable(floor_of, last_closed()));
  }

  std::vector<std::uint64_t>
  release(const std::function<timestamp(table_id)>& floor_of) override {
    auto result = index_.releasable(floor_of, last_closed());
    index_.release(result);
    return result;
  }

  [[nodiscard]] retained_rows
  retained(const retention_budget& budget) const override {
    return index_.retained(budget, unix_time());
  }

  std::optional<rewrite_order>
  plan_rewrite(const std::function<timestamp(table_id)>&,
               block_index) override {
    return {};
  }

  std::vector<std::uint64_t> rewritten(const rewrite_result&) override {
    return {};
  }

  void rewrite_failed(const error&, std::uint64_t) override {
    // nop
  }
  std::shared_ptr<log_rewriter> rewriter() override { return nullptr; }

  [[nodiscard]] std::uint64_t live_bytes(
    const std::function<timestamp(table_id)>& floor_of) const override {
    return index_.live_bytes(floor_of);
  }

  std::vector<table_id> tables() const override { return index_.tables(); }

  log_stats stats() const override {
    auto result = index_.stats();
    result.segments = result.blocks;
    result.rows_appended = rows_appended_;
    result.rows_repeated = rows_repeated_;
    result.spooled_bytes = spools_.bytes();
    return result;
  }

  std::shared_ptr<log_disk> disk() override { return disk_; }

private:
  void put(const block_ptr& block, timestamp resolved) {
    auto at = block_location{segment_, 0, block->bytes().size()};
    disk_->put(at, block);
    index_.add(summarize(*block), block, at, resolved);
    // The last segment stays, so it is always an empty one.
    index_.begin_segment(++segment_, last().next(), unix_time());
  }

  std::shared_ptr<memory_disk> disk_;
  log_index index_;
  buffered_spools spools_;
  std::uint64_t segment_ = 1;
  std::uint64_t rows_appended_ = 0;
  std::uint64_t rows_repeated_ = 0;
};

} // namespace

std::unique_ptr<log_engine> make_memory_log() {
  return std::make_unique<memory_log>();
}

} // namespace sluice
