#include "store/spool_writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fcntl.h>

#include "store/spool_scan.hpp"

namespace sluice {

namespace {

constexpr auto zeros = std::array<char, batch_alignment>{};

} // namespace

spool_writer::spool_writer(std::shared_ptr<segment_files> files,
                           std::uint64_t number,
                           std::shared_ptr<open_file> file)
  : files_{std::move(files)}, number_{number}, file_{std::move(file)} {
  // nop
}

expected<std::unique_ptr<spool_writer>>
spool_writer::create(std::shared_ptr<segment_files> files,
                     std::uint64_t spool) {
  auto file = open_file::open(files->ops(), files->path(spool),
                              O_RDWR | O_CREAT | O_TRUNC);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  files->add(spool, *file, false);
  return std::unique_ptr<spool_writer>(
    new spool_writer(std::move(files), spool, std::move(*file)));
}

std::uint64_t spool_writer::rows() const noexcept {
  auto result = std::uint64_t{0};
  for (const auto& x : chunks_)
    result += x.summary.rows;
  return result;
}

row_cursor spool_writer::last_cursor(const spool_commit& how) const {
  return {how.commit_ts, how.start_ts, chunks_.back().summary.last.position};
}

spool_reference spool_writer::reference(const spool_commit& how) const {
  auto result = spool_reference{
    number_, how.commit_ts, how.start_ts, last_cursor(how).position, {}};
  result.chunks.reserve(chunks_.size());
  for (const auto& x : chunks_)
    result.chunks.push_back(x.place);
  return result;
}

// -- writing ------------------------------------------------------------------

status spool_writer::append(const spooled_rows& rows) {
  auto written = write(rows);
  if (!written)
    return tl::unexpected{std::move(written.error())};
  chunks_.push_back(std::move(*written));
  position_ = rows.block->last_cursor().position;
  return {};
}

expected<spool_writer::chunk> spool_writer::write(const spooled_rows& rows) {
  if (broken_)
    return fail(errc::log_io, file_->path() + ": a write failed before");
  auto runs = encode_runs(rows.of);
  if (rows.block->bytes().size() + runs.size() > UINT32_MAX)
    return fail(errc::malformed, "a block of 4 GiB");
  auto header = batch_header{};
  header.kind = batch_kind::chunk;
  header.rows = static_cast<std::uint32_t>(rows.block->rows());
  header.ends = static_cast<std::uint32_t>(rows.of.size());
  auto front = encode(header, {files_->uuid(), number_, offset_},
                      {runs, rows.block->bytes()});
  auto padding = header.extent() - batch_header_size - header.payload_size;
  auto done = file_->write(
    {front, runs, rows.block->bytes(), {zeros.data(), padding}}, offset_);
  if (!done) {
    // A full disk does no harm to the file; after another failure nothing is
    // sure.
    auto cut = file_->truncate(offset_);
    broken_ = !cut || done.error().code != errc::disk_full;
    return tl::unexpected{std::move(done.error())};
  }
  auto order = std::minmax_element(
    rows.of.begin(), rows.of.end(),
    [](const rows_of_transaction& x, const rows_of_transaction& y) {
      return x.transaction < y.transaction;
    });
  auto result = chunk{
    {offset_, header.payload_size, header.rows, header.header_sum},
    order.first->transaction,
    order.second->transaction,
    summarize(*rows.block)};
  offset_ += header.extent();
  return result;
}

// -- leaving out --------------------------------------------------------------

bool spool_writer::may_change(const chunk& x) const {
  auto first = left_out_.lower_bound(x.lowest);
  return first != left_out_.end() && *first <= x.highest;
}

status spool_writer::settle() {
  auto left = std::vector<chunk>{};
  auto result = status{};
  for (auto& x : chunks_) {
    if (!result || !may_change(x)) {
      left.push_back(std::move(x));
      continue;
    }
    if (x.lowest == x.highest)
      continue;
    auto rows = read(x);
    auto rest = rows ? without(*rows, left_out_) : spooled_rows{};
    if (rows && rest.block == nullptr)
      continue;
    if (rows && rest.block->rows() < x.summary.rows) {
      auto written = write(rest);
      if (written)
        x = std::move(*written);
      else
        result = tl::unexpected{std::move(written.error())};
    } else if (!rows) {
      result = tl::unexpected{std::move(rows.error())};
    }
    left.push_back(std::move(x));
  }
  chunks_ = std::move(left);
  return result;
}

expected<spooled_rows> spool_writer::read(const chunk& x) const {
  auto bytes = read_chunk(*file_, files_->uuid(), number_, x.place);
  if (!bytes)
    return tl::unexpected{std::move(bytes.error())};
  auto result = decode_chunk(bytes->header, std::move(bytes->payload));
  if (!result)
    return fail(errc::log_corrupt,
                file_->path() + ": " + result.error().detail);
  return result;
}

} // namespace sluice
