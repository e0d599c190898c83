#include "store/segment_writer.hpp"

#include <array>
#include <utility>

#include <fcntl.h>

namespace sluice {

namespace {

constexpr auto zeros = std::array<char, batch_alignment>{};

} // namespace

segment_writer::segment_writer(std::shared_ptr<segment_files> files,
                               std::uint64_t number)
  : files_{std::move(files)}, number_{number} {
  // nop
}

// -- encoding -----------------------------------------------------------------

void segment_writer::encoded::append_to(
  std::vector<std::string_view>& parts) const {
  parts.insert(parts.end(), {header, front, rows, {zeros.data(), padding}});
}

segment_writer::encoded segment_writer::encode_batch(batch_header header,
                                                     std::string front,
                                                     std::string_view rows,
                                                     std::uint64_t at) const {
  auto result = encoded{{}, std::move(front), rows, 0, 0, 0};
  header.previous_sum = sum_;
  result.header = encode(header, {files_->uuid(), number_, at},
                         {result.front, rows});
  result.padding = header.extent() - batch_header_size - header.payload_size;
  result.sum = header.header_sum;
  result.payload = header.payload_size;
  return result;
}

segment_writer::encoded
segment_writer::encode_block(const block_to_write& block, block_index durable,
                             std::uint64_t at) const {
  auto header = batch_header{};
  header.kind = batch_kind::rows;
  header.rows = static_cast<std::uint32_t>(block.block->rows());
  header.ends = static_cast<std::uint32_t>(block.block->ends().size());
  header.first = block.index;
  header.last = block.index;
  header.resolved = block.resolved;
  header.durable_before = durable;
  return encode_batch(header, encode_ends(block.block->ends()),
                      block.block->bytes(), at);
}

segment_writer::encoded segment_writer::encode_mark(std::string payload,
                                                    block_index last,
                                                    block_index durable,
                                                    std::uint64_t at) const {
  auto header = batch_header{};
  header.kind = batch_kind::mark;
  header.first = last;
  header.last = last;
  header.durable_before = durable;
  return encode_batch(header, std::move(payload), {}, at);
}

// -- a new file ---------------------------------------------------------------

expected<segment_writer>
segment_writer::create(std::shared_ptr<segment_files> files, const start& how) {
  auto result = segment_writer{files, how.number};
  auto path = files->path(how.number);
  auto first_path = how.atomically ? path + ".new" : path;
  auto file = open_file::open(files->ops(), first_path,
                              O_RDWR | O_CREAT | O_TRUNC);
  if (!file)
    return tl::unexpected{std::move(file.error())};
  result.file_ = std::move(*file);
  if (auto done = result.write_start(how, path); !done)
    return tl::unexpected{std::move(done.error())};
  files->add(how.number, result.file_, how.atomically);
  return result;
}

status segment_writer::write_start(const start& how, const std::string& path) {
  auto header = encode(file_header{
    segment_format, files_->uuid(), number_, how.first, {}, how.begun});
  sum_ = sum_of_file_header(header);
  offset_ = file_header_size;
  auto parts = std::vector<std::string_view>{header};
  auto listing = encode_mark(encode(how.listing), how.first.previous(),
                             how.durable, offset_);
  listing.append_to(parts);
  offset_ += batch_header_size + listing.payload + listing.padding;
  sum_ = listing.sum;
  // One call: a killed process leaves a whole start or a file without any.
  if (auto done = file_->write(parts, 0); !done || !how.atomically)
    return done;
  for (const auto& block : how.blocks) {
    auto at = append(block, how.durable);
    if (!at)
      return tl::unexpected{std::move(at.error())};
    first_blocks_.push_back(*at);
  }
  if (auto done = file_->sync_all(); !done)
    return done;
  if (auto done = file_->rename(path); !done)
    return done;
  return sync_directory(files_->ops(), files_->directory());
}

// -- more of it ---------------------------------------------------------------

status segment_writer::write(const encoded& batch) {
  auto parts = std::vector<std::string_view>{};
  batch.append_to(parts);
  auto done = file_->write(parts, offset_);
  if (done) {
    offset_ += batch_header_size + batch.payload + batch.padding;
    sum_ = batch.sum;
    return done;
  }
  // What was written of it must not stay in the way. A full disk does no harm
  // to the file; after another failure nothing is sure.
  auto cut = file_->truncate(offset_);
  broken_ = !cut || done.error().code != errc::disk_full;
  return done;
}

expected<block_location> segment_writer::append(const block_to_write& block,
                                                block_index durable) {
  auto batch = encode_block(block, durable, offset_);
  auto at = block_location{number_, offset_, batch_header_size + batch.payload};
  if (auto done = write(batch); !done)
    return tl::unexpected{std::move(done.error())};
  return at;
}

status segment_writer::refer(const spool_reference& to, block_index first,
                             timestamp resolved, block_index durable) {
  auto header = batch_header{};
  header.kind = batch_kind::spool_reference;
  header.first = first;
  header.last = {first.value + to.chunks.size() - 1};
  header.resolved = resolved;
  header.durable_before = durable;
  return write(encode_batch(header, encode(to), {}, offset_));
}

status segment_writer::mark(std::string payload, block_index last,
                            block_index durable) {
  return write(encode_mark(std::move(payload), last, durable, offset_));
}

bool segment_writer::broken() const {
  return broken_ || files_->has_failed(number_);
}

} // namespace sluice
