#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include <fcntl.h>
#include <malloc.h>
#include <sys/uio.h>

#include "messages/feed.hpp"
#include "store/log_engine.hpp"
#include "tests/bench/bench.hpp"

/// What store_bench runs: the logs and the limits behind one interface, and the
/// rows, which are made before the clock starts.
namespace sluice::bench {

/// Blocks of rows with one key and one text, tables by a zipf law.
struct rows_made {
  std::vector<block_ptr> blocks;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};

inline rows_made make_rows(std::uint64_t tables, std::uint64_t row_bytes,
                           std::uint64_t bytes, std::uint64_t seed) {
  constexpr std::uint64_t overhead = 73; // of a record, but for the text
  constexpr std::size_t rows_per_block = 1024;
  auto random = std::mt19937_64{seed};
  auto weights = std::vector<double>{};
  auto sum = 0.0;
  for (std::uint64_t i = 1; i <= tables; ++i)
    weights.push_back(sum += 1.0 / static_cast<double>(i));
  auto text = std::string(row_bytes - overhead, 'x');
  auto result = rows_made{};
  auto builder = row_block_builder{};
  while (result.bytes < bytes) {
    auto ts = ++result.rows;
    auto place = static_cast<double>(random() >> 11) * 0x1p-53 * sum;
    auto table = std::upper_bound(weights.begin(), weights.end(), place);
    auto number = static_cast<std::uint64_t>(table - weights.begin()) + 1;
    auto values = std::vector{
      value_view::of_integer(static_cast<std::int64_t>(ts)),
      value_view::of_text(text)};
    builder.add({{std::min(number, tables)},
                 {{ts}, {ts}, 0},
                 row_op::insert,
                 false,
                 {1},
                 0},
                {true, false}, {}, values);
    builder.end();
    if (builder.rows() == rows_per_block) {
      result.bytes += builder.size_bytes();
      result.blocks.push_back(builder.finish());
    }
  }
  return result;
}

/// A log or a limit, under one workload.
class subject {
public:
  virtual ~subject() = default;
  virtual void append(const block_ptr& block) = 0;
  virtual void sync() {
    // nop
  }
  /// Reads the rows of `table` after `after`. @returns How many.
  virtual std::uint64_t scan(table_id table, row_cursor after) = 0;
  /// Rows up to `ts` may go.
  virtual void release(timestamp ts) = 0;
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

  void append(const block_ptr& block) override {
    (void) need(log_->append(block, block->last_cursor().commit_ts));
  }
  void sync() override {
    auto order = log_->begin_sync();
    need(disk_->sync(order));
    log_->synced(order);
  }
  std::uint64_t scan(table_id table, row_cursor after) override {
    auto result = std::uint64_t{0};
    auto done = block_index{};
    while (done < log_->last()) {
      auto plan = log_->plan_scan(table, after, log_->last(), 1U << 20);
      for (auto& piece : plan.pieces) {
        auto block = piece.block;
        if (block == nullptr)
          block = need(disk_->read(piece.location));
        result += read(*block, table, after);
        after = std::max(after, piece.last);
      }
      done = plan.complete_to;
    }
    return result;
  }
  void release(timestamp ts) override {
    sync(); // Only what is durable may go.
    need(disk_->remove(log_->release([ts](table_id) { return ts; })));
  }
  [[nodiscard]] std::uint64_t memory_bytes() const {
    return log_->stats().memory_bytes;
  }

private:
  std::uint64_t read(const row_block& block, table_id table, row_cursor after) {
    const auto& runs = block.runs();
    if (table == all_tables) {
      auto result = std::uint64_t{0};
      for (const auto& run : runs)
        result += consume(block, run, after, sum_);
      return result;
    }
    auto run = std::lower_bound(
      runs.begin(), runs.end(), table,
      [](const block_run& x, table_id y) { return x.table < y; });
    return run == runs.end() || run->table != table
             ? 0
             : consume(block, *run, after, sum_);
  }

  std::unique_ptr<log_engine> log_;
  std::shared_ptr<log_disk> disk_;
  std::uint64_t sum_ = 0;
};

/// The limit of memory: a vector of the blocks, and one per table.
class vector_subject : public subject {
public:
  void append(const block_ptr& block) override {
    blocks_.push_back(block);
    for (const auto& run : block->runs())
      tables_[run.table].push_back({block.get(), &run});
  }
  std::uint64_t scan(table_id table, row_cursor after) override {
    auto result = std::uint64_t{0};
    auto found = tables_.find(table);
    if (table == all_tables) {
      for (const auto& block : blocks_)
        for (const auto& run : block->runs())
          result += consume(*block, run, after, sum_);
    } else if (found != tables_.end()) {
      auto& runs = found->second;
      auto first = std::partition_point(
        runs.begin(), runs.end(),
        [&](const place& x) { return x.run->last_cursor <= after; });
      for (; first != runs.end(); ++first)
        result += consume(*first->block, *first->run, after, sum_);
    }
    return result;
  }
  void release(timestamp ts) override {
    while (!blocks_.empty() && blocks_.front()->last_cursor().commit_ts <= ts) {
      for (const auto& run : blocks_.front()->runs())
        tables_[run.table].pop_front();
      blocks_.pop_front();
    }
  }

private:
  struct place {
    const row_block* block;
    const block_run* run;
  };
  std::deque<block_ptr> blocks_;
  std::unordered_map<table_id, std::deque<place>> tables_;
  std::uint64_t sum_ = 0;
};

/// The limit of files: the same bytes by pwritev into files as large, no
/// checksum, no index; consumers read the vector.
class raw_subject : public vector_subject {
public:
  raw_subject(std::string directory, bool indexed)
    : directory_{std::move(directory)}, indexed_{indexed} {
    std::filesystem::create_directories(directory_);
  }
  ~raw_subject() override { close(); }

  void append(const block_ptr& block) override {
    if (fd_ < 0 || size_ >= segment_bytes)
      open_next();
    auto head = std::string(96, 'h');
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
    if (indexed_)
      vector_subject::append(block);
  }
  void sync() override { ::fdatasync(fd_); }
  void release(timestamp ts) override {
    sync();
    vector_subject::release(ts);
    while (files_.size() > 1 && files_.front().last <= ts) {
      std::filesystem::remove(files_.front().path);
      files_.pop_front();
    }
  }

private:
  static constexpr std::uint64_t segment_bytes = 64 << 20;
  struct file {
    std::string path;
    timestamp last;
  };
  void close() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  void open_next() {
    close();
    files_.push_back({directory_ + '/' + std::to_string(++number_), {}});
    fd_ = ::open(files_.back().path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC,
                 0644);
    if (fd_ < 0)
      give_up("cannot make " + files_.back().path);
    size_ = 0;
  }

  std::string directory_;
  bool indexed_;
  std::deque<file> files_;
  std::uint64_t number_ = 0;
  std::uint64_t size_ = 0;
  int fd_ = -1;
};

/// Bytes that this process has given to write calls so far.
inline std::uint64_t bytes_written() {
  auto file = std::ifstream{"/proc/self/io"};
  auto name = std::string{};
  auto value = std::uint64_t{0};
  while (file >> name >> value)
    if (name == "wchar:")
      return value;
  return 0;
}

inline std::uint64_t heap_bytes() {
  auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Reads every file of a directory once.
inline void read_files(const std::string& directory) {
  auto buffer = std::vector<char>(1 << 20);
  for (const auto& x :
       std::filesystem::recursive_directory_iterator{directory}) {
    if (!x.is_regular_file())
      continue;
    auto fd = ::open(x.path().c_str(), O_RDONLY | O_CLOEXEC);
    while (::read(fd, buffer.data(), buffer.size()) > 0)
      continue;
    ::close(fd);
  }
}

} // namespace sluice::bench
