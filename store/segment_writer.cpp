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
                                                     const position& at) const {
  auto result = encoded{{}, std::move(front), rows};
  header.previous_sum = at.sum;
  result.header = encode(header, {files_->uuid(), number_, at.offset},
                         {result.front, rows});
  result.padding = header.extent() - batch_header_size - header.payload_size;
  result.end = {at.offset + header.extent(), header.header_sum};
  return result;
}

segment_writer::encoded
segment_writer::encode_block(const block_to_write& block,
                             block_index durable) const {
  auto header = batch_header{};
  header.kind = batch_kind::rows;
  header.rows = static_cast<std::uint32_t>(block.block->rows());
  header.ends = static_cast<std::uint32_t>(block.block->ends().size());
  header.first = block.index;
  header.last = block.index;
  header.resolved = block.resolved;
  header.durable_before = durable;
  return encode_batch(header, encode_ends(block.block->ends()),
                      block.block->bytes(), end_);
}

segment_writer::encoded segment_writer::encode_mark(std::string payload,
                                                    block_index last,
                                                    block_index durable,
                                                    const position& at) const {
  auto header = batch_header{};
  header.kind = batch_kind::mark;
  header.first = last;
  header.last = last;
  header.durable_before = durable;
  return encode_batch(header, std::move(payload), {}, at);
}

// Twice: what it says is said nowhere else.
std::vector<segment_writer::encoded>
segment_writer::encode_listing(const manifest& listing, block_index last,
                               block_index durable) const {
  auto payload = encode(listing);
  auto result = std::vector{encode_mark(payload, last, durable, end_)};
  auto second = result.front().end;
  result.push_back(encode_mark(std::move(payload), last, durable, second));
  return result;
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
  end_ = {file_header_size, sum_of_file_header(header)};
  auto listing = encode_listing(how.listing, how.first.previous(), how.durable);
  auto parts = std::vector<std::string_view>{header};
  for (const auto& x : listing)
    x.append_to(parts);
  end_ = listing.back().end;
  // One call: a killed process leaves a whole start or a file without any.
  if (auto done = file_->write(parts, 0); !done || !how.atomically)
    return done;
  if (auto done = write_blocks(how); !done)
    return done;
  if (auto done = file_->sync_all(); !done)
    return done;
  if (auto done = file_->rename(path); !done)
    return done;
  return sync_directory(files_->ops(), files_->directory());
}

// They are durable once the file shows, and nothing else says so.
status segment_writer::write_blocks(const start& how) {
  for (const auto& block : how.blocks) {
    auto at = append(block, how.durable);
    if (!at)
      return tl::unexpected{std::move(at.error())};
    first_blocks_.push_back(*at);
  }
  if (how.blocks.empty() || how.durable != how.first.previous())
    return {};
  auto last = how.blocks.back().index;
  return mark(how.behind, last, last);
}

// -- more of it ---------------------------------------------------------------

status segment_writer::write(std::span<const encoded> batches) {
  auto parts = std::vector<std::string_view>{};
  for (const auto& x : batches)
    x.append_to(parts);
  auto done = file_->write(parts, end_.offset);
  if (done) {
    end_ = batches.back().end;
    return done;
  }
  // What was written of it must not stay in the way. A full disk does no harm
  // to the file; after another failure nothing is sure.
  auto cut = file_->truncate(end_.offset);
  broken_ = !cut || done.error().code != errc::disk_full;
  return done;
}

expected<block_location> segment_writer::append(const block_to_write& block,
                                                block_index durable) {
  auto batch = encode_block(block, durable);
  auto at = block_location{number_, end_.offset,
                           batch_header_size + batch.front.size()
                             + batch.rows.size()};
  if (auto done = write({&batch, 1}); !done)
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
  auto batch = encode_batch(header, encode(to), {}, end_);
  return write({&batch, 1});
}

status segment_writer::mark(const log_state& state, block_index last,
                            block_index durable) {
  auto batch = encode_mark(encode(state), last, durable, end_);
  return write({&batch, 1});
}

status segment_writer::list(const manifest& listing, block_index last,
                            block_index durable) {
  return write(encode_listing(listing, last, durable));
}

bool segment_writer::broken() const {
  return broken_ || files_->has_failed(number_);
}

} // namespace sluice
