#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/uio.h>

#include "messages/block_ranges.hpp"
#include "messages/feed.hpp"
#include "messages/table_map.hpp"
#include "store/log_engine.hpp"
#include "store/segment_id.hpp"
#include "tests/bench/store_rows.hpp"

/// The logs and the limits behind one interface.
namespace sluice::bench {

/// Where the consumer of a table stands; with `all_tables`, of all.
struct reader {
  table_id table;
  row_cursor after = {};
};

/// A log or a limit, under one workload.
class subject {
public:
  virtual ~subject() = default;
  virtual void append(const block_ptr& block) = 0;
  /// Makes durable what was appended so far, in a thread of its own as a
  /// service does; the one before is waited for.
  virtual void begin_sync() {
    // nop
  }
  /// Waits for that.
  virtual void end_sync() {
    // nop
  }
  /// Reads all that these have not. @returns How many rows.
  virtual std::uint64_t scan(std::span<const reader> readers) = 0;
  /// Rows up to `ts` may go, if they are durable.
  virtual void release(timestamp ts) = 0;
  /// Sorts by table what does so later than it appends.
  virtual void rewrite() {
    // nop
  }
};

/// What a consumer does at the least: looks at each row.
inline std::uint64_t consume(const row_block& block, const block_run& run,
                             row_cursor after, std::uint64_t& sum) {
  auto result = std::uint64_t{0};
  for (auto i = run.first; i < run.first + run.count; ++i) {
    auto row = block.grouped(i);
    if (row.cursor() <= after)
      continue;
    sum += row.size_bytes();
    ++result;
  }
  return result;
}

class engine_subject : public subject {
public:
  explicit engine_subject(std::unique_ptr<log_engine> log)
    : log_{std::move(log)}, disk_{log_->disk()} {
    // nop
  }
  ~engine_subject() override { end_sync(); }

  void append(const block_ptr& block) override {
    (void) need(log_->append(block, block->last_cursor().commit_ts));
  }
  void begin_sync() override {
    end_sync();
    auto work = [disk = disk_, order = log_->begin_sync()] {
      need(disk->sync(order));
      return order;
    };
    syncing_ = std::async(std::launch::async, std::move(work));
  }
  void end_sync() override {
    if (syncing_.valid())
      log_->synced(syncing_.get());
  }
  /// As many at a time as in a request of a dispatcher shard.
  std::uint64_t scan(std::span<const reader> readers) override {
    constexpr std::size_t request_max = 128;
    auto result = std::uint64_t{0};
    auto wishes = std::vector<scan_wish>{};
    while (!readers.empty()) {
      auto some = readers.first(std::min(readers.size(), request_max));
      readers = readers.subspan(some.size());
      for (const auto& x : some)
        wishes.push_back({x.table, x.after, log_->last(), 1U << 20});
      while (!wishes.empty())
        result += read(wishes);
    }
    return result;
  }
  void release(timestamp ts) override {
    need(disk_->remove(log_->release([ts](table_id) { return ts; })));
  }
  /// Everything, whatever `plan_rewrite` would choose.
  /// @pre It was opened just now, so that no segment is being written.
  void rewrite() override {
    auto rewriter = log_->rewriter();
    if (rewriter == nullptr)
      return;
    auto orders = std::vector<rewrite_order>{};
    auto plan = plan_scan(*log_, {all_tables, {}, log_->last(), UINT64_MAX});
    for (const auto& x : plan.pieces) {
      auto segment = x.location.segment;
      if (orders.empty() || orders.back().segments.front() != segment)
        orders.push_back({rewritten_segment(segment, orders.size() + 1),
                          {segment},
                          {},
                          {},
                          {}});
      auto& order = orders.back();
      order.blocks.push_back({x.index, x.index, x.location, x.last.commit_ts});
      order.durable = x.index;
    }
    for (const auto& order : orders)
      need(disk_->remove(log_->rewritten(need(rewriter->run(order)))));
  }
  [[nodiscard]] log_engine& log() const { return *log_; }

private:
  /// Leaves what is still to read.
  std::uint64_t read(std::vector<scan_wish>& wishes) {
    auto found = log_->plan_scans(wishes);
    auto result = std::uint64_t{0};
    auto rest = std::vector<scan_wish>{};
    for (std::size_t i = 0; i < wishes.size(); ++i) {
      auto& [table, after, to, bytes_max] = wishes[i];
      const auto& plan = found.scans[i];
      for (auto j = plan.first; j < plan.first + plan.count; ++j) {
        prefetch_behind(found, j);
        auto& block = found.blocks[found.pieces[j].block];
        if (block.block == nullptr)
          block.block = need(disk_->read(block.location));
        result += read(*block.block, table, after, found.pieces[j].run);
        after = std::max(after, block.last);
      }
      if (plan.complete_to < to)
        rest.push_back(wishes[i]);
    }
    wishes = std::move(rest);
    return result;
  }
  std::uint64_t read(const row_block& block, table_id table, row_cursor after,
                     std::size_t hint) {
    const auto& runs = block.runs();
    if (table == all_tables) {
      auto result = std::uint64_t{0};
      for (const auto& run : runs)
        result += consume(block, run, after, sum_);
      return result;
    }
    auto run = first_run(block, table, hint);
    return run == runs.size() || runs[run].table != table
             ? 0
             : consume(block, runs[run], after, sum_);
  }

  std::unique_ptr<log_engine> log_;
  std::shared_ptr<log_disk> disk_;
  std::future<sync_order> syncing_;
  std::uint64_t sum_ = 0;
};

/// The limit of memory: a vector of the blocks, and one of runs per table,
/// found as the engines find theirs. It has the address of each run, and no
/// place on disk. Whoever reads a run holds its block meanwhile, as who reads
/// in another thread must.
class vector_subject : public subject {
public:
  void append(const block_ptr& block) override {
    blocks_.push_back(block);
    for (const auto& run : block->runs())
      list_of(run.table).push_back({block, &run});
  }
  std::uint64_t scan(std::span<const reader> readers) override {
    auto result = std::uint64_t{0};
    for (const auto& x : readers)
      result += scan_one(x.table, x.after);
    return result;
  }
  void release(timestamp ts) override {
    while (!blocks_.empty() && blocks_.front()->last_cursor().commit_ts <= ts) {
      for (const auto& run : blocks_.front()->runs()) {
        auto& runs = list_of(run.table);
        runs.erase(runs.begin());
      }
      blocks_.pop_front();
    }
  }

protected:
  virtual std::uint64_t scan_one(table_id table, row_cursor after) {
    auto result = std::uint64_t{0};
    if (table == all_tables) {
      for (const auto& block : blocks_)
        for (const auto& run : block->runs())
          result += consume(*block, run, after, sum_);
    } else if (auto number = tables_.find(table); number != table_map::none) {
      const auto& runs = lists_[number];
      auto first = std::partition_point(
        runs.begin(), runs.end(),
        [&](const place& x) { return x.run->last_cursor <= after; });
      for (; first != runs.end(); ++first) {
        auto held = first->block;
        result += consume(*held, *first->run, after, sum_);
      }
    }
    return result;
  }

private:
  struct place {
    block_ptr block;
    const block_run* run;
  };
  std::vector<place>& list_of(table_id table) {
    auto number = tables_.find(table);
    if (number == table_map::none) {
      number = lists_.size();
      lists_.emplace_back();
      (void) tables_.exchange(table, number);
    }
    return lists_[number];
  }

  std::deque<block_ptr> blocks_;
  table_map tables_; // to numbers in `lists_`
  std::vector<std::vector<place>> lists_;
  std::uint64_t sum_ = 0;
};

/// What consumers of a limit read.
enum class consumers { none, in_memory, from_files };

/// The limit of files: the same bytes by pwritev into files as large, no
/// checksum, no index. Consumers read the vector; or as many bytes as the rows
/// have that they want, by pread into one buffer, and do not look at them.
class raw_subject : public vector_subject {
public:
  raw_subject(std::string directory, consumers who)
    : directory_{std::move(directory)}, who_{who} {
    std::filesystem::create_directories(directory_);
  }
  ~raw_subject() override {
    end_sync();
    close();
  }

  void append(const block_ptr& block) override {
    if (fd_ < 0 || size_ >= segment_bytes)
      open_next();
    auto head = std::array<char, 96>{};
    auto bytes = block->bytes();
    auto parts = std::array<iovec, 2>{
      iovec{head.data(), head.size()},
      iovec{const_cast<char*>(bytes.data()), bytes.size()}};
    auto size = head.size() + bytes.size();
    if (::pwritev(fd_, parts.data(), 2, static_cast<off_t>(size_))
        != static_cast<ssize_t>(size))
      give_up("cannot write below " + directory_);
    size_ += size;
    files_.back().last = block->last_cursor().commit_ts;
    if (who_ == consumers::in_memory)
      vector_subject::append(block);
    if (who_ == consumers::from_files)
      for (const auto& run : block->runs())
        for (auto* x : {&amounts_[run.table], &amounts_[all_tables]}) {
          x->rows += run.count;
          x->bytes += run.bytes;
        }
  }
  void begin_sync() override {
    end_sync();
    syncing_ = std::async(std::launch::async,
                          [fd = ::dup(fd_), old = std::exchange(closed_, {})] {
                            for (auto x : old)
                              sync_and_close(x);
                            sync_and_close(fd);
                          });
  }
  void end_sync() override {
    if (syncing_.valid())
      syncing_.get();
  }
  void release(timestamp ts) override {
    vector_subject::release(ts);
    while (files_.size() > 1 && files_.front().last <= ts) {
      std::filesystem::remove(files_.front().path);
      files_.pop_front();
    }
  }

protected:
  std::uint64_t scan_one(table_id table, row_cursor after) override {
    if (who_ == consumers::in_memory)
      return vector_subject::scan_one(table, after);
    const auto& wanted = amounts_[table];
    auto left = wanted.bytes;
    for (const auto& x : files_)
      left -= read(x.path, left);
    return wanted.rows;
  }

private:
  static constexpr std::uint64_t segment_bytes = 64 << 20;
  struct file {
    std::string path;
    timestamp last;
  };
  static void sync_and_close(int fd) {
    ::fdatasync(fd);
    ::close(fd);
  }
  struct amount {
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
  };
  // Up to so many bytes. @returns How many there were.
  std::uint64_t read(const std::string& path, std::uint64_t bytes) {
    auto fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    auto result = std::uint64_t{0};
    while (result < bytes) {
      auto size = std::min<std::uint64_t>(buffer_.size(), bytes - result);
      auto got = ::pread(fd, buffer_.data(), size, static_cast<off_t>(result));
      if (got <= 0)
        break;
      result += static_cast<std::uint64_t>(got);
    }
    ::close(fd);
    return result;
  }
  void close() {
    for (auto fd : closed_)
      ::close(fd);
    if (fd_ >= 0)
      ::close(fd_);
  }
  void open_next() {
    if (fd_ >= 0)
      closed_.push_back(fd_); // a sync of it is to come
    files_.push_back({directory_ + '/' + std::to_string(++number_), {}});
    fd_ = ::open(files_.back().path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC,
                 0644);
    if (fd_ < 0)
      give_up("cannot make " + files_.back().path);
    size_ = 0;
  }

  std::string directory_;
  consumers who_;
  std::map<table_id, amount> amounts_; // of rows that were appended
  std::vector<char> buffer_ = std::vector<char>(1U << 20);
  std::deque<file> files_;
  std::vector<int> closed_;
  std::future<void> syncing_;
  std::uint64_t number_ = 0;
  std::uint64_t size_ = 0;
  int fd_ = -1;
};

} // namespace sluice::bench
