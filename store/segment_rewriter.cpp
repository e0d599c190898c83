#include "store/segment_rewriter.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <unordered_map>
#include <utility>

#include <fcntl.h>

#include "store/block_summary.hpp"
#include "store/window_format.hpp"

namespace sluice {

namespace {

constexpr std::uint64_t step_bytes = 1 << 20;
// What is beside them in a window takes less than they do; offsets have 32 bit.
constexpr std::uint64_t rows_bytes_max = 1U << 31U;

// The file that comes into being, and the window that fills.
class segment_rewrite : public log_rewrite {
public:
  segment_rewrite(std::shared_ptr<segment_files> files, rewrite_order order,
                  const rewriter_options& options)
    : files_{std::move(files)}, order_{std::move(order)}, options_{options},
      first_{order_.blocks.front().first} {
    result_.into = order_.into;
    result_.segments = order_.segments;
    for (const auto& x : order_.floors)
      floors_.emplace(x.table, x.floor);
  }

  ~segment_rewrite() override {
    if (!done_)
      discard();
  }

  expected<bool> step() override {
    if (auto ok = advance(); !ok)
      return tl::unexpected{std::move(ok.error())};
    return done_;
  }

  rewrite_result result() override { return std::move(result_); }

  [[nodiscard]] std::uint64_t segment() const override { return segment_; }

private:
  status advance() {
    if (file_ == nullptr)
      return begin();
    if (next_ == order_.blocks.size())
      return end();
    // Small blocks many at once, so that it does not take a step for each.
    for (auto bytes = std::uint64_t{0};
         bytes < step_bytes && next_ < order_.blocks.size(); ++next_) {
      const auto& x = order_.blocks[next_];
      segment_ = x.at.segment;
      auto block = files_->read(x.at);
      if (!block)
        return tl::unexpected{std::move(block.error())};
      if (auto done = take(x, **block); !done)
        return done;
      bytes += x.at.size;
    }
    return {};
  }

  status end() {
    if (auto done = flush(order_.blocks.back().last); !done)
      return done;
    result_.bytes = offset_;
    if (auto done = show(); !done)
      return done;
    done_ = true;
    return {};
  }

  [[nodiscard]] std::string path() const { return files_->path(order_.into); }

  status begin() {
    auto file = open_file::open(files_->ops(), path() + ".new",
                                O_RDWR | O_CREAT | O_TRUNC);
    if (!file)
      return tl::unexpected{std::move(file.error())};
    file_ = std::move(*file);
    auto header = encode(file_header{
      segment_format, files_->uuid(), order_.into, first_,
      order_.blocks.back().last, std::chrono::seconds{order_.begun_s}});
    sum_ = sum_of_file_header(header);
    offset_ = file_header_size;
    return file_->write({header}, 0);
  }

  status show() {
    if (auto done = file_->sync_all(); !done)
      return done;
    if (auto done = file_->rename(path()); !done)
      return done;
    return sync_directory(files_->ops(), files_->directory());
  }

  // No manifest names it. What cannot be deleted now, a start deletes.
  void discard() {
    if (file_ == nullptr)
      return;
    file_.reset();
    for (const auto& name : {path() + ".new", path()})
      files_->ops()->unlink(name.c_str());
  }

  [[nodiscard]] bool live(const row_view& row) const {
    auto floor = floors_.find(row.table());
    return floor == floors_.end() || row.commit_ts() > floor->second;
  }

  // Whether rows stand, here or before, whose transaction has yet to end.
  [[nodiscard]] bool open() const {
    return open_before_ || rows_.rows() > ended_;
  }

  status take(const block_to_rewrite& from, const row_block& block) {
    auto adds = open() && !block.ends().empty();
    for (std::size_t i = 0; i < block.rows() && !adds; ++i)
      adds = live(block.row(i));
    if (adds && !rows_.empty() && rows_.size_bytes() >= options_.window_bytes)
      if (auto done = flush(from.first.previous()); !done)
        return done;
    resolved_ = std::max(resolved_, from.resolved);
    auto end = block.ends().begin();
    for (std::size_t i = 0; i < block.rows(); ++i) {
      auto ends = end != block.ends().end() && *end == i + 1;
      // An end mark needs a row. If those of its transaction are elsewhere, it
      // keeps its own.
      auto alone = rows_.rows() == ended_ && open_before_;
      auto needed = live(block.row(i));
      if (needed || (ends && alone))
        rows_.add(block.row(i));
      if (!needed && ends && alone)
        result_.dead_bytes += block.row(i).size_bytes();
      if (!ends)
        continue;
      ++end;
      if (rows_.rows() > ended_)
        rows_.end();
      ended_ = rows_.rows();
      open_before_ = false;
    }
    return {};
  }

  status flush(block_index last) {
    open_before_ = open();
    ended_ = 0;
    if (rows_.empty())
      return fail(errc::log_io, path() + ": nothing is live");
    if (rows_.size_bytes() > rows_bytes_max)
      return fail(errc::malformed, path() + ": a window of 2 GiB");
    auto rows = rows_.finish();
    auto header = batch_header{};
    header.first = first_;
    header.last = last;
    header.resolved = resolved_;
    header.durable_before = order_.durable;
    header.previous_sum = sum_;
    auto place = batch_place{files_->uuid(), order_.into, offset_};
    auto [payload, pieces] = encode_window(*rows, place, header,
                                           options_.compression);
    auto front = encode(header, place, {payload});
    auto padding = std::string(
      header.extent() - batch_header_size - payload.size(), '\0');
    if (auto done = file_->write({front, payload, padding}, offset_); !done)
      return done;
    auto at = block_location{
      order_.into, offset_, batch_header_size + payload.size(), {}};
    auto summary = summarize(*rows);
    summary.pieces = std::move(pieces);
    result_.windows.push_back(
      {first_, last, at, resolved_, std::move(summary)});
    offset_ += header.extent();
    sum_ = header.header_sum;
    first_ = last.next();
    return {};
  }

  std::shared_ptr<segment_files> files_;
  rewrite_order order_;
  rewriter_options options_;
  std::unordered_map<table_id, timestamp> floors_;
  rewrite_result result_;
  std::size_t next_ = 0; // of the blocks
  std::uint64_t segment_ = 0;
  bool done_ = false;
  std::shared_ptr<open_file> file_;
  std::uint64_t offset_ = 0;
  std::uint64_t sum_ = 0; // of the batch before
  block_index first_;     // of the window
  row_block_builder rows_;
  timestamp resolved_;
  std::size_t ended_ = 0;   // rows of the window up to its last end mark
  bool open_before_ = true; // not known of what precedes the segments
};

// Begins again, once, with the room of the reserve.
class rewrite_with_reserve : public log_rewrite {
public:
  rewrite_with_reserve(std::shared_ptr<segment_files> files,
                       rewrite_order order, const rewriter_options& options)
    : files_{std::move(files)}, order_{std::move(order)}, options_{options} {
    begin();
  }

  expected<bool> step() override {
    auto done = work_->step();
    auto full = !done && done.error().code == errc::disk_full;
    if (!full || begun_ > 1 || !files_->reserve().give_up())
      return done;
    work_.reset(); // what it has written goes first
    begin();
    return false;
  }

  rewrite_result result() override { return work_->result(); }

  [[nodiscard]] std::uint64_t segment() const override {
    return work_->segment();
  }

private:
  void begin() {
    work_ = std::make_unique<segment_rewrite>(files_, order_, options_);
    ++begun_;
  }

  std::shared_ptr<segment_files> files_;
  rewrite_order order_;
  rewriter_options options_;
  std::unique_ptr<segment_rewrite> work_;
  int begun_ = 0;
};

} // namespace

segment_rewriter::segment_rewriter(std::shared_ptr<segment_files> files,
                                   const rewriter_options& options)
  : files_{std::move(files)}, options_{options} {
  // nop
}

std::unique_ptr<log_rewrite> segment_rewriter::begin(rewrite_order order) {
  return std::make_unique<rewrite_with_reserve>(files_, std::move(order),
                                                options_);
}

} // namespace sluice
